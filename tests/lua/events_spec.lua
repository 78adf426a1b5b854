-- SPDX-License-Identifier: MIT
-- Builders, many events at a time, defaults and the hook before acceptance.
local tw = require "tidewheel"
local events = require "tidewheel.events"
local support = require "support"

local function event(n)
  return { event_type = "e", user_id = "user-" .. n, event_properties = { n = n } }
end

local function list_of(count)
  local list = {}
  for n = 0, count - 1 do
    list[n + 1] = event(n)
  end
  return list
end

local function read_vectors(name)
  local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"
  local file = assert(io.open(here .. "/../vectors/" .. name))
  local text = file:read "*a"
  file:close()
  return assert(tw.json.decode(text)).cases
end

describe("events", function()
  local emulator, clients

  setup(function()
    emulator = support.emulator()
  end)
  teardown(function()
    emulator:close()
  end)
  before_each(function()
    clients = {}
  end)
  after_each(function()
    for _, client in ipairs(clients) do
      client:close(0)
    end
    emulator:reset()
  end)

  -- Nothing is sent before a flush.
  local function make(options)
    options = options or {}
    options.flush_interval = options.flush_interval or 3600
    clients[#clients + 1] = support.client(emulator, options)
    return clients[#clients]
  end

  -- The events of all requests, in order.
  local function sent()
    local list = {}
    for _, entry in ipairs(emulator:journal()) do
      local body = assert(tw.json.decode(support.base64(entry.body_base64)))
      for _, one in ipairs(body.events) do
        list[#list + 1] = one
      end
    end
    return list
  end

  it("are not overwritten by a builder", function()
    local client = make()
    for _, case in ipairs {
      { "identify", { user_id = "user-1", event_type = "e" } },
      { "identify", { set = { a = 1 }, user_properties = { b = 1 } } },
      { "group_identify", { group_type = "a", group_value = "b", groups = { a = "b" } } },
      { "group_identify", { set = { a = 1 }, group_properties = { b = 1 } } },
      { "group_identify", { group_type = 1, group_value = "b" } },
      { "revenue", { product_id = "a", productId = "b" } },
      { "group_identify", { group_value = "b", groups = { a = "b" } } },
      { "identify", { unset = "name" } },
      { "identify", { user_id = "user-1", unset = { name = true } } },
      { "identify", { user_id = "user-1", unset = { "a", nil, "c" } } },
      { "identify", "user-1" },
    } do
      assert.has_error(function() client[case[1]](client, case[2]) end)
    end
    assert.equal(0, client:stats().accepted)
  end)

  it("are accepted many at a time, in order", function()
    local client = make()
    assert.equal(0, client:track_many {})
    assert.equal(200, client:track_many(list_of(200)))
    local n = 200
    assert.equal(5, client:track_many(function()
      n = n + 1
      return n <= 205 and event(n - 1) or nil
    end))
    assert.equal(205, assert(client:flush(30)).stored)
    for i, one in ipairs(sent()) do
      assert.equal(i - 1, one.event_properties.n)
    end
  end)

  it("are not taken for a list of events", function()
    local client = make()
    for _, case in ipairs { event(1), { [0] = event(1) }, { a = event(1) } } do
      local ok, err = pcall(client.track_many, client, case)
      assert.is_false(ok)
      assert.matches("list of events", err)
    end
    assert.equal(0, client:stats().accepted)
    local ok, err = pcall(client.track_many, client, { event(1), nil, event(3) })
    assert.is_false(ok)
    assert.matches("event 1 is a nil", err)
    assert.equal(1, client:stats().accepted)
  end)

  it("are taken one by one", function()
    local client, seen, n = make(), {}, 0
    assert.equal(130, client:track_many(function()
      seen[#seen + 1] = client:stats().accepted
      n = n + 1
      return n <= 130 and event(n) or nil
    end))
    assert.equal(0, seen[64])
    assert.equal(64, seen[65])
    assert.equal(128, seen[129])
  end)

  it("are accepted up to a bad one", function()
    for _, bad in ipairs { 0, 1, 63, 64, 65, 128 } do
      local client, list = make(), list_of(140)
      list[bad + 1].user_id = "abc"
      local count, err, accepted = client:track_many(list)
      assert.is_nil(count)
      assert.equal("validation", err.code)
      assert.equal(bad, err.index)
      assert.equal("user_id", err.field)
      assert.equal(bad, accepted)
      assert.equal(bad, client:stats().accepted)
    end
    local client, list, n = make(), list_of(4), 0
    list[2].user_id = nil
    local function source()
      n = n + 1
      return list[n]
    end
    assert.equal(1, select(2, client:track_many(source)).index)
    assert.equal(2, client:track_many(source))
  end)

  it("are accepted up to an error", function()
    local client, n = make(), 0
    assert.has_error(function()
      client:track_many(function()
        n = n + 1
        return n <= 70 and event(n) or error "source"
      end)
    end)
    assert.equal(70, client:stats().accepted)
    assert.has_error(function() client:track_many { event(1), 7 } end)
    assert.equal(71, client:stats().accepted)
    assert.has_error(function() client:track_many() end)
    assert.has_error(function() client:track_many "events" end)
    client:close(0)
    assert.equal("closed", select(2, client:track_many { event(1) }).code)
  end)

  it("say where a full queue ended them", function()
    local count, err, accepted = make({ queue_events = 100 }):track_many(list_of(200))
    assert.is_nil(count)
    assert.equal("queue_full", err.code)
    assert.equal(100, err.index)
    assert.equal(100, accepted)
    count, err, accepted = make({
      queue_events = 2, on_queue_full = "block", block_timeout = 0.01,
    }):track_many(list_of(5))
    assert.is_nil(count)
    assert.equal("queue_full", err.code)
    assert.equal(2, err.index)
    assert.equal(2, accepted)
    local patient = make { queue_events = 10, on_queue_full = "block", flush_interval = 0 }
    assert.equal(100, patient:track_many(list_of(100)))
    assert(patient:flush(30)) -- else a late request would show in the next test
  end)

  it("go through default", function()
    local client = make { default = function() return "a function" end }
    assert.equal(1, client:track_many {
      { event_type = "e", user_id = "user-1", event_properties = { n = print } },
    })
    local angry = make { default = function() error "no idea" end }
    assert.has_error(function()
      angry:track_many { event(1), { event_type = "e", user_id = "user-1", groups = print } }
    end)
    assert.equal(1, angry:stats().accepted)
  end)

  it("get the defaults", function()
    local function same(given)
      return given
    end
    for _, case in ipairs(read_vectors "defaults.json") do
      local given = tw.json.encode(case.event)
      for _, hook in ipairs { false, same } do
        local merged = events.preparer(case.defaults, hook)(case.event)
        assert.equal(tw.json.encode(case.merged), tw.json.encode(merged), case.name)
      end
      assert.equal(given, tw.json.encode(case.event), case.name)
    end
    local defaults = { user_id = "user-1", event_properties = { shop = "main" } }
    local client = make { defaults = defaults }
    defaults.event_properties.shop = "changed"
    assert(client:track { event_type = "a" })
    assert(client:track_many { { event_type = "b", event_properties = { n = 1 } } })
    assert(client:identify { set = { x = 1 } })
    assert(client:revenue { price = 2, user_id = "user-2" })
    assert(client:flush(30))
    local list = sent()
    assert.same({ shop = "main" }, list[1].event_properties)
    assert.same({ shop = "main", n = 1 }, list[2].event_properties)
    assert.is_nil(list[3].event_properties)
    assert.equal("user-1", list[3].user_id)
    assert.equal("user-2", list[4].user_id)
  end)

  it("do not get bad defaults", function()
    for _, case in ipairs {
      { { user_id = "abc" }, "defaults.user_id", "at least 5" },
      { { shop = 1 }, "defaults.shop", "is not an event field" },
      { { event_properties = { f = 0 / 0 } }, "defaults.event_properties.f", "NaN" },
      { { insert_id = "i" }, "defaults.insert_id", "of one event" },
      { { time = 1767225600123 }, "defaults.time", "of one event" },
    } do
      local client, err = tw.new { api_key = ("a"):rep(32), defaults = case[1] }
      assert.is_nil(client)
      assert.equal("config", err.code)
      assert.equal(case[2], err.field)
      assert.truthy(err.message:find(case[2] .. ": ", 1, true))
      assert.truthy(err.message:find(case[3], 1, true), err.message)
    end
    local key = ("a"):rep(32)
    assert.has_error(function() tw.new { api_key = key, defaults = 1 } end)
    assert.has_error(function() tw.new { api_key = key, before_send = 1 } end)
    assert.equal("api_key", select(2, tw.new { defaults = {} }).field)
  end)

  it("are changed and kept back by the hook", function()
    local client = make {
      defaults = { country = "Chile" },
      before_send = function(given)
        local properties = given.event_properties or {}
        if properties.n == 1 then
          return nil
        end
        properties.email = nil
        given.platform = "Web"
        return given
      end,
    }
    local given = event(0)
    given.event_properties.email = "ana@shop.test"
    assert.is_true(client:track(given))
    assert.is_true(client:track(event(1)))
    assert.equal(69, client:track_many(list_of(70)))
    assert.is_true(client:identify { user_id = "user-1", set = { a = 1 } })
    assert.equal("ana@shop.test", given.event_properties.email)
    assert.equal(2, client:stats().filtered)
    assert.equal(71, assert(client:flush(30)).stored)
    local list = sent()
    assert.equal(71, #list)
    for i, one in ipairs(list) do
      assert.equal("Web", one.platform)
      assert.equal("Chile", one.country)
      assert.is_nil((one.event_properties or {}).email)
      assert.is_true(i < 3 or i == 71 or one.event_properties.n == i - 1)
    end
  end)

  it("have values that are changed on request, and counted", function()
    local mends = {
      on_long_string = "truncate", on_invalid_utf8 = "replace", on_nan = "null",
      big_ints = "string",
    }
    local rows = {
      { "on_long_string", "truncated", ("x"):rep(1025), ("x"):rep(1024) },
      { "on_long_string", "truncated", ("x"):rep(1023) .. "😀é", ("x"):rep(1023) .. "😀" },
      { "on_invalid_utf8", "replaced", "a\255\254z", "a��z" },
      { "on_invalid_utf8", "replaced", "a\237\160\128z", "a�z" },
      { "on_nan", "nulled", 0 / 0, tw.null },
      { "on_nan", "nulled", -math.huge, tw.null },
    }
    if support.is_jit then
      local unsigned = require("ffi").typeof "uint64_t"
      rows[#rows + 1] = {
        "big_ints", "stringified", unsigned(0) - 1, "18446744073709551615",
      }
    end
    for _, row in ipairs(rows) do
      local option, count, given, wanted = row[1], row[2], row[3], row[4]
      local others = {}
      for name, value in pairs(mends) do
        others[name] = name ~= option and value or nil
      end
      local bad = { event_type = "e", user_id = "user-1", event_properties = { n = { 1, given } } }
      local ok, err = make(others):track(bad)
      assert.is_nil(ok)
      assert.equal("event_properties.n[1]", err.field)
      emulator:reset()
      local client = make { [option] = mends[option] }
      assert(client:track(bad))
      assert.equal(2, client:track_many { bad, event(0) })
      assert(client:flush(30))
      assert.equal(wanted, sent()[1].event_properties.n[2])
      assert.equal(wanted, sent()[2].event_properties.n[2])
      local stats = client:stats()
      for _, name in ipairs { "truncated", "replaced", "nulled", "stringified" } do
        assert.equal(name == count and 2 or 0, stats[name], name)
      end
    end
    local client = make(mends)
    for _, case in ipairs {
      { { user_id = ("u"):rep(1025) }, "user_id" },
      { { device_id = "device-\255" }, "device_id" },
      { { insert_id = ("i"):rep(1025) }, "insert_id" },
      { { event_properties = { ["\255"] = 1 } }, "event_properties" },
    } do
      local bad = event(1)
      for name, value in pairs(case[1]) do
        bad[name] = value
      end
      local ok, err = client:track(bad)
      assert.is_nil(ok)
      assert.equal(case[2], err.field)
    end
  end)

  it("have a way around: identifications, checked the same", function()
    local client = make()
    for _, case in ipairs(read_vectors "identifications.json") do
      local call = case.groups and client.raw_group_identify or client.raw_identify
      local text, err = call(client, case.identification)
      if not case.error then
        assert.equal("success", text, case.name)
      else
        assert.is_nil(text, case.name)
        assert.equal("validation", err.code, case.name)
        assert.truthy(err.message:find(case.error.rule, 1, true), case.name .. err.message)
        if not case.needs then
          assert.equal(case.error.field, err.field, case.name)
        end
      end
    end
    local short = make { min_id_length = 3 }
    assert.equal("success", short:raw_identify { user_id = "abc" })
    assert.equal("success", assert(short:raw_identify_start { user_id = "abc" }):wait(10))
  end)

  it("do not let a hook yield out of the call", function()
    local client = make {
      before_send = function(given)
        return coroutine.yield(given) or given
      end,
    }
    local co = coroutine.create(function() return client:track(event(1)) end)
    local ok, value = coroutine.resume(co)
    assert.is_false(ok)
    assert.truthy(tostring(value):find "yield", value)
    assert.equal(0, client:stats().accepted)
    -- All else works inside a coroutine, and from one to the next.
    local plain = make {}
    for n = 1, 3 do
      assert(coroutine.wrap(function() return plain:track(event(n)) end)())
    end
    assert.equal(3, assert(coroutine.wrap(function() return plain:flush(30) end)()).stored)
  end)

  it("get the errors of the hook", function()
    local client = make {
      before_send = function(given)
        local n = given.event_properties.n
        if n == 3 then
          error "hook"
        end
        return n ~= 4 and given or 7
      end,
    }
    assert.has_error(function() client:track(event(3)) end)
    assert.has_error(function() client:track(event(4)) end)
    assert.has_error(function() client:track_many(list_of(5)) end)
    assert.equal(3, client:stats().accepted)
    local mending = make {
      before_send = function(given)
        given.user_id = "user-1"
        return given
      end,
    }
    assert(mending:track { event_type = "e", user_id = "abc" })
    local closing
    closing = make { before_send = function() closing:close(0) return {} end }
    assert.equal("closed", select(2, closing:track(event(1))).code)
  end)
end)
