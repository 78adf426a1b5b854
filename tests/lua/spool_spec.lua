-- SPDX-License-Identifier: MIT
-- The spool: what was accepted survives the process that accepted it.
local tw = require "tidewheel"
local support = require "support"

local DEAD = "http://127.0.0.1:9" -- the discard port: nobody listens

local function event(number)
  return { event_type = "e", user_id = "user-1", insert_id = "i-" .. number }
end

describe("the spool", function()
  local emulator, folder

  before_each(function()
    emulator = support.emulator()
    folder = os.tmpname()
    os.remove(folder)
  end)

  after_each(function()
    emulator:close()
    os.execute("rm -rf '" .. folder .. "'")
  end)

  local function open(url, more)
    local options = { api_key = emulator.api_key, base_url = url, spool = folder }
    for name, value in pairs(more or {}) do
      options[name] = value
    end
    return assert(tw.new(options))
  end

  it("keeps what was not sent for the next client", function()
    local client = open(DEAD)
    assert(client:track(event(1)))
    assert(client:track(event(2)))
    local report = assert(client:close(30))
    assert.equal(2, report.waiting)
    assert.equal(0, report.expired)
    client = open(emulator.url)
    report = assert(client:drain(20))
    assert.equal(0, report.accepted)
    assert.equal(2, report.recovered)
    assert.equal(2, report.stored)
    assert.equal(1, client:stats().spool_lanes)
    assert.equal(0, client:resend_uncertain())
    client:close()
  end)

  it("says what uncertain events keep", function()
    emulator:faults { {
      when = "before_commit", count = 2,
      ["do"] = { status = 200, body = '{"code":200,"events_ingested":7}' },
    } }
    local client = open(emulator.url, { backoff_first = 0.001 })
    assert(client:track(event(1)))
    assert.equal(1, assert(client:flush(20)).uncertain)
    assert.equal(0, client:stats().spool_uncertain_bytes) -- more may be written to the file
    client:close()
    client = open(emulator.url)
    assert.equal(1, assert(client:drain(20)).uncertain)
    local stats = client:stats()
    assert.is_true(stats.spool_uncertain_bytes > 0)
    assert.equal(stats.spool_bytes, stats.spool_uncertain_bytes)
    assert.equal(1, client:resend_uncertain())
    assert.equal(1, assert(client:drain(20)).stored)
    assert.equal(0, client:stats().spool_uncertain_bytes)
    client:close()
  end)

  for _, mode in ipairs { "fast", "durable" } do
    it("survives a kill in mode " .. mode, function()
      local text = support.run(([[
        local tw = require "tidewheel"
        local client = assert(tw.new{ api_key = %q, base_url = %q, spool = %q, spool_mode = %q })
        for i = 1, 100 do
          assert(client:track{ event_type = "e", user_id = "user-1", insert_id = "i-" .. i })
        end
        print "accepted"
        io.stdout:flush()
        os.execute "kill -9 $PPID"
      ]]):format(emulator.api_key, DEAD, folder, mode))
      assert.truthy(text:find "accepted")
      local client = open(emulator.url, { spool_mode = mode })
      local report = assert(client:drain(20))
      assert.equal(100, report.recovered)
      assert.equal(100, report.stored)
      assert.is_true(report.complete)
      client:close()
    end)
  end

  it("is seen, sent and emptied without a client", function()
    local function drain(path)
      return tw.spool.drain({ api_key = emulator.api_key, base_url = DEAD, spool = path }, 0)
    end
    for _, call in ipairs { tw.spool.inspect, tw.spool.purge, drain } do
      for _, missing in ipairs { folder, "" } do
        local result, why = call(missing)
        assert.is_nil(result)
        assert.equal("config", why.code)
      end
      assert.has_error(function() call(folder .. "\0") end)
    end
    assert.equal("spool", select(2, drain(nil)).field)
    assert.is_nil((os.rename(folder, folder))) -- nobody made it
    local report
    local client = open(DEAD)
    assert(client:track(event(1)))
    assert.equal(1, assert(tw.spool.inspect(folder)).live)
    assert.equal(0, tw.spool.purge(folder))
    client:close(0)
    report = assert(tw.spool.inspect(folder))
    assert.equal(1, report.events)
    assert.equal(1, report.projects[1].events)
    assert.equal(0, tw.spool.purge(folder, 3600))
    local options = { api_key = emulator.api_key, base_url = emulator.url, spool = folder }
    assert.equal(1, assert(tw.spool.drain(options, 20)).stored)
    client = open(DEAD)
    assert(client:track(event(2)))
    client:close(0)
    assert.equal(1, tw.spool.purge(folder))
    assert.equal(tw.null, assert(tw.spool.inspect(folder)).oldest)
    client = open(DEAD)
    assert(client:track(event(3)))
    client:close(0)
    local segment = assert(io.open(io.popen("ls " .. folder .. "/*.seg"):read "*l", "r+b"))
    segment:write "?" -- its head is damaged, its events are not
    segment:close()
    assert.equal(1, assert(tw.spool.inspect(folder)).events)
    assert.equal(1, tw.spool.purge(folder))
    assert.equal("", io.popen("ls " .. folder):read "*a")
  end)

  it("is given back by a drain that raises", function()
    local client = open(DEAD)
    assert(client:track(event(1)))
    client:close(0)
    local ok, raised = pcall(tw.spool.drain, {
      api_key = emulator.api_key, base_url = emulator.url, spool = folder,
      on_outcome = function() error({ "mine" }) end,
    }, 20)
    assert.is_false(ok)
    assert.same({ "mine" }, raised)
    assert.equal(0, assert(tw.spool.inspect(folder)).live)
  end)

  it("refuses a folder that is none", function()
    local file = assert(io.open(folder, "w"))
    file:close()
    local client, err = tw.new { api_key = "a", base_url = DEAD, spool = folder }
    assert.is_nil(client)
    assert.equal("config", err.code)
    assert.equal("spool", err.field)
  end)

  it("refuses events when it is full", function()
    local client = open(DEAD, { spool_bytes = 2 ^ 20 })
    local large = event(1)
    large.event_properties = { text = {} }
    for i = 1, 50 do
      large.event_properties.text[i] = ("x"):rep(1000)
    end
    local ok, err
    for _ = 1, 100 do
      ok, err = client:track(large)
      if not ok then
        break
      end
    end
    assert.is_nil(ok)
    assert.equal("queue_full", err.code)
    assert.truthy(err.message:find "spool")
    assert.equal(client:stats().accepted, client:stats().waiting)
    client:close(0)
  end)
end)

