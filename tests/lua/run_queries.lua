-- SPDX-License-Identifier: MIT
-- Makes the calls of a file (see tests/python/query_grammar.py), one after the other, and
-- prints what became of each as a line of JSON.
-- Arguments: file url api_key secret_key
local tw = require "tidewheel"

local file = assert(io.open(arg[1], "rb"))
local calls = assert(tw.json.decode(file:read "*a"))
file:close()
local client = assert(tw.new{ base_url = arg[2], api_key = arg[3], secret_key = arg[4] })
local unpack = table.unpack or unpack -- luacheck: ignore 113 143

-- {"event", "do"} and {"segment"} become builders, wherever they stand.
local function build(value)
  if type(value) ~= "table" then
    return value
  end
  local steps = value["do"] or value.segment
  local builder = value.event and tw.event(value.event) or value.segment and tw.segment()
  if builder then
    for _, step in ipairs(steps) do
      builder = builder[step[1]](builder, unpack(build(step), 2))
    end
    return builder
  end
  for name, one in pairs(value) do
    value[name] = build(one)
  end
  return value
end

for _, call in ipairs(calls) do
  local result, err
  if call.method == "call" then
    result, err = client:call(call.endpoint, call.arguments)
  else
    result, err = client.analytics[call.method](client.analytics, build(call.arguments))
  end
  print(tw.json.encode(result and { ok = true }
    or { code = err.code, field = err.field, message = err.message }))
end
client:close(0)
