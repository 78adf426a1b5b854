-- SPDX-License-Identifier: MIT
-- client.analytics: users, events, segmentation, funnels, retention, sessions, revenue.
local core = require "tidewheel.core"
local answers = require "tidewheel.answers"
local questions = require "tidewheel.questions"

local error, format, ipairs, pairs = error, string.format, ipairs, pairs
local setmetatable, tostring, type = setmetatable, tostring, type

local function along(axis)
  return function(form)
    return answers.series(form, axis)
  end
end

-- Which endpoint a method calls, and what becomes of its answer.
local methods = {
  users = { "analytics.users", along "date" },
  events = { "analytics.events_list", answers.events },
  segmentation = { "analytics.segmentation", along "date" },
  funnel = { "analytics.funnels", answers.funnels },
  retention = { "analytics.retention", answers.retention },
  realtime = { "analytics.realtime", along "time" },
  revenue_ltv = { "analytics.revenue_ltv", answers.ltv },
  chart = { "analytics.chart_csv", answers.chart },
  session_length = { "analytics.sessions_length", along "length" },
  session_average = { "analytics.sessions_average", along "date" },
  sessions_per_user = { "analytics.sessions_peruser", along "date" },
  composition = { "analytics.composition", along "property" },
}

-- A day as os.date("*t") has it; a table that is none stays, to be refused.
local function day(value)
  if type(value) == "table" and value.year and value.month and value.day then
    return format("%04d%02d%02d", value.year, value.month, value.day)
  end
  return value
end

-- As the core wants them: lists where lists are due, and `stop` under its own name.
local function arguments(options)
  if options ~= nil and type(options) ~= "table" then
    error("options are a table", 3)
  end
  local made = {}
  for name, value in pairs(options or {}) do
    made[name == "stop" and "end" or name] = value
  end
  made.events, made.group_by = questions.listed(made.events), questions.listed(made.group_by)
  made.segments = questions.segments(made.segments)
  made.start, made["end"] = day(made.start), day(made["end"])
  return made
end

-- A job whose result is an answer.
local Job = { __name = "tidewheel.Job" }
Job.__index = Job

for _, name in ipairs{ "cancel", "close", "done", "fd", "progress" } do
  Job[name] = function(self)
    local job = self.job
    return job[name](job)
  end
end

local function answered(self, form, err)
  if form == nil then
    return nil, err
  end
  -- Asked twice it is the same answer.
  self.answer = self.answer or self.convert(form)
  return self.answer
end

function Job:result()
  return answered(self, self.job:result())
end

function Job:wait(timeout)
  return answered(self, self.job:wait(timeout))
end

local Analytics = { __name = "tidewheel.Analytics" }
Analytics.__index = Analytics

for name, method in pairs(methods) do
  local endpoint, convert = method[1], method[2]

  Analytics[name .. "_start"] = function(self, options, callback)
    local job, err = self.client:call_start(endpoint, arguments(options), callback and
      function(form, failed)
        if form == nil then
          return callback(nil, failed)
        end
        return callback(convert(form))
      end)
    if not job then
      return nil, err
    end
    return setmetatable({ job = job, convert = convert }, Job)
  end

  Analytics[name] = function(self, options)
    local form, err = self.client:call(endpoint, arguments(options))
    if form == nil then
      return nil, err
    end
    return convert(form)
  end
end

function Analytics:estimate(name, options)
  local method = methods[name]
  if not method then
    error("analytics has no method '" .. tostring(name) .. "'", 2)
  end
  return self.client:estimate(method[1], arguments(options))
end

-- A chart has its id alone, as a text or among options.
for _, name in ipairs{ "chart", "chart_start" } do
  local asks = Analytics[name]

  Analytics[name] = function(self, chart, callback)
    return asks(self, type(chart) == "string" and { chart_id = chart } or chart, callback)
  end
end

core.areas.analytics = function(client)
  return setmetatable({ client = client }, Analytics)
end
