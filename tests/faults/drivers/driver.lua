-- SPDX-License-Identifier: MIT
-- Tracks events as a case on standard input says, notes each before and after, tells the end.
local tw = require "tidewheel"

local case = {}
for line in io.lines() do
  local name, value = line:match "^([^\t]*)\t(.*)$"
  case[name] = value
end

local options = { api_key = case.api_key, base_url = case.url, outcomes = true }
for name, value in pairs(case) do
  local option = name:match "^option%.(.*)"
  if option then
    options[option] = value == "True" or tonumber(value) or value
  end
end

-- Of a merged event: its user has `odd` after every other event of it, see kit.py.
local function changes(n, users)
  local odd = (math.floor(n / users) + n % users) % 2 == 1
  return {
    ["$set"] = { latest = n, odd = odd and n or nil },
    ["$unset"] = not odd and { odd = 1 } or nil,
    ["$setOnce"] = { first = n },
  }
end

local client = assert(tw.new(options))
local notes = assert(io.open(case.notes, "a"))
notes:setvbuf "no"
local first, users, identify = tonumber(case.first), tonumber(case.users), case.identify == "1"
local merged = case.changes == "1"
local refusals = tw.object {}
for n = first, first + tonumber(case.events) - 1 do
  local id = ("%s-%d"):format(case.run, n)
  notes:write("call " .. id .. "\n")
  local accepted, why = client:track {
    event_type = (identify or merged) and "$identify" or "fault",
    [case.devices == "1" and "device_id" or "user_id"] = ("user-%05d"):format(n % users),
    insert_id = id,
    user_properties = merged and changes(n, users)
      or tw.object(identify and { ["$add"] = { visits = 1 } } or {}),
    event_properties = not merged and { text = ("%s:%.0f"):format(id, n * n) } or nil,
  }
  notes:write((accepted and "ok " or "no ") .. id .. "\n")
  if not accepted then
    refusals[why.code] = (refusals[why.code] or 0) + 1
  end
end

local report, err = client[case.drain == "1" and "drain" or "flush"](client, tonumber(case.flush))
local flushed = report and "ok" or err.code
report, err = client:close(tonumber(case.close))
local closed = report and "ok" or err.code
local rejected = {}
for rejection in client:rejected() do
  rejected[#rejected + 1] = rejection.event.insert_id
end
local ends = {}
for outcome in client:outcomes() do
  local carrier = outcome.state == "merged" and outcome.reason or ""
  ends[#ends + 1] = { outcome.insert_id, outcome.state, carrier }
end
io.write(assert(tw.json.encode {
  flush = flushed,
  close = closed,
  stats = assert(client:stats()),
  refusals = refusals,
  rejected = tw.array(rejected),
  ends = tw.array(ends),
}), "\n")
