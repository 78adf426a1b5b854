-- SPDX-License-Identifier: MIT
-- The module: what C gives, and on top of it what is said best in Lua.
local core = require "tidewheel.core"
local questions = require "tidewheel.questions"
local events = require "tidewheel.events"

local error, ipairs, pairs, pcall, select, type = error, ipairs, pairs, pcall, select, type
local byte, format, gsub = string.byte, string.format, string.gsub
local concat, sort = table.concat, table.sort

local area = require "tidewheel.area"

local finish = area.finish

local client, cohorts = core.client, core.cohorts

local encode_event = client.encode_event
client.encode_event = nil -- not for users: it queues nothing

-- Long enough for a batch and its retries; math.huge waits for as long as it takes.
local FLUSH_SECONDS = 30

-- What the client was given as on_outcome. The core calls nobody: it is asked.
local told_of = client.told
client.told = nil -- not for users

function client:outcomes()
  return function()
    return self:outcome()
  end
end

function client:poll()
  local callback, count = told_of(self), 0
  if callback then
    for outcome in self:outcomes() do
      count = count + 1
      callback(outcome)
    end
  end
  return count
end

local function flushed(self, timeout, job, start_err)
  local report, err = finish(job, start_err, timeout or FLUSH_SECONDS)
  self:poll()
  if report or not job then
    return report, err
  end
  return nil, err, job:report()
end

local update, close = client.update, client.close

function client:update(budget)
  local count = update(self, budget)
  self:poll()
  return count
end

function client:close(timeout)
  local report, err, last = close(self, timeout)
  self:poll()
  return report, err, last
end

function client:flush(timeout)
  return flushed(self, timeout, self:flush_start())
end

function client:drain(timeout)
  return flushed(self, timeout, self:drain_start())
end

for _, name in ipairs { "identify", "group_identify", "revenue" } do
  local make = events[name]
  client[name] = function(self, given)
    if type(given) ~= "table" then
      error("bad argument #1 to '" .. name .. "' (table expected, got " .. type(given) .. ")", 2)
    end
    return self:track(make(given))
  end
end

function client:rejected()
  return function()
    return self:rejection()
  end
end

function cohorts:list(options)
  return finish(self:list_start(options))
end

function cohorts:upload(options)
  return finish(self:upload_start(options))
end

-- Adding comes first; each is a request of its own.
function cohorts:update(id, options)
  if type(options) ~= "table" or options.add == nil or options.remove == nil then
    return finish(self:update_start(id, options))
  end
  local one = {}
  for name, value in pairs(options) do
    one[name] = value
  end
  one.remove = nil
  local added, err = finish(self:update_start(id, one))
  if not added then
    return nil, err
  end
  one.add, one.remove = nil, options.remove
  local removed
  removed, err = finish(self:update_start(id, one))
  if not removed then
    return nil, err
  end
  removed.skipped_add = added.skipped_add
  return removed
end

local function escape(text)
  return (gsub(text, "[^%w%-._~]", function(c)
    return format("%%%02X", byte(c))
  end))
end

local function query_value(name, value)
  local kind = type(value)
  if kind == "string" then
    return escape(name) .. "=" .. escape(value)
  elseif kind == "number" or kind == "boolean" then
    -- As in JSON: tostring() rounds, and says 1e+15 for an integer of Lua 5.1.
    local text = core.json_encode(value)
    if text then
      return escape(name) .. "=" .. escape(text)
    end
  end
  return error("query parameter '" .. name .. "' is a " .. kind, 4)
end

