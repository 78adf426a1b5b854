-- SPDX-License-Identifier: MIT
-- What analytics queries answer: tables with their axes, and rows() to iterate over.
local core = require "tidewheel.core"

local concat, format = table.concat, string.format
local ipairs, pairs, setmetatable, type = ipairs, pairs, setmetatable, type
local null = core.null

local function some(value)
  if value ~= null then
    return value
  end
  return nil
end

local function seconds(ms)
  if type(ms) == "number" then
    return ms / 1000
  end
  return nil
end

-- Each of a list, which may have nulls, as what `make` gives for it.
local function each(list, make)
  local made = {}
  for i, one in ipairs(list) do
    made[i] = make(one)
  end
  return made
end

local function named(list)
  for _, one in ipairs(list) do
    one.name = concat(one.label, " / ")
  end
end

local function labels(list)
  return each(list, function(one)
    return one.name
  end)
end

-- Rows of a list of functions' making: `step(i)` gives the row number i, nil past the end.
local function rows_of(step)
  local i = 0
  return function()
    i = i + 1
    return step(i)
  end
end

-- All rows of a walk through lists inside lists: walk(put) puts them one by one.
local function rows_by(walk)
  local list, n = {}, 0
  walk(function(row)
    n = n + 1
    list[n] = row
  end)
  return rows_of(function(i)
    return list[i]
  end)
end

-- ---- series ---------------------------------------------------------------------------

local Series = { __name = "tidewheel.SeriesAnswer" }
Series.__index = Series

function Series:rows()
  local width = #self.x
  return rows_of(function(i)
    local one = self.series[width > 0 and (i - 1 - (i - 1) % width) / width + 1 or 1]
    if not one or width == 0 then
      return nil
    end
    local at = (i - 1) % width + 1
    return {
      [self.axis] = self.x[at],
      label = one.name,
      event = one.event,
      segment = one.segment,
      value = some(one.values[at]),
    }
  end)
end

-- The first series of that label, as `labels` has it.
function Series:find(label)
  for _, one in ipairs(self.series) do
    if one.name == label then
      return one
    end
  end
  return nil
end

