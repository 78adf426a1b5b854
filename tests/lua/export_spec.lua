-- SPDX-License-Identifier: MIT
-- Exports as iterators.
local tw = require "tidewheel"
local support = require "support"

describe("an export", function()
  local emulator, client
  local COUNT = 3000

  setup(function()
    emulator = support.emulator()
    client = support.client(emulator)
    for i = 1, COUNT do
      assert(client:track {
        user_id = "export-" .. i % 10, event_type = "numbered", event_properties = { i = i },
      })
    end
    assert.equal(COUNT, assert(client:flush(60)).stored)
  end)
  teardown(function()
    client:close(5)
    emulator:close()
  end)

  it("gives every event once", function()
    local seen, count = {}, 0
    for event in client:export(support.window()) do
      count = count + 1
      assert.is_nil(seen[event.event_properties.i])
      seen[event.event_properties.i] = true
      assert.equal(tw.null, event.city)
    end
    assert.equal(COUNT, count)
  end)

  it("builds only the fields that are asked for", function()
    local event = client:export(support.window { fields = { "user_id", "event_properties" } })()
    local names = {}
    for name in pairs(event) do
      names[#names + 1] = name
    end
    table.sort(names)
    assert.same({ "event_properties", "user_id" }, names)
    assert.is_number(event.event_properties.i)
  end)

  it("leaves nulls out, or decoding altogether, when asked to", function()
    local event = client:export(support.window { drop_null = true })()
    assert.is_nil(event.city)
    assert.is_string(event.user_id)
    for _, value in pairs(event) do
      assert.is_not.equal(tw.null, value)
    end
    local lines = client:export(support.window { raw = true })
    local line = lines()
    assert.equal("numbered", assert(tw.json.decode(line)).event_type)
    assert.equal(1, lines:count())
    lines:close()
  end)

  it("can be left early and closed twice", function()
    local export = client:export(support.window())
    for event in export do -- luacheck: ignore 512
      assert.is_table(event)
      break
    end
    export:close()
    export:close()
    local item, err = export:next()
    assert.is_nil(item)
    assert.equal("closed", err.code)
    assert.has_error(function() export() end)
    item, err = export:fd()
    assert.is_nil(item)
    assert.equal("closed", err.code)
  end)

  it("is closed by the loop that leaves it, on Lua 5.4", function()
    if not support.is_54 then
      return
    end
    local it, state, control, closing = client:export(support.window())
    assert.equal(it, closing)
    for _ in it, state, control, closing do -- luacheck: ignore 512
      break
    end
    assert.truthy(tostring(it):find "closed")
    it, state, control, closing = client:export(support.window())
    pcall(function()
      for _ in it, state, control, closing do
        error "out"
      end
    end)
    assert.truthy(tostring(it):find "closed")
  end)

  it("ends once and for all", function()
    local export = client:export(support.window())
    assert.equal(COUNT, #support.collect(export))
    assert.is_nil((export:next()))
    assert.is_nil(select(2, export:next()))
    assert.is_nil(export())
    assert.equal(COUNT, export:count())
  end)

  it("never waits when told not to", function()
    local export = client:export(support.window())
    assert.is_number(export:fd())
    local count, again = 0, 0
    while true do
      local event, err = export:next(0)
      if event then
        count = count + 1
      elseif not err then
        break
      else
        assert.equal("again", err.code)
        assert.is_true(err.retriable)
        again = again + 1
      end
    end
    assert.equal(COUNT, count)
    assert.is_true(again > 0)
  end)

  it("is empty where there is nothing", function()
    local hour = "20200101T00"
    assert.same({}, support.collect(client:export { start = hour, stop = hour }))
    assert.same({}, support.collect(client:export { start = hour, ["end"] = hour }))
  end)

  it("takes hours and days in the forms of texts and of os.date", function()
    local function asked(start, stop)
      assert.same({}, support.collect(client:export { start = start, stop = stop }))
      local journal = emulator:journal()
      return journal[#journal].query
    end
    local day = os.date("!*t", 1583020800) -- 2020-03-01, midnight
    assert.equal("start=20200301T00&end=20200301T00", asked(day, day))
    day.hour = nil
    assert.equal("start=20200301T00&end=20200301T23", asked(day, day))
    assert.equal("start=20200301T05&end=20200302T23",
      asked({ year = 2020, month = 3, day = 1, hour = 5 }, { year = 2020, month = 3, day = 2 }))
    assert.equal("start=20200301T00&end=20200302T23", asked("2020-03-01", "2020-03-02"))
    assert.equal("start=20200301T00&end=20200301T23", asked("20200301", "20200301"))
    assert.equal("start=20200301T05&end=20200302T06", asked("2020-03-01T05", "20200302T06"))
    for _, bad in ipairs{
      {}, { year = 2020, month = 3 }, { year = 2020, month = "March", day = 1 },
      { year = 2020, month = 3, day = 1.5 }, { year = 2020, month = 3, day = 1, hour = "x" },
      { year = 2020, month = -3, day = 1 },
    } do
      local ok, err = pcall(client.export, client, { start = bad, stop = "20200301" })
      assert.is_false(ok)
      assert.truthy(tostring(err):find "'start' is a table without year, month and day")
    end
  end)

  it("refuses bad windows at once", function()
    local function bad(options, pattern)
      local ok, err = pcall(client.export, client, options)
      assert.is_false(ok)
      assert.equal("validation", err.code, tostring(err))
      assert.truthy(tostring(err):find(pattern), tostring(err))
    end
    bad({ start = "20260102T00", stop = "20260101T00" }, "before")
    bad({ start = "20250101T00", stop = "20260301T00" }, "365")
    bad({ start = "2026-01-32", stop = "20260102T00" }, "start")
    bad({ start = "2026-01-01 05", stop = "20260102T00" }, "an hour or a day that exists")
    bad({ start = { year = 2026, month = 13, day = 1 }, stop = "20260102T00" }, "2026%-13%-01")
    bad({ start = "20260101T24", stop = "20260102T00" }, "start")
    bad({ start = "20260101T00", stop = "20260230T00" }, "end")
    assert.has_error(function() client:export { start = "20260101T00" } end)
    assert.has_error(function() client:export() end)
    assert.has_error(function() client:export { start = 5, stop = 6 } end)
    assert.has_error(function() client:export(support.window { colour = "blue" }) end)
    assert.has_error(function() client:export(support.window { fields = {} }) end)
    assert.has_error(function() client:export(support.window { fields = { 1 } }) end)
  end)

  it("raises in the loop what next returns", function()
    local other = support.client(emulator, { secret_key = "emu-wrong-secret-key-000000000000" })
    local ok, err = pcall(function()
      for _ in other:export(support.window()) do
        error "an event"
      end
    end)
    assert.is_false(ok)
    assert.equal("auth", err.code, tostring(err))
    local item
    item, err = other:export(support.window()):next()
    assert.is_nil(item)
    assert.equal("auth", err.code)
    other:close(0)
  end)

  it("goes on within coroutines, side by side", function()
    local function reader()
      return coroutine.wrap(function()
        local n = 0
        for _ in client:export(support.window { fields = { "event_type" } }) do
          n = n + 1
          coroutine.yield(nil)
        end
        return n
      end)
    end
    local first, second, one, two = reader(), reader(), nil, nil
    repeat
      one = one or first()
      two = two or second()
    until one and two
    assert.equal(COUNT, one)
    assert.equal(COUNT, two)
  end)

  it("survives the closing of its client", function()
    local other = support.client(emulator)
    local export = other:export(support.window())
    assert.is_table(export:next())
    other:close(0)
    local item, err
    repeat
      item, err = export:next()
    until not item
    -- What had arrived may still be read; then it says why there is no more.
    assert.is_true(err == nil or err.code == "closed" or err.code == "canceled", tostring(err))
  end)

  it("is collected half read", function()
    for _ = 1, 20 do
      client:export(support.window())()
    end
    collectgarbage()
    collectgarbage()
    assert.equal(COUNT, #support.collect(client:export(support.window { raw = true })))
  end)
end)
