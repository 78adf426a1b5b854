-- SPDX-License-Identifier: MIT
-- What a script sees when the server, the network or the user interferes.
local tw = require "tidewheel"
local support = require "support"

describe("when", function()
  local emulator, client

  setup(function()
    emulator = support.emulator()
  end)
  teardown(function()
    emulator:close()
  end)
  before_each(function()
    emulator:reset()
    client = support.client(emulator, { backoff_first = 0.01, backoff_max = 0.02 })
  end)
  after_each(function()
    emulator:faults()
    client:close(0)
  end)

  local function answer(path, reply, count)
    emulator:faults { {
      when = "before_commit", match = { path = path }, ["do"] = reply, count = count,
    } }
  end

  -- The numbers as soon as the test is true of them, or after a long time.
  local function stats_when(test)
    local stats, stop = client:stats(), tw.clock() + 20
    while not test(stats) and tw.clock() < stop do
      client:update(0.001)
      stats = client:stats()
    end
    return stats
  end

  it("the server limits the rate, the error says so", function()
    answer("/api/3/cohorts", { status = 429, headers = { ["Retry-After"] = "1" }, body = "{}" })
    local value, err = client:raw "cohorts.list"
    assert.is_nil(value)
    assert.equal("rate_limited", err.code, tostring(err))
    assert.equal(429, err.http_status)
    assert.equal(1, err.retry_after) -- seconds
    assert.is_true(err.retriable)
  end)

  it("the server fails, the error says so", function()
    answer("/api/3/cohorts", { status = 500, body = "<html>" })
    local value, err = client.cohorts:list()
    assert.is_nil(value)
    assert.equal("server", err.code, tostring(err))
    assert.equal(500, err.http_status)
    assert.is_true(err.retriable)
    answer("/api/3/cohorts", { status = 200, body = "[1,2" })
    value, err = client.cohorts:list()
    assert.is_nil(value)
    assert.equal("protocol", err.code, tostring(err))
    answer("/api/3/cohorts", { status = 200, body = '{"cohorts":5}' })
    value, err = client.cohorts:list()
    assert.is_nil(value)
    assert.equal("protocol", err.code, tostring(err))
  end)

  it("an export is cut off, the loop raises and never just ends", function()
    for i = 1, 200 do
      assert(client:track { user_id = "cut-" .. i, event_type = "cut" })
    end
    assert.equal(200, assert(client:flush(30)).stored)
    emulator:faults { {
      when = "mid_response@700", match = { path = "/api/2/export" }, ["do"] = { close = "fin" },
    } }
    local export = client:export(support.window())
    local ok, err = pcall(function()
      for event in export do
        assert.equal("cut", event.event_type)
      end
    end)
    assert.is_false(ok)
    assert.is_table(err)
    assert.truthy(err.code == "network" or err.code == "protocol", tostring(err))
    local item
    item, err = export:next()
    assert.is_nil(item)
    assert.equal("closed", err.code)
  end)

  it("the server refuses an event, it can be asked for", function()
    assert.is_nil((client:rejection()))
    emulator:faults { {
      when = "before_commit", match = { path = "/2/httpapi" }, count = 1,
      ["do"] = {
        status = 400,
        body = tw.json.encode {
          code = 400, error = "Request missing required field",
          events_with_invalid_fields = { price = { 0 } },
        },
      },
    } }
    assert(client:track {
      user_id = "rejected", event_type = "bad", price = 1.5, insert_id = "r-1",
      time = 1767225600123,
    })
    local stats = assert(client:flush(30))
    assert.equal(1, stats.rejected)
    client:close(5)
    local list = support.collect(client:rejected())
    assert.equal(1, #list)
    assert.equal("bad", list[1].event.event_type)
    assert.equal("r-1", list[1].event.insert_id)
    local members = { "\"price\":1.5", "\"time\":1767225600123", "\"insert_id\":\"r-1\"" }
    for _, member in ipairs(members) do
      assert.truthy(list[1].raw:find(member, 1, true), list[1].raw)
    end
    assert.same(list[1].event, tw.json.decode(list[1].raw))
    assert.equal("price", list[1].field)
    assert.equal(400, list[1].http_status)
    assert.is_string(list[1].reason)
    assert.same({}, support.collect(client:rejected()))
  end)

  it("the server throttles somebody else, all wait and it is told", function()
    answer("/2/httpapi", { status = 429, body = '{"code":429,"throttled_users":{"nobody":31}}' })
    assert(client:track { user_id = "throttled", event_type = "x" })
    client:flush(0.01)
    local stats = stats_when(function(stats) return stats.last_error end)
    assert.equal(1, stats.waiting)
    assert.equal("rate_limited", stats.last_error.code)
  end)

  it("the server throttles a group, its event waits", function()
    answer("/2/httpapi", {
      status = 429, body = '{"code":429,"throttled_users":{},"throttled_events":[0]}',
    })
    assert(client:group_identify { group_type = "company", group_value = "acme", set = { a = 1 } })
    local value, err, report = client:flush(0.01)
    assert.is_nil(value)
    assert.equal("timeout", err.code)
    assert.equal(1, report.waiting)
    local stats = stats_when(function(stats) return stats.held > 0 or stats.requests > 9 end)
    assert.same({ 1, 1 }, { stats.held, stats.requests })
  end)

  it("the server stalls, waits end in time", function()
    emulator:faults { { when = "before_commit", ["do"] = { stall_ms = 1e9 } } }
    assert(client:track { user_id = "stalled", event_type = "x" })
    local value, err, report = client:flush(0.05)
    assert.is_nil(value)
    assert.equal("timeout", err.code)
    assert.equal(1, report.waiting)
    assert.is_false(report.complete)
    local job = assert(client:flush_start())
    assert(client:track { user_id = "stalled", event_type = "y" })
    assert.equal(1, job:report().accepted)
    assert.has_error(function() client.cohorts:list_start():report() end)
    value, err, report = client:close(0.05)
    assert.is_nil(value)
    assert.equal("timeout", err.code)
    assert.equal(2, report.uncertain + report.expired)
    assert.equal(0, report.waiting)
    assert.equal(0, job:report().waiting)
    emulator:advance(1e7)
  end)

  it("the queue is full, the policy decides", function()
    emulator:faults { { when = "before_commit", ["do"] = { stall_ms = 1e9 } } }
    local function fill(more)
      more.queue_events = 2
      local full = support.client(emulator, more)
      local results, err = {}, nil
      for i = 1, 3 do
        local ok
        ok, err = full:track { user_id = "queue-" .. i, event_type = "x" }
        results[i] = ok or err.code
      end
      local stats = full:stats()
      full:close(0)
      return results, stats, err
    end
    local results, stats, err = fill {}
    assert.same({ true, true, "queue_full" }, results)
    assert.equal(1, stats.refused)
    assert.is_true(err.retriable)
    results, stats = fill { on_queue_full = "drop_oldest" }
    assert.same({ true, true, true }, results)
    assert.equal(1, stats.dropped)
    local start = tw.clock()
    results = fill { on_queue_full = "block", block_timeout = 0.1 }
    assert.same({ true, true, "queue_full" }, results)
    assert.is_true(tw.clock() - start >= 0.05)
    emulator:advance(1e7)
  end)

  it("the user presses Ctrl-C, a blocking wait ends in the interpreter's own way", function()
    emulator:faults { { when = "before_commit", ["do"] = { stall_ms = 1e9 } } }
    local call = {
      "client.cohorts:list_start():wait()",
      "client:export{ start = '20260101T00', stop = '20260101T01' }()",
      "client:track{ user_id = 'second', event_type = 'x' }",
    }
    for _, wait in ipairs(call) do
      local text, well = support.run(([[
        local tw = require "tidewheel"
        local client = assert(tw.new{ api_key = %q, secret_key = %q, base_url = %q,
          queue_events = 1, on_queue_full = "block", block_timeout = 3600 })
        assert(client:track{ user_id = "first", event_type = "x" })
        local killer = io.popen "exec kill -INT $PPID" -- it takes longer than we do to wait
        %s
        print("not interrupted", killer)
      ]]):format(emulator.api_key, emulator.secret_key, emulator.url, wait))
      assert.is_false(well)
      assert.truthy(text:find("interrupted!", 1, true), text)
      assert.is_nil(text:find("not interrupted", 1, true), text)
    end
    emulator:advance(1e7)
  end)

  it("a client is forgotten, a warning says that events are lost", function()
    local text, well = support.run [[
      local tw = require "tidewheel"
      if warn then warn "@on" end
      local client = assert(tw.new{ api_key = ("a"):rep(32), base_url = "http://127.0.0.1:9" })
      assert(client:track{ user_id = "forgotten", event_type = "x" })
      client = nil
      collectgarbage()
      collectgarbage()
      print "and on"
    ]]
    assert.is_true(well, text)
    assert.truthy(text:find("events unsent", 1, true), text)
    assert.truthy(text:find("and on", 1, true), text)
  end)
end)