function Series:__tostring()
  return format("SeriesAnswer: %d series x %d points", #self.series, #self.x)
end

local function is_date(text)
  return text:find "^%d%d%d%d%-%d%d%-%d%d$" or text:find "^%d%d%d%d%-%d%d%-%d%d[T ]%d%d:%d%d"
end

local function series(form, axis)
  named(form.series)
  form.axis, form.labels, form.dates = axis or "date", labels(form.series), {}
  for _, x in ipairs(form.x) do
    if is_date(x) then
      form.dates[#form.dates + 1] = x
    end
  end
  return setmetatable(form, Series)
end

-- ---- funnels --------------------------------------------------------------------------

local Funnels = { __name = "tidewheel.FunnelAnswer" }
Funnels.__index = Funnels

function Funnels:rows()
  return rows_by(function(put)
    for _, one in ipairs(self.funnels) do
      for number, step in ipairs(one.steps) do
        local row = { label = one.name, segment = one.segment, step = number }
        for name, value in pairs(step) do
          row[name] = value
        end
        put(row)
      end
    end
  end)
end

function Funnels:__tostring()
  return format("FunnelAnswer: %d funnels of %d steps", #self.funnels, #self.steps)
end

local function bin(one)
  return { start = some(one[1]), stop = some(one[2]), users = some(one[3]), times = some(one[4]) }
end

local function bins(steps)
  return each(steps, function(step)
    return each(step, bin)
  end)
end

local function times(row)
  return each(row, function(ms)
    return seconds(ms) or null
  end)
end

local function funnel(form)
  local one = {
    label = form.label,
    segment = form.segment,
    median_seconds = seconds(form.median_ms[1]),
    average_seconds = seconds(form.average_ms[1]),
    time_bins = bins(form.time_bins),
    previous_bins = bins(form.previous_bins),
    steps = {},
  }
  for i, event in ipairs(form.events) do
    one.steps[i] = {
      event = event,
      users = some(form.users[i]),
      cumulative = some(form.cumulative[i]),
      conversion = some(form.conversion[i]),
      median_seconds = i > 1 and seconds(form.median_ms[i]) or nil,
      average_seconds = i > 1 and seconds(form.average_ms[i]) or nil,
    }
  end
  if form.days then
    one.days = {
      dates = form.days.dates,
      users = form.days.users,
      complete = form.days.complete,
      median_seconds = each(form.days.median_ms, times),
      average_seconds = each(form.days.average_ms, times),
    }
  end
  return one
end

local function funnels(form)
  form.funnels = each(form.funnels, funnel)
  named(form.funnels)
  form.labels = labels(form.funnels)
  form.steps = form.funnels[1] and form.funnels[1].steps or {}
  return setmetatable(form, Funnels)
end

-- ---- retention ------------------------------------------------------------------------

local Retention = { __name = "tidewheel.RetentionAnswer" }
Retention.__index = Retention

function Retention:rows()
  return rows_by(function(put)
    for _, one in ipairs(self.series) do
      for _, cohort in ipairs(one.cohorts) do
        for i, cell in ipairs(cohort.cells) do
          put{
            label = one.name,
            segment = one.segment,
            date = cohort.date,
            interval = i - 1,
            size = cohort.size,
            retained = cell.retained,
            of = cell.of,
            rate = cell.rate,
            incomplete = cell.incomplete,
          }
        end
      end
    end
  end)
end

function Retention:__tostring()
  return format("RetentionAnswer: %d series x %d cohorts", #self.series, #self.dates)
end

local function cell(one)
  local retained, of = some(one[1]), some(one[2])
  return {
    retained = retained,
    of = of,
    rate = retained and of and of ~= 0 and retained / of or nil,
    incomplete = one[3],
  }
end

local function retention_cohort(cohort)
  cohort.date, cohort.cells = cohort.date or "", each(cohort.cells, cell)
  return cohort
end

local function dates(form)
  return each(form.series[1] and form.series[1].cohorts or {}, function(cohort)
    return cohort.date
  end)
end

-- Column 1 is the cohort's size, column 2 the users of interval 0; null where none has begun.
local function matrix(form)
  local cohorts = form.series[1] and form.series[1].cohorts or {}
  local width = 0
  for _, cohort in ipairs(cohorts) do
    width = #cohort.cells > width and #cohort.cells or width
  end
  return each(cohorts, function(cohort)
    local row = { cohort.size == nil and null or cohort.size }
    for i = 1, width do
      local one = cohort.cells[i]
      row[i + 1] = one and one.retained or null
    end
    return row
  end)
end

local function retention(form)
  named(form.series)
  for _, one in ipairs(form.series) do
    each(one.cohorts, retention_cohort)
    retention_cohort(one.combined)
  end
  form.labels, form.dates, form.matrix = labels(form.series), dates(form), matrix(form)
  return setmetatable(form, Retention)
end

-- ---- lifetime value -------------------------------------------------------------------

local Ltv = { __name = "tidewheel.LtvAnswer" }
Ltv.__index = Ltv

function Ltv:rows()
  return rows_by(function(put)
    for _, one in ipairs(self.series) do
      for _, cohort in ipairs(one.cohorts) do
        for _, point in ipairs(cohort.curve) do
          put{
            label = one.name,
            segment = one.segment,
            date = cohort.date,
            size = cohort.size,
            days = point.days,
            value = point.value,
            complete = point.complete,
          }
        end
      end
    end
  end)
end

function Ltv:__tostring()
  return format("LtvAnswer: %d series x %d cohorts", #self.series, #self.dates)
end

local function point(one)
  return { days = one[1], value = some(one[2]), complete = some(one[3]) }
end

local function ltv_cohort(cohort)
  cohort.date = cohort.date or ""
  cohort.curve, cohort.first_paid = each(cohort.curve, point), each(cohort.first_paid, point)
  return cohort
end

local function ltv(form)
  named(form.series)
  for _, one in ipairs(form.series) do
    each(one.cohorts, ltv_cohort)
    if one.combined then
      ltv_cohort(one.combined)
    end
  end
  local combined = form.series[1] and form.series[1].combined
  form.labels, form.dates = labels(form.series), dates(form)
  form.curve = combined and combined.curve or {}
  return setmetatable(form, Ltv)
end

-- ---- lists and charts -----------------------------------------------------------------

local function events(form)
  return form.events
end

local Chart = { __name = "tidewheel.ChartAnswer" }
Chart.__index = Chart

function Chart:rows()
  return rows_of(function(i)
    local line = self.lines[i]
    if not line then
      return nil
    end
    local row = {}
    for at, name in ipairs(self.header) do
      row[name] = line[at]
    end
    return row
  end)
end

function Chart:__tostring()
  return format("ChartAnswer: %q %d rows", self.title, #self.lines)
end

local function chart(form)
  local blocks = form.blocks
  local last = blocks[#blocks] or {}
  form.title, form.header, form.lines = blocks[1] and blocks[1][1][1] or "", last[1] or {}, {}
  for i = 2, #last do
    form.lines[i - 1] = last[i]
  end
  return setmetatable(form, Chart)
end

return {
  chart = chart,
  events = events,
  funnels = funnels,
  ltv = ltv,
  retention = retention,
  series = series,
}