describe("the end of each event", function()
  it("is told to who asks", function()
    local emulator = support.emulator()
    local told = {}
    local client = support.client(emulator, {
      on_outcome = function(outcome)
        told[#told + 1] = outcome
      end,
    })
    assert(client:track(event(1)))
    assert(client:flush(20))
    assert.same({ { insert_id = "i-1", state = "stored", reason = "", http_status = 200 } }, told)
    assert.equal(0, client:poll())
    client:close()
    client = support.client(emulator, { outcomes = true })
    assert(client:track(event(2)))
    client:close()
    local list = support.collect(client:outcomes())
    assert.equal(1, #list)
    assert.equal("i-2", list[1].insert_id)
    assert.is_nil(client:outcome())
    assert.has_error(function()
      support.client(emulator, { on_outcome = true })
    end)
    emulator:close()
  end)

  it("is told to who asks, whatever the function does", function()
    local emulator = support.emulator()
    local told = {}
    local client = support.client(emulator, {
      flush_interval = 3600,
      on_outcome = function(outcome)
        told[#told + 1] = outcome.insert_id
        if outcome.insert_id ~= "i-2" then
          error({ outcome.insert_id }, 0)
        end
      end,
    })
    for n = 1, 3 do
      assert(client:track(event(n)))
    end
    assert.same({ "i-1" }, select(2, pcall(client.flush, client, 20)))
    assert.equal(3, client:stats().stored)
    assert.same({ "i-3" }, select(2, pcall(client.poll, client)))
    assert.equal(0, client:poll())
    assert.same({ "i-1", "i-2", "i-3" }, told)
    assert(client:track(event(4)))
    assert.same({ "i-4" }, select(2, pcall(client.close, client)))
    assert.is_true(client:close().complete)

    told = {}
    client = support.client(emulator, {
      on_outcome = function(outcome)
        told[#told + 1] = outcome.insert_id
        if #told == 1 then
          assert(client:track(event(6)))
          assert(client:flush(20))
        else
          assert(client:close().complete)
        end
      end,
    })
    assert(client:track(event(5)))
    assert.is_true(assert(client:flush(20)).complete)
    assert.same({ "i-5", "i-6" }, told)
    assert.equal("closed", select(2, client:track(event(7))).code)
    emulator:close()
  end)

  it("does not keep the client whose function knows it", function()
    local emulator = support.emulator()
    local seen = setmetatable({}, { __mode = "k" })
    local function live()
      local client
      client = support.client(emulator, {
        on_outcome = function()
          return client
        end,
      })
      seen[client] = true
      client:close(0)
    end
    live()
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(seen))
    emulator:close()
  end)

  for _, mode in ipairs { "memory", "fast", "durable" } do
    it("is that of another for identify events that are merged, " .. mode, function()
      local emulator, folder = support.emulator(), os.tmpname()
      os.remove(folder)
      local client = support.client(emulator, {
        coalesce_identify = true, flush_interval = 600, outcomes = true,
        spool = mode ~= "memory" and folder or nil,
        spool_mode = mode ~= "memory" and mode or nil,
      })
      for n = 1, 3 do
        assert(client:identify { user_id = "user-1", insert_id = "i-" .. n, set = { n = n } })
      end
      assert(client:track { user_id = "user-2", event_type = "e", insert_id = "i-4" })
      assert(client:identify { user_id = "user-1", insert_id = "i-5", set_once = { first = 5 } })
      local report = assert(client:flush(20))
      assert.same({ 5, 3, 2, true },
        { report.accepted, report.merged, report.stored, report.complete })
      local ends = {}
      for outcome in client:outcomes() do
        ends[#ends + 1] = outcome.insert_id .. " " .. outcome.state .. " " .. outcome.reason
      end
      assert.same({
        "i-1 merged i-5", "i-2 merged i-5", "i-3 merged i-5", "i-4 stored ", "i-5 stored ",
      }, ends)
      local body = support.base64(emulator:journal()[1].body_base64)
      local sent = assert(tw.json.decode(body)).events
      assert.equal("i-4", sent[1].insert_id)
      assert.same({ ["$set"] = { n = 3 }, ["$setOnce"] = { first = 5 } }, sent[2].user_properties)
      client:close()
      emulator:close()
      os.execute("rm -rf " .. folder)
    end)
  end
end)