-- {e = {"a", "b"}, m = "uniques"} -> "e=a&e=b&m=uniques"
local function encode_query(query)
  local names, parts = {}, {}
  for name in pairs(query) do
    if type(name) ~= "string" then
      error("query parameters have names", 3)
    end
    names[#names + 1] = name
  end
  sort(names)
  for _, name in ipairs(names) do
    local value = query[name]
    for _, each in ipairs(type(value) == "table" and value or { value }) do
      parts[#parts + 1] = query_value(name, each)
    end
  end
  return concat(parts, "&")
end

local raw_start = client.raw_start

function client:raw_start(endpoint, options, callback)
  local call = {}
  for name, value in pairs(options or {}) do
    call[name] = value
  end
  if type(call.query) == "table" then
    call.query = encode_query(call.query)
  end
  if type(call.body) == "table" then
    local text, err = core.json_encode(call.body)
    if not text then
      return nil, err
    end
    call.body, call.content_type = text, call.content_type or "application/json"
  end
  return raw_start(self, endpoint, call, callback)
end

function client:call(endpoint, arguments)
  return finish(self:call_start(endpoint, arguments))
end

for name, endpoint in pairs {
  raw_identify = "ingestion.identify", raw_group_identify = "ingestion.groupidentify",
} do
  client[name .. "_start"] = function(self, identification, callback)
    local described, err = self:describe()
    if not described then
      return nil, err
    end
    return self:call_start(endpoint, {
      identification = identification,
      min_id_length = described.options.min_id_length,
    }, callback)
  end
  client[name] = function(self, identification)
    return finish(self[name .. "_start"](self, identification))
  end
end

function client:raw(endpoint, options)
  return finish(self:raw_start(endpoint, options))
end

local function config_error(field, message, why)
  local err = why or select(2, core.new {}) -- an error of the module's own kind
  err.code, err.field, err.message = "config", field, field .. ": " .. message
  return nil, err
end

-- Refuses defaults that would make every event invalid.
local function check_defaults(made, defaults)
  for _, name in ipairs(events.unshared) do
    if defaults[name] ~= nil then
      return config_error("defaults." .. name, "is of one event, not of all")
    end
  end
  local probe = { event_type = "defaults" }
  for name, value in pairs(defaults) do
    probe[name] = value
  end
  local text, err = encode_event(made, probe)
  if not text then
    return config_error("defaults." .. (err.field or ""), (gsub(err.message, "^[^:]*: ", "")), err)
  end
  return made
end

local function new(options)
  local given = type(options) == "table" and options or {}
  if given.defaults == nil and given.before_send == nil and given.on_outcome == nil then
    return core.new(options)
  end
  local defaults, before_send, told = options.defaults, options.before_send, options.on_outcome
  if defaults ~= nil and type(defaults) ~= "table" then
    error("option 'defaults' is a " .. type(defaults), 2)
  elseif before_send ~= nil and type(before_send) ~= "function" then
    error("option 'before_send' is a " .. type(before_send), 2)
  elseif told ~= nil and type(told) ~= "function" then
    error("option 'on_outcome' is a " .. type(told), 2)
  end
  local rest = {}
  for name, value in pairs(options) do
    rest[name] = value
  end
  rest.defaults, rest.before_send, rest.on_outcome = nil, nil, nil
  rest.outcomes = told ~= nil or rest.outcomes
  local made, err = core.new(rest, events.preparer(defaults, before_send), told)
  if not made or not defaults then
    return made, err
  end
  return check_defaults(made, defaults)
end

require "tidewheel.analytics"
for _, name in ipairs{ "mcp", "profile", "taxonomy", "users" } do
  core.areas[name] = require("tidewheel." .. name)
end

-- Folders of events, without a client at hand.
local spool = { inspect = core.spool_inspect, purge = core.spool_purge }

function spool.drain(options, timeout)
  local folder = type(options) == "table" and options.spool
  if folder then
    local there, why = core.spool_check(folder)
    if not there then
      return nil, why
    end
  end
  local made, err = new(options)
  if not made then
    return nil, err
  elseif not folder then
    return config_error("spool", "drain needs the folder")
  end
  local well, report, drain_err, so_far = pcall(made.drain, made, timeout)
  made:close(not well and 0 or nil) -- whatever was raised: the folder's lanes are not to be held
  if not well then
    error(report, 0)
  end
  return report, drain_err, so_far
end

return {
  ANY_ACTIVE_EVENT = "_active",
  ANY_EVENT = "_all",
  NEW_USERS = "_new",
  event = questions.event,
  segment = questions.segment,
  new = new,
  null = core.null,
  array = core.array,
  object = core.object,
  json = {
    encode = core.json_encode,
    decode = core.json_decode,
    decoder = core.json_decoder,
  },
  spool = spool,
  clock = core.clock,
  version = core.version,
}
