-- SPDX-License-Identifier: MIT
-- tidewheel.emulator: the same emulator as in Python, seen from Lua.
local emulator = require "tidewheel.emulator"

describe("the emulator", function()
  local emu

  before_each(function()
    emu = assert(emulator.new{ job_ms = 7, limits = false })
  end)

  after_each(function()
    emu:close()
  end)

  it("tells where it is and with which keys", function()
    assert.matches("^http://127%.0%.0%.1:%d+$", emu.url)
    assert.matches("^http://127%.0%.0%.1:%d+$", emu.control_url)
    assert.are.equal(64, #emu.control_token)
    assert.are.equal("emu-api-key", emu.api_key)
    assert.are.equal("emu-secret-key", emu.secret_key)
    assert.are.equal(501177, emu.app_id)
    assert.are.same({}, emu:journal())
  end)

  it("takes switches at the start and later", function()
    assert.are.equal(7, emu:switches().job_ms)
    assert.is_false(emu:switches().limits)
    emu:switch{ index_lists = "first", job_ms = 9 }
    assert.are.equal("first", emu:switches().index_lists)
    assert.has_error(function() emu:switch{ nope = 1 } end)
    assert.are.equal(9, emu:switches().job_ms)
  end)

  it("takes a time zone and saved charts", function()
    local other, err = emulator.new{ time_zone = "Mars/Olympus" }
    assert.is_nil(other)
    assert.matches("time_zone was refused", tostring(err))
    other = assert(emulator.new{ time_zone = "Europe/Berlin" })
    other:chart{ id = "abc", name = "Users", query = "/api/2/users?start=20260301&end=20260301" }
    assert.has_error(function() other:chart{ id = "a b", query = "/api/2/users" } end)
    other:close()
  end)

  it("takes a fault plan, time and a reset", function()
    emu:faults{ { when = "after_commit", match = { path = "/batch" }, ["do"] = { status = 503 } } }
    assert.has_error(function() emu:faults{ { when = "never" } } end)
    emu:faults()
    emu:advance(3.5)
    emu:reset()
  end)

  it("shows ledger and meters, silences and closes its door", function()
    local tw = require "tidewheel"
    local client = assert(tw.new{
      api_key = emu.api_key, secret_key = emu.secret_key, base_url = emu.url,
    })
    for i = 1, 5 do
      assert(client:track{ event_type = "e", user_id = "user-1", insert_id = "i-" .. i })
    end
    assert.are.equal(5, assert(client:flush(30)).stored)
    local ids = {}
    for account in emu:ledger(2) do
      assert.are.equal(1, account.committed)
      ids[#ids + 1] = account.insert_id
    end
    assert.are.same({ "i-1", "i-2", "i-3", "i-4", "i-5" }, ids)
    assert.are.equal(5, emu:meters().v2.events)
    emu:silence{ "device-1" }
    assert(client:track{ event_type = "e", device_id = "device-1" })
    assert.are.equal(1, assert(client:flush(30)).rejected)
    emu:silence()
    emu:listen(false)
    emu:listen()
    client:close(0)
    emu:reset()
    for _ in emu:ledger() do
      error "nothing is left"
    end
  end)

  it("takes seeds of profiles and marks of event types", function()
    emu:profile{ computations = { ["ltv-30d"] = 81.5 }, predictions = { p1 = { pct = 97 } } }
    emu:profile{ recommendations = { { rec_id = "r1", items = { "chair" } } } }
    emu:mark("Planned", { transformed = true, blocked = false })
    for _, bad in ipairs{ { user_id = "nobody" }, { synced_cohorts = { 1 } } } do
      assert.has_error(function() emu:profile(bad) end)
    end
    assert.has_error(function() emu:mark("", {}) end)
  end)

  it("refuses with nil and a line", function()
    local none, why = emulator.new{ api_key = "real" }
    assert.is_nil(none)
    assert.matches("start with \"emu\"", why, 1, true)
    none, why = emulator.new{ index_list = "all" }
    assert.is_nil(none)
    assert.matches("there was no switch", why, 1, true)
  end)

  it("closes more than once and by itself", function()
    emu:close()
    emu:close()
    assert.has_error(function() emu:journal() end)
    local loose = assert(emulator.new()) -- luacheck: ignore
    loose = nil
    collectgarbage()
    collectgarbage()
  end)
end)
