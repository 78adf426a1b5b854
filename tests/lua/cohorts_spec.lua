-- SPDX-License-Identifier: MIT
-- Cohorts and the jobs behind them.
local tw = require "tidewheel"
local tick = require "tidewheel.tick"
local support = require "support"

describe("cohorts", function()
  local emulator, client
  local USERS = 500

  local function user(i)
    return ("member-%04d"):format(i)
  end

  local function upload(more)
    local options = {
      name = "lua", app_id = emulator.app_id, owner = "lua@example.com", id_type = "BY_USER_ID",
      published = true,
    }
    for name, value in pairs(more) do
      options[name] = value
    end
    return client.cohorts:upload(options)
  end

  local function members(id, column)
    local job = assert(client.cohorts:download(id))
    return support.collect(job:ids(column))
  end

  setup(function()
    emulator = support.emulator()
    client = support.client(emulator, { poll_first = 0.05 })
    for i = 1, USERS do
      assert(client:identify {
        user_id = user(i), set = { number = i, tier = i % 2 == 0 and "even" or "odd" },
      })
      assert(client:track { user_id = user(i), event_type = "joined" })
    end
    assert.equal(2 * USERS, assert(client:flush(60)).stored)
  end)
  teardown(function()
    client:close(5)
    emulator:close()
  end)

  it("go up as a list and come down as ids", function()
    local ids = {}
    for i = 1, USERS do
      ids[i] = user(i)
    end
    local reply = assert(upload { name = "all", ids = ids })
    assert.equal(USERS, reply.matched)
    local got = members(reply.cohort_id)
    table.sort(got)
    assert.same(ids, got)
    -- As numbers they are Amplitude's own ids.
    local amplitude = members(reply.cohort_id, "amplitude_id")
    assert.equal(USERS, #amplitude)
    for i = 1, 3 do
      amplitude[i] = tonumber(amplitude[i])
    end
    reply = assert(upload { name = "numbers", id_type = "BY_AMP_ID", ids = amplitude })
    assert.equal(USERS, reply.matched)
  end)

  it("take an iterator, and a stream of another cohort", function()
    local i = 0
    local reply = assert(upload { name = "iterated", ids = function()
      i = i + 1
      return i <= 10 and user(i) or nil
    end })
    assert.equal(10, #members(reply.cohort_id))
    local job = assert(client.cohorts:download(reply.cohort_id))
    local copy = assert(upload { name = "copied", ids = (job:ids()) })
    assert.equal(10, #members(copy.cohort_id))
  end)

  it("come down as rows with properties", function()
    local reply = assert(upload { name = "rows", ids = { user(1), user(2) } })
    local job = assert(client.cohorts:download(reply.cohort_id, { props = { "tier", "number" } }))
    local tiers = {}
    for row in job:rows() do
      tiers[row.user_id] = row.tier .. row.number
      assert.is_string(row.amplitude_id)
    end
    assert.same({ [user(1)] = "odd1", [user(2)] = "even2" }, tiers)
  end)

  it("are listed", function()
    local reply = assert(upload { name = "listed", ids = { user(1) } })
    local found
    for _, cohort in ipairs(assert(client.cohorts:list())) do
      found = found or (cohort.id == reply.cohort_id and cohort)
    end
    assert.equal("listed", found.name)
    assert.equal(1, found.size)
    assert.is_true(found.published)
    assert.same(members(reply.cohort_id), members(found))
    assert.equal("listed", found.data.name)
    assert.is_table(assert(client.cohorts:list { include_sync_info = true }))
    assert.has_error(function() client.cohorts:list { colour = "blue" } end)
  end)

  it("change their members", function()
    local reply = assert(upload { name = "changed", ids = { user(1), user(2) } })
    local id = reply.cohort_id
    local done = assert(client.cohorts:update(id, { add = { user(3), "nobody" } }))
    assert.same({ cohort_id = id, skipped_add = { "nobody" }, skipped_remove = {} }, done)
    done = assert(client.cohorts:update(id, { remove = { user(1) }, id_type = "BY_NAME" }))
    assert.same({ cohort_id = id, skipped_add = {}, skipped_remove = {} }, done)
    local got = members(id)
    table.sort(got)
    assert.same({ user(2), user(3) }, got)
    -- Both at once: adding comes first.
    local change = { add = { user(1), user(4), "no one" }, remove = { user(4), "nobody" } }
    done = assert(client.cohorts:update(id, change))
    assert.same({ cohort_id = id, skipped_add = { "no one" }, skipped_remove = { "nobody" } }, done)
    assert.same({ user(4), "nobody" }, change.remove)
    got = members(id)
    table.sort(got)
    assert.same({ user(1), user(2), user(3) }, got)
  end)

  it("refuse bad input at once", function()
    local function bad(code, value, err)
      assert.is_nil(value)
      assert.equal(code, err.code, tostring(err))
    end
    bad("validation", upload { ids = { "" } })
    bad("validation", upload { ids = { "a\nb" } })
    bad("validation", upload { ids = { "\255" } })
    bad("validation", upload { ids = { user(1) }, id_type = "BY_NAME" })
    bad("validation", client.cohorts:download "")
    assert.has_error(function() client.cohorts:download{ name = "x" } end)
    assert.has_error(function() upload { ids = "all" } end)
    assert.has_error(function() upload { ids = { {} } } end)
    assert.has_error(function() upload { ids = { 1.5 } } end)
    assert.has_error(function() upload { ids = { 1 }, colour = "blue" } end)
    assert.has_error(function() upload { ids = function() error "mine" end } end, "mine")
    assert.has_error(function() upload { ids = { "a" }, app_id = "one" } end)
    assert.has_error(function() upload { ids = { "a" }, name = 5 } end)
    assert.has_error(function() upload { ids = { "a" }, name = "a\0b" } end)
    assert.has_error(function() client.cohorts:update("x", {}) end)
    assert.has_error(function() client.cohorts:update_start("x", { add = {}, remove = {} }) end)
    assert.has_error(function() client.cohorts:download() end)
    assert.has_error(function() client.cohorts:download("x", { props = 5 }) end)
  end)

  it("say why a download failed", function()
    local job = assert(client.cohorts:download "unknown")
    local value, err = job:wait(30)
    assert.is_nil(value)
    assert.equal(404, err.http_status, tostring(err))
    assert.is_true(job:done())
    assert.same({ nil, err }, { job:result() })
    local ok
    ok, err = pcall(job:ids())
    assert.is_false(ok)
    assert.equal(404, err.http_status)
  end)

  it("can be waited for without blocking", function()
    local reply = assert(upload { name = "polled", ids = { user(1) } })
    local job = assert(client.cohorts:download(reply.cohort_id))
    assert.is_number(job:fd())
    local value, err = job:wait(0)
    assert.is_nil(value)
    assert.equal("again", err.code)
    assert.is_false(job:done())
    assert.truthy(tostring(job):find "going on")
    local progress = job:progress()
    assert.is_string(progress.phase)
    repeat
      value, err = job:wait(0.01)
      assert.is_true(value or err.code == "again", tostring(err))
    until value
    assert.same({ user(1) }, support.collect(job:ids()))
    assert.is_true(job:done())
    assert.is_true(job:result())
    assert.is_true(job:progress().requests >= 3)
    assert.has_error(function() job:ids() end)
  end)

  it("give way to cancel and close", function()
    local reply = assert(upload { name = "canceled", ids = { user(1) } })
    local job = assert(client.cohorts:download(reply.cohort_id))
    job:cancel()
    local value, err = job:wait(30)
    assert.is_nil(value)
    assert.equal("canceled", err.code)
    job:close()
    job:close()
    value, err = job:wait()
    assert.is_nil(value)
    assert.equal("closed", err.code)
    assert.is_true(job:done())
    job:cancel()
    assert.has_error(function() job:rows() end)
    local list = assert(client.cohorts:list_start())
    assert.has_error(function() list:ids() end)
  end)

  it("call back from update, and only from there", function()
    local results = {}
    local job = assert(client.cohorts:list_start(nil, function(list, err)
      results[#results + 1] = { list, err }
    end))
    assert(client:flush_start(function(stats)
      results[#results + 1] = { stats }
    end))
    assert(client.cohorts:upload_start({
      name = "x", app_id = emulator.app_id, owner = "lua@example.com", id_type = "BY_USER_ID",
      ids = { user(1) },
    }, function(reply, err)
      results[#results + 1] = { reply, err }
    end))
    assert.equal(client:fd(), job:fd())
    assert.has_error(function() job:wait() end)
    local runs = 0
    while #results < 3 do
      runs = runs + client:update()
    end
    assert.equal(3, runs)
    assert.equal(0, client:update())
    for _, result in ipairs(results) do
      assert.is_table(result[1], tostring(result[2]))
    end
    assert.is_table(job:result())
  end)

  it("raise a callback's error from update, after which all is in order", function()
    local calls = 0
    local function failing()
      calls = calls + 1
      error { "mine" }
    end
    assert(client:flush_start(failing))
    assert(client:flush_start(failing))
    local errors = 0
    while errors < 2 do
      local ok, err = pcall(client.update, client)
      if not ok then
        assert.same({ "mine" }, err)
        errors = errors + 1
      end
    end
    assert.equal(2, calls)
    assert.equal(0, client:update())
  end)

  it("stay within update's budget, but get on", function()
    local calls = 0
    for _ = 1, 3 do
      assert(client:flush_start(function() calls = calls + 1 end))
    end
    while calls < 3 do
      assert.is_true(client:update(0) <= 1)
    end
  end)

  it("keep a job with a callback alive, and no other", function()
    local called = false
    assert(client:flush_start(function() called = true end))
    collectgarbage()
    collectgarbage()
    while not called do
      client:update()
    end
    local weak = setmetatable({}, { __mode = "v" })
    weak[1] = assert(client.cohorts:list_start())
    weak[2] = assert(client:flush_start(function() end))
    weak[2]:close()
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
    assert.is_nil(weak[2])
    assert.equal(0, client:update())
  end)

  it("tell callbacks when the client is closed", function()
    local other = support.client(emulator)
    local codes = {}
    local job = assert(other.cohorts:list_start(nil, function(_, err)
      codes[#codes + 1] = err and err.code or "done"
    end))
    assert.is_userdata(job)
    other:close(0)
    while #codes == 0 do
      other:update()
    end
    assert.truthy(codes[1] == "closed" or codes[1] == "canceled" or codes[1] == "done", codes[1])
  end)

  it("fit into a game loop", function()
    local reply = assert(upload { name = "ticked", ids = { user(1), user(2), user(3) } })
    local loop = tick.new(client, { budget = 0.002 })
    local got, listed, window = {}, nil, support.window { fields = { "user_id" } }
    local events = 0
    loop:spawn(function()
      local job = assert(client.cohorts:download(reply.cohort_id))
      assert(loop:await(job))
      local ids = job:ids()
      local id, err
      repeat
        id, err = loop:next(ids)
        assert.is_nil(err)
        got[#got + 1] = id
      until not id
    end)
    loop:spawn(function()
      listed = assert(loop:await(assert(client.cohorts:list_start())))
      local export = client:export(window)
      if support.can_yield_in_for then
        for _ in loop:each(export) do
          events = events + 1
        end
      else
        while loop:next(export) do
          events = events + 1
        end
      end
    end)
    local ticks = 0
    while loop:update() > 0 do
      ticks = ticks + 1
    end
    assert.equal(3, #got)
    assert.is_table(listed)
    assert.is_true(events >= USERS)
    assert.is_true(ticks > 1)
    loop:spawn(function() error "in the game" end)
    assert.has_error(function() loop:update() end)
    assert.equal(0, loop:update())
    assert.has_error(function() loop:await() end)
    assert.has_error(function() tick.new(client, { budget = "much" }) end)
  end)
end)

describe("a reply", function()
  it("is an error where nothing listens", function()
    local client = assert(tw.new {
      api_key = ("a"):rep(32), secret_key = ("b"):rep(32), base_url = "http://127.0.0.1:9",
    })
    local job = assert(client.cohorts:list_start())
    job:cancel()
    local value, err = job:wait(30)
    assert.is_nil(value)
    assert.is_true(err.code == "canceled" or err.code == "network", tostring(err))
    client:close(0)
  end)
end)
