-- SPDX-License-Identifier: MIT
-- What the areas written in Lua build on: methods out of rows that name the call behind them.
local error, pairs, select, setmetatable = error, pairs, select, setmetatable
local tostring, type = tostring, type

local area = {}

-- Waits for a job that was just started; the start's own nil, err comes through.
function area.finish(job, err, timeout)
  if not job then
    return nil, err
  end
  local result
  result, err = job:wait(timeout)
  if result == nil and err.code == "again" then
    job:cancel()
    err.code = "timeout" -- nobody is left who could ask again
  end
  return result, err
end

-- The options of a method that has its own: a table with nothing but the known names.
function area.options(options, known)
  if options ~= nil and type(options) ~= "table" then
    error("options are a table of names and values, not a " .. type(options), 3)
  end
  for name in pairs(options or {}) do
    if not known[name] then
      error("there is no option '" .. tostring(name) .. "'", 3)
    end
  end
  return options or {}
end

-- The arguments of a call: what stands in place, and the options by name.
local function arguments(row, ...)
  local given, count = {}, #row.places
  local options = select(count + 1, ...)
  if options ~= nil and type(options) ~= "table" then
    error("the options of " .. row.endpoint .. " are a table of names and values, not a "
      .. type(options), 4)
  end
  for name, value in pairs(options or {}) do
    given[name] = value
  end
  for i = 1, count do
    given[row.places[i]] = (select(i, ...))
  end
  return given
end

-- Methods of a class: `rows` is {name = {endpoint, "place", ...}}. Each becomes name(...places,
-- options), which waits, and name_start(...places, options, callback), which gives a job.
function area.class(rows)
  local methods = {}
  for name, spec in pairs(rows) do
    local row = { endpoint = spec[1], places = {} }
    local count = #spec - 1
    for i = 1, count do
      row.places[i] = spec[i + 1]
    end
    methods[name] = function(self, ...)
      return area.finish(self.client:call_start(row.endpoint, arguments(row, ...)))
    end
    methods[name .. "_start"] = function(self, ...)
      local callback = select(count + 2, ...)
      return self.client:call_start(row.endpoint, arguments(row, ...), callback)
    end
  end
  return methods
end

-- An object of the class for a client; `more` are further fields.
function area.new(methods, client, more)
  local object = more or {}
  object.client = client
  return setmetatable(object, { __index = methods })
end

return area
