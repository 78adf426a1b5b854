-- SPDX-License-Identifier: MIT
-- The cases that all languages share: what goes over the wire, and what is refused.
local tw = require "tidewheel"
local support = require "support"

local UUID = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"

local function read_cases()
  local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"
  local file = assert(io.open(here .. "/../vectors/events.json"))
  local text = file:read "*a"
  file:close()
  return assert(tw.json.decode(text)).cases
end

-- A table has no order; integers apart from floats, and of 64 bits, are not everywhere.
local function can(case)
  for _, need in ipairs(case.needs or {}) do
    if need == "order" or not support.has_integers then
      return false
    end
  end
  return true
end

describe("the shared vectors", function()
  local emulator, client

  setup(function()
    emulator = support.emulator()
    client = support.client(emulator, { flush_interval = 3600 })
  end)
  teardown(function()
    client:close(5)
    emulator:close()
  end)

  it("go over the wire as they should", function()
    local expected = {}
    local before = os.time() * 1000
    for _, case in ipairs(read_cases()) do
      if case.wire and can(case) then
        local ok, err = client:track(case.event)
        assert.is_true(ok, case.name .. ": " .. tostring(err))
        expected[#expected + 1] = case
      end
    end
    assert.is_true(#expected >= 60)
    client:flush(30)
    local after = os.time() * 1000 + 1000
    -- Bytes, not values: the events' own texts, cut out of the bodies.
    local texts, lists = {}, {}
    for _, entry in ipairs(emulator:journal()) do
      local list = support.base64(entry.body_base64):match '"events":(%[.*%])}$'
      for _, text in ipairs(support.elements(list)) do
        texts[#texts + 1] = text
        lists[#texts] = list
      end
    end
    assert.equal(#expected, #texts)
    local sorted = 0
    for i, case in ipairs(expected) do
      local wire, sent = case.wire, assert(tw.json.decode(texts[i]))
      if wire:find("<insert_id>", 1, true) then
        assert.truthy(sent.insert_id:match(UUID), case.name)
        wire = wire:gsub("<insert_id>", sent.insert_id)
      end
      if wire:find("<time>", 1, true) then
        local time = sent.time
        assert.is_true(time >= before and time <= after, case.name)
        wire = wire:gsub("<time>", ("%.0f"):format(time))
      end
      wire = support.canonical(wire)
      assert.equal(wire, texts[i], case.name)
      -- Names go out sorted; what the client itself adds stands behind them.
      if not case.wire:find('":<', 1, true) and not case.wire:find('"<', 1, true) then
        assert.truthy(lists[i]:find(wire, 1, true), case.name)
        sorted = sorted + 1
      end
    end
    assert.is_true(sorted >= 20, sorted)
  end)

  it("are refused as they should", function()
    local count = 0
    for _, case in ipairs(read_cases()) do
      if case.error and can(case) then
        local value, err = client:track(case.event)
        assert.is_nil(value, case.name)
        assert.equal("validation", err.code, case.name)
        assert.equal(case.error.field, err.field or "", case.name)
        assert.truthy(err.message:find(case.error.rule, 1, true), case.name .. ": " .. err.message)
        count = count + 1
      end
    end
    assert.is_true(count >= 130)
  end)
end)
