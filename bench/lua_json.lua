-- SPDX-License-Identifier: MIT
-- How fast are events encoded and export lines decoded, next to lua-cjson? Prints rates as JSON.
-- Run by bench_lua_json.py, which puts the built modules on package.path and package.cpath.
local tw = require "tidewheel"
local cjson = require "cjson"

local ROUNDS, SECONDS = 9, 0.15
local COUNT = 500

math.randomseed(7)

local function word(n)
  local out = {}
  for i = 1, n do
    out[i] = string.char(math.random(97, 122))
  end
  return table.concat(out)
end

local function properties(names, n)
  local map = {}
  for _ = 1, n do
    local kind, name = math.random(5), names[math.random(#names)]
    if kind == 1 then
      map[name] = math.random(1, 100000)
    elseif kind == 2 then
      map[name] = math.random(1, 100000) / 100
    elseif kind == 3 then
      map[name] = math.random(2) == 1
    elseif kind == 4 then
      map[name] = { word(6), word(8) }
    else
      map[name] = word(math.random(4, 24)) .. (math.random(10) == 1 and "\195\169t\195\169" or "")
    end
  end
  return map
end

local names = {}
for i = 1, 60 do
  names[i] = word(math.random(5, 16))
end

local NULLS = {
  "$insert_key", "$schema", "adid", "amplitude_attribution_ids", "amplitude_event_type", "city",
  "country", "device_brand", "device_carrier", "device_family", "device_manufacturer",
  "device_model", "device_type", "dma", "global_user_properties", "idfa", "ip_address",
  "is_attribution_event", "language", "location_lat", "location_lng", "os_name", "os_version",
  "partner_id", "paying", "platform", "region", "sample_rate", "start_version",
  "user_creation_time", "version_name",
}

local function export_row(i)
  local row = {
    ["$insert_id"] = word(36), amplitude_id = 902117334455 + i, app = 501177,
    client_event_time = "2026-03-01 08:14:09.120000",
    client_upload_time = "2026-03-01 08:14:09.302000",
    data = { path = "/2/httpapi", user_properties_updated = true, group_ids = { x = 1 } },
    data_type = "event", device_id = word(36), event_id = 51880234 + i,
    event_properties = properties(names, math.random(5, 15)),
    event_time = "2026-03-01 08:14:09.120000", event_type = "Checkout Done",
    group_properties = { a = "b" }, groups = { org = "acme" }, library = "http/2.0",
    plan = { branch = "main" }, processed_time = "2026-03-01 08:14:11.007000",
    server_received_time = "2026-03-01 08:14:09.302000",
    server_upload_time = "2026-03-01 08:14:09.309000", session_id = -1, source_id = "",
    user_id = "u-" .. i, user_properties = properties(names, math.random(5, 20)),
    uuid = word(36),
  }
  for _, name in ipairs(NULLS) do
    row[name] = math.random(3) == 1 and word(8) or tw.null
  end
  return row
end

local function event(i)
  return {
    user_id = "user-" .. i, device_id = word(36), event_type = "Song Played",
    time = 1767225600123 + i, session_id = 1767225600000, insert_id = word(36),
    app_version = "2.4.1", platform = "Web", os_name = "Chrome", os_version = "120",
    language = "English", country = "Chile", price = 4.99, quantity = 2, productId = word(8),
    event_properties = properties(names, 12), user_properties = properties(names, 6),
  }
end

-- Best and median rate of a function over rounds that alternate with the others'.
local function measure(candidates)
  local rates = {}
  for round = 1, ROUNDS do
    for k, run in ipairs(candidates) do
      collectgarbage()
      local start, n = os.clock(), 0
      repeat
        run()
        n = n + COUNT
      until os.clock() - start > SECONDS
      rates[k] = rates[k] or {}
      rates[k][round] = n / (os.clock() - start)
    end
  end
  for k, list in ipairs(rates) do
    table.sort(list)
    rates[k] = list[math.floor(#list / 2) + 1]
  end
  return rates
end

local events, lines, bytes = {}, {}, 0
for i = 1, COUNT do
  events[i] = event(i)
  lines[i] = assert(tw.json.encode(export_row(i)))
  bytes = bytes + #lines[i]
end

local function each(list, fn)
  return function()
    for i = 1, #list do
      fn(list[i])
    end
  end
end

local encode = measure { each(events, cjson.encode), each(events, tw.json.encode) }
local decode = measure { each(lines, cjson.decode), each(lines, tw.json.decode) }

-- Ten fields of each line; lua-cjson knows no way but to build all of them.
local FIELDS = {
  "user_id", "device_id", "event_type", "event_time", "amplitude_id", "session_id", "uuid",
  "country", "platform", "event_id",
}
local pick = tw.json.decoder { fields = FIELDS }
for _, line in ipairs(lines) do
  local all, some = cjson.decode(line), assert(pick(line))
  for _, name in ipairs(FIELDS) do
    assert(some[name] == all[name] and some[name] ~= nil)
  end
  assert(some.groups == nil)
end
local fields = measure { each(lines, cjson.decode), each(lines, pick) }

local function rates(measured)
  return { ["lua-cjson"] = measured[1], tidewheel = measured[2] }
end

print(cjson.encode {
  interpreter = rawget(_G, "jit") and jit.version or _VERSION, -- luacheck: ignore 113
  line_bytes = bytes / COUNT,
  encode = rates(encode),
  decode = rates(decode),
  fields = rates(fields),
})
