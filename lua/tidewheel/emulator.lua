-- SPDX-License-Identifier: MIT
--- A local stand-in for the Amplitude API, running inside this process.
--
--    local emu = require("tidewheel.emulator").new{ store = ":memory:" }
--    print(emu.url, emu.api_key)
--    emu:close()
--
-- @module tidewheel.emulator

local found, core = pcall(require, "tidewheel.emulator_core")

local M = {}

local OPTIONS = {
  store = true, api_key = true, secret_key = true, app_id = true, seed = true, listen = true,
  time_zone = true, mcp_token = true,
}

-- What a control body needs and no more: strings, numbers, booleans, lists, records.
local function encode(value)
  local kind = type(value)
  if kind == "string" then
    return '"' .. value:gsub('[%c"\\]', function(c)
      return ("\\u%04x"):format(c:byte())
    end) .. '"'
  elseif kind == "number" then
    return value % 1 == 0 and ("%.0f"):format(value) or ("%.17g"):format(value)
  elseif kind == "boolean" then
    return tostring(value)
  elseif kind ~= "table" then
    error("a value of type " .. kind .. " was given to the emulator", 0)
  end
  local parts = {}
  if #value > 0 then
    for i, item in ipairs(value) do
      parts[i] = encode(item)
    end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for key, item in pairs(value) do
    parts[#parts + 1] = encode(tostring(key)) .. ":" .. encode(item)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local Emulator = {}
Emulator.__index = Emulator

function Emulator:__tostring()
  return "tidewheel.emulator (" .. self.url .. ")"
end

local function control(self, method, path, body)
  local status, reply = self.core:control(method, path, body)
  if status ~= 200 then
    error(reply.error, 3)
  end
  return reply
end

--- Requests answered so far, oldest first.
-- @tparam[opt=0] number after leaves out entries up to this id
-- @treturn table list of records: method, path, query, headers, body_base64, status, events …
function Emulator:journal(after)
  return control(self, "GET", ("/journal?after=%d"):format(after or 0)).entries
end

--- What became of each insert_id, in the order of first receipt, fetched page by page.
-- @tparam[opt=10000] number page entries fetched at once, up to 100,000
-- @treturn function iterator of records: insert_id, received, committed, duplicate, applied,
-- variants (receipts whose bytes differed), body_hash, first_ms, commit_ms
function Emulator:ledger(page)
  local at, answer, i = 0, nil, 0
  return function()
    if answer and i == #answer.entries and answer.next >= answer.total then
      return nil
    elseif not answer or i == #answer.entries then
      answer = control(self, "GET", ("/ledger?from=%d&limit=%d"):format(at, page or 10000))
      at, i = answer.next, 0
    end
    i = i + 1
    return answer.entries[i]
  end
end

--- Rates and limits as the emulator itself measured them, refused or not.
-- @treturn table v2, batch, identify, daily, updates, rest, downloads, log
function Emulator:meters()
  return control(self, "GET", "/meters")
end

--- Replaces the silenced devices, whose events are refused.
-- @tparam[opt] table device_ids list; none silences nobody
function Emulator:silence(device_ids)
  control(self, "POST", "/silenced", device_ids and #device_ids > 0 and encode(device_ids) or "[]")
end

--- Opens or closes the API's port; while it is closed new connections are refused.
-- @tparam[opt=true] boolean on
function Emulator:listen(on)
  control(self, "POST", "/listener", encode{ open = on ~= false })
end

--- Seeds what the user profile of a user holds besides its properties.
-- @tparam table seed user_id or device_id (neither: everybody's), recommendations (list of rec_id,
-- items and more), computations and predictions (tables by id), synced_cohorts (everybody's only)
function Emulator:profile(seed)
  control(self, "POST", "/profiles", encode(seed))
end

--- Marks an event type as the service's user interface can.
-- @tparam string event_type
-- @tparam table marks blocked, transformed
function Emulator:mark(event_type, marks)
  local body = { event_type = event_type }
  for name, on in pairs(marks) do
    body[name] = on
  end
  control(self, "POST", "/plan", encode(body))
end

--- Saves a query under a chart id, for /api/3/chart/{id}/csv.
-- @tparam table chart id, name, query (the path of an analytics endpoint with its query string)
function Emulator:chart(chart)
  control(self, "POST", "/charts", encode(chart))
end

--- Forgets events, users, cohorts, charts, jobs, limits, journal, ledger and meters.
function Emulator:reset()
  control(self, "POST", "/reset")
end

--- All switches and their values.
-- @treturn table
function Emulator:switches()
  return control(self, "GET", "/switches")
end

--- Sets behaviour switches, all or (when one is refused) none.
-- @tparam table switches values by name
function Emulator:switch(switches)
  control(self, "POST", "/switches", encode(switches))
end

--- Replaces the fault plan.
-- @tparam[opt] table plan list of {match, when, do, count}; none removes it
function Emulator:faults(plan)
  control(self, "POST", "/faults", plan and #plan > 0 and encode(plan) or "[]")
end

--- Moves the emulator's clock; stalls and jobs that end meanwhile end now.
-- @tparam number seconds
function Emulator:advance(seconds)
  control(self, "POST", "/clock", encode{ advance_ms = math.floor(seconds * 1000 + 0.5) })
end

--- Ends every connection and the store. May be called again.
function Emulator:close()
  self.core:close()
end

Emulator.__close = Emulator.close

--- Starts an emulator.
-- @tparam[opt] table options store, api_key, secret_key, app_id, seed, listen,
-- time_zone, mcp_token; any other name is a switch
-- @treturn[1] table the emulator: url, api_key, secret_key, mcp_token, app_id, control_url,
-- control_token
-- @treturn[2] nil
-- @treturn[2] string what was refused
function M.new(options)
  if not found then
    error("tidewheel was built without its emulator: install the Debian packages "
      .. "libmicrohttpd-dev, libsqlite3-dev, libarchive-dev and zlib1g-dev, then build "
      .. "again (" .. tostring(core) .. ")", 2)
  end
  local given, switches = {}, {}
  for name, value in pairs(options or {}) do
    (OPTIONS[name] and given or switches)[name] = value
  end
  local handle, why = core.new(given)
  if not handle then
    return nil, why
  end
  local self = handle:fields()
  self.core = handle
  setmetatable(self, Emulator)
  if next(switches) then
    local ok, refused = pcall(self.switch, self, switches)
    if not ok then
      self:close()
      return nil, refused
    end
  end
  return self
end

return M
