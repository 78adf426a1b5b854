-- SPDX-License-Identifier: MIT
-- Makes the calls of tests/vectors/calls.json against the emulator that the arguments name; the
-- parity test compares what it received with what Python sent.
-- Arguments: vectors url api_key secret_key app_id mcp_token
local tidewheel = require "tidewheel"

local vectors, url, api_key, secret_key, app_id = arg[1], arg[2], arg[3], arg[4], arg[5]
local file = assert(io.open(vectors, "rb"))
local calls = assert(tidewheel.json.decode(file:read "*a")).calls
file:close()

local client = assert(tidewheel.new{
  api_key = api_key,
  secret_key = secret_key,
  base_url = url,
  mcp_token = arg[6],
  poll_first = 0.05,
})

local values = { ["<app_id>"] = tonumber(app_id) }

local function fill(arguments)
  for name, value in pairs(arguments) do
    if type(value) == "table" and value.prefix then
      local ids = {}
      for i = value.first, value.last do
        ids[#ids + 1] = ("%s%d"):format(value.prefix, i)
      end
      value = ids
    end
    arguments[name] = values[value] or value
  end
  return arguments
end

local run = {}

run["track_many"] = function(arguments)
  return client:track_many(arguments.events) and client:flush(10)
end

for _, name in ipairs { "raw_identify", "raw_group_identify" } do
  run[name] = function(arguments)
    return client[name](client, arguments.identifications)
  end
end

run["cohorts.list"] = function(arguments)
  return client.cohorts:list(arguments)
end

run["cohorts.upload"] = function(arguments)
  local reply, err = client.cohorts:upload(arguments)
  values["<cohort_id>"] = reply and reply.cohort_id or values["<cohort_id>"]
  return reply, err
end

run["cohorts.update"] = function(arguments, id)
  return client.cohorts:update(id, arguments)
end

run["cohorts.download"] = function(arguments, id)
  local job, err = client.cohorts:download(id, arguments)
  if not job then
    return nil, err
  end
  local count = 0
  for _ in job:rows() do
    count = count + 1
  end
  return count
end

run["export"] = function(arguments)
  local count = 0
  for _ in client:export(arguments) do
    count = count + 1
  end
  return count
end

run["raw"] = function(arguments, endpoint)
  return client:raw(endpoint, arguments)
end

run["users.activity"] = function(arguments, user)
  local count = 0
  for _ in assert(client.users:activity(user, arguments)) do
    count = count + 1
  end
  return count
end

run["taxonomy.plan"] = function(arguments)
  local options = { delete = arguments.delete }
  arguments.delete = nil
  local diff, err = client.taxonomy:plan(arguments, options)
  values.diff = diff
  return diff, err
end

run["taxonomy.apply"] = function()
  return client.taxonomy:apply(values.diff)
end

run["taxonomy.categories.update"] = function(arguments, category)
  return client.taxonomy.categories:update(category, arguments.new_name)
end

run["mcp.call"] = function(arguments, name)
  return client.mcp:call(name, arguments.arguments, { timeout = arguments.timeout })
end

run["mcp.request"] = function(arguments, method)
  return client.mcp:request(method, arguments.params, { timeout = arguments.timeout })
end

run["call"] = function(arguments, endpoint)
  return client:call(endpoint, arguments)
end

-- A method of an area by its path.
local function of_area(method, arguments, positional)
  local object, path = client, {}
  for name in method:gmatch "[%w_]+" do
    path[#path + 1] = name
  end
  for i = 1, #path - 1 do
    object = object[path[i]]
  end
  if positional ~= nil then
    return object[path[#path]](object, positional, arguments)
  end
  return object[path[#path]](object, arguments)
end

for _, call in ipairs(calls) do
  local arguments = fill(call.arguments)
  local positional = values[call.positional] or call.positional
  if run[call.method] then
    assert(run[call.method](arguments, positional))
  elseif call.method:find(".", 1, true) then
    assert(of_area(call.method, arguments, positional))
  else
    assert(client[call.method](client, arguments))
    assert(client:flush(10))
  end
end
client:close(5)
