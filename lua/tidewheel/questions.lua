-- SPDX-License-Identifier: MIT
-- Builders of what a query asks: events, and segments of users. The core checks it all. Each is the
-- document itself, with methods; a method gives another one, so that they can be shared.
local core = require "tidewheel.core"

local error, getmetatable, ipairs, pairs = error, getmetatable, ipairs, pairs
local select, setmetatable, type = select, setmetatable, type
local array = core.array

local function copy(document)
  local made = {}
  for name, value in pairs(document) do
    made[name] = value
  end
  return setmetatable(made, getmetatable(document))
end

-- A list that is one even where it is empty.
local function extended(list, item)
  local made = array{}
  for i, one in ipairs(list or {}) do
    made[i] = one
  end
  made[#made + 1] = item
  return made
end

local function values(value)
  if type(value) == "table" then
    return value
  end
  return { value }
end

local Event = {}
Event.__index = Event

function Event:where(name, op, value, kind)
  local event = copy(self)
  event.filters = extended(self.filters, {
    subprop_type = kind,
    subprop_key = name,
    subprop_op = op,
    subprop_value = values(value),
  })
  return event
end

function Event:by(...)
  local event = copy(self)
  for i = 1, select("#", ...) do
    local group = select(i, ...)
    event.group_by = extended(event.group_by, type(group) == "table" and group or { value = group })
  end
  return event
end

local function event(name)
  if type(name) ~= "string" then
    error("the name of an event is a string", 2)
  end
  return setmetatable({ event_type = name }, Event)
end

local Segment = {}
Segment.__index = Segment

local function also(self, condition)
  return setmetatable(extended(self, condition), Segment)
end

function Segment:where(name, op, value)
  return also(self, { prop = name, op = op, values = values(value) })
end

-- Ids of cohorts, or what cohorts:list gives.
local function ids(...)
  local list = {}
  for i = 1, select("#", ...) do
    local cohort = select(i, ...)
    list[i] = type(cohort) == "table" and cohort.id or cohort
  end
  return list
end

function Segment:in_cohort(...)
  return self:where("userdata_cohort", "is", ids(...))
end

function Segment:not_in_cohort(...)
  return self:where("userdata_cohort", "is not", ids(...))
end

local COUNTS = {
  at_least = ">=", at_most = "<=", exactly = "=", more_than = ">", less_than = "<",
}

-- An event as the members of a condition: of its document, the JSON text of that, or its name.
local function members(what)
  local made = what
  if type(what) == "string" and what:sub(1, 1) == "{" then
    local decoded, err = core.json_decode(what)
    if not decoded then
      error("the event is a text that is not JSON: " .. err.message, 3)
    end
    made = decoded
  elseif type(what) ~= "table" then
    return { event_type = what } -- refused where it is checked if it is no name
  end
  for _, name in ipairs{ "op", "value", "time_type", "time_value" } do
    if made[name] ~= nil then
      error("the event has '" .. name .. "': a whole condition stands in a list of them", 3)
    end
  end
  return made
end

function Segment:performed(what, options)
  local condition = { op = ">=", value = 1 }
  local days, kind, counted
  for name, value in pairs(options or {}) do
    if COUNTS[name] then
      if counted then
        error(name .. " and " .. counted .. " were both given", 2)
      end
      counted, condition.op, condition.value = name, COUNTS[name], value
    elseif name == "within_days" then
      days = value
    elseif name == "time_type" then
      kind = value
    else
      error("performed has no option '" .. name .. "'", 2)
    end
  end
  for name, value in pairs(members(what)) do
    condition[name] = value
  end
  condition.type, condition.time_value = "event", days
  condition.time_type = kind or (days and "forEachInterval" or "allTime")
  return also(self, condition)
end

function Segment:not_performed(what, options)
  local all = { exactly = 0 }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return self:performed(what, all)
end

local function segment()
  return setmetatable(array{}, Segment)
end

local function is_condition(given)
  return type(given) == "table" and (given.prop ~= nil or given.event_type ~= nil)
end

-- One segment (or cohort, JSON text, condition, list of them) as a list of one, a cohort as a
-- segment.
local function segments(given)
  if type(given) == "string" then
    return { given }
  end
  if type(given) ~= "table" then
    return given
  end
  if getmetatable(given) == Segment or given.id ~= nil or is_condition(given) then
    given = { given }
  end
  if is_condition(given[1]) then
    given = { given }
  end
  local list = {}
  for i, one in ipairs(given) do
    list[i] = type(one) == "table" and one.id ~= nil and segment():in_cohort(one) or one
  end
  return list
end

-- One event or name of a property as a list of one.
local function listed(given)
  if type(given) == "string" or (type(given) == "table" and given.event_type ~= nil) then
    return { given }
  end
  return given
end

return { event = event, segment = segment, segments = segments, listed = listed }
