-- SPDX-License-Identifier: MIT
-- The client: options, events, numbers, closing.
local tw = require "tidewheel"
local support = require "support"

local function failed(code, pattern, value, err)
  assert.is_nil(value)
  assert.is_table(err)
  assert.equal(code, err.code, tostring(err))
  if pattern then
    assert.truthy((err.message .. " " .. (err.field or "")):find(pattern), tostring(err))
  end
  return err
end

describe("new", function()
  it("refuses bad options at once, naming the rule", function()
    local good = { api_key = ("a"):rep(32), secret_key = ("b"):rep(32) }
    local function bad(more, pattern)
      local options = {}
      for name, value in pairs(good) do
        options[name] = value
      end
      for name, value in pairs(more) do
        options[name] = value
      end
      return failed("config", pattern, tw.new(options))
    end
    local client = assert(tw.new(good))
    client:close(0)
    bad({ colour = "blue" }, "colour")
    bad({ base_ulr = "http://127.0.0.1" }, "base_url")
    bad({ region = "mars" }, "region")
    bad({ base_url = "http://example.com" }, "base_url")
    bad({ base_url = "ftp://example.com" }, "base_url")
    bad({ api_key = "a\nb" }, "api_key")
    bad({ secret_key = "b\r\nX: y" }, "secret_key")
    bad({ api_key = 5 }, "api_key")
    bad({ region = true }, "region")
    failed("config", "api_key", tw.new {})
    failed("config", "api_key", tw.new { api_key = "" })
  end)

  it("never shows a secret", function()
    local secret = "s3cret" .. ("x"):rep(20) .. "\n"
    local err = failed("config", nil, tw.new { api_key = ("k"):rep(32), secret_key = secret })
    assert.is_nil(tostring(err):find("s3cret", 1, true))
  end)

  it("raises on misuse", function()
    assert.has_error(function() tw.new() end)
    assert.has_error(function() tw.new "key" end)
    assert.has_error(function() tw.new { "key" } end)
    assert.has_error(function() tw.new { api_key = {} } end)
    assert.has_error(function() tw.new { api_key = ("a"):rep(32), default = true } end)
  end)
end)

describe("a client", function()
  local emulator, client

  setup(function()
    emulator = support.emulator()
  end)
  teardown(function()
    emulator:close()
  end)
  before_each(function()
    client = support.client(emulator)
  end)
  after_each(function()
    client:close(5)
  end)

  it("delivers events as they were given", function()
    local user = "lua-types-" .. _VERSION
    local properties = {
      text = "gr\195\188n \240\159\140\138 \"quoted\"\n",
      int = 42,
      real = 0.1,
      big = 9007199254740991,
      yes = true,
      no = false,
      null = tw.null,
      list = { 1, "two", { three = 3 } },
      empty_list = tw.array {},
      empty_map = {},
      nested = { a = { b = { c = "d" } } },
    }
    assert.is_true(client:track {
      user_id = user,
      event_type = "typed",
      time = os.time() * 1000,
      event_properties = properties,
    })
    local stats = assert(client:flush(30))
    assert.equal(1, stats.stored)
    assert.equal(0, stats.waiting)
    local found
    for event in client:export(support.window()) do
      if event.user_id == user then
        assert.is_nil(found, "it came twice")
        found = event
      end
    end
    assert.equal("typed", found.event_type)
    assert.same(properties, found.event_properties)
    assert.equal("[]", tw.json.encode(found.event_properties.empty_list))
    assert.equal("{}", tw.json.encode(found.event_properties.empty_map))
  end)

  it("refuses bad events with path and rule, and counts them", function()
    local function bad(event, field, pattern)
      local err = failed("validation", pattern, client:track(event))
      assert.equal(field, err.field, tostring(err))
      assert.equal("no", err.stored)
    end
    bad({ user_id = "someone" }, "event_type")
    bad({ event_type = "x", user_id = "someone", event_properties = { f = print } },
      "event_properties.f", "function")
    bad({ event_type = "x", user_id = "someone", event_properties = { a = { 1, { b = 0 / 0 } } } },
      "event_properties.a[1].b", "NaN")
    bad({ event_type = "x", user_id = "someone", event_properties = { s = ("x"):rep(1025) } },
      "event_properties.s", "1,?024")
    bad({ event_type = "x", user_id = "someone", event_properties = { s = "\255" } },
      "event_properties.s", "UTF%-8")
    bad({ event_type = 5, user_id = "someone" }, "event_type")
    bad({ event_type = "x", user_id = "someone", event_properties = { 1, 2 } },
      "event_properties")
    bad({ event_type = "x", user_id = "ab" }, "user_id")
    bad({ event_type = "x", user_id = "someone", price = 1, productId = 5 }, "productId")
    bad({ event_type = "x", user_id = "someone", colour = "blue" }, "colour")
    failed("validation", nil, client:track { event_type = "x" })
    failed("validation", nil, client:track {})
    local stats = client:stats()
    assert.equal(0, stats.accepted)
    assert.equal(12, stats.refused)
    assert.has_error(function() client:track() end)
    assert.has_error(function() client:track "event" end)
    assert.has_error(function() client.track({}, {}) end)
  end)

  it("turns operations into identify events", function()
    local user = "lua-identify-" .. _VERSION
    assert(client:identify {
      user_id = user,
      set = { plan = "gold", old = 1 },
      add = { visits = 2 },
      append = { tags = { "a", "b" } },
    })
    assert(client:identify {
      user_id = user, unset = { "old" }, clear_all = false, add = { visits = 3 },
    })
    assert(client:group_identify {
      user_id = user, group_type = "org", group_value = "acme", set = { seats = 5 },
    })
    assert(client:track { user_id = user, event_type = "after", groups = { org = "acme" } })
    local stats = assert(client:flush(30))
    assert.equal(4, stats.stored)
    local kinds, after = {}, nil
    for event in client:export(support.window { drop_null = true }) do
      if event.user_id == user then
        kinds[event.event_type] = (kinds[event.event_type] or 0) + 1
        after = event.event_type == "after" and event or after
      end
    end
    assert.equal(1, kinds.after)
    assert.same({ plan = "gold", visits = 5, tags = { "a", "b" } }, after.user_properties)
    assert.has_error(function()
      client:identify { user_id = user, user_properties = { a = 1 }, set = { b = 2 } }
    end)
    assert.has_error(function() client:identify { user_id = user, event_type = "x" } end)
    failed("validation", "unset", client:identify { user_id = user, unset = { 1 } })
    failed("validation", nil, client:group_identify { user_id = user, group_value = "acme" })
    assert.has_error(function()
      client:group_identify { group_type = "org", group_value = "acme", groups = { org = "b" } }
    end)
  end)

  it("sends revenue with the documented names", function()
    local user = "lua-revenue-" .. _VERSION
    assert(client:revenue { user_id = user, price = 1.25, quantity = 3, product_id = "cd" })
    assert(client:revenue {
      user_id = user, revenue = -2.5, revenue_type = "refund", event_type = "Refund",
    })
    assert(client:flush(30))
    local sum, product = 0, nil
    for event in client:export(support.window()) do
      if event.user_id == user then
        sum = sum + event.event_properties["$revenue"]
        product = product or event.event_properties["$productId"]
      end
    end
    assert.equal(1.25, sum)
    assert.equal("cd", product)
    failed("validation", "productId", client:revenue { user_id = user, product_id = "cd" })
  end)

  it("keeps its books", function()
    for i = 1, 2500 do
      local user = "lua-books-" .. i % 100 -- one alone would be throttled
      assert(client:track { user_id = user, event_type = "n", event_properties = { i = i } })
    end
    local s = assert(client:flush(60))
    assert.equal(2500, s.accepted)
    assert.equal(s.accepted,
      s.stored + s.rejected + s.uncertain + s.expired + s.dropped + s.waiting)
    assert.equal(2500, s.stored)
  end)

  it("says why nothing goes out, until it does", function()
    local s = client:stats()
    assert.is_nil(s.last_error)
    assert.is_nil(s.last_error_time)
    assert.equal(0, s.oldest_age)
    assert.equal(0, s.held + s.rejections_missed + s.clock_suspect)
    emulator:faults { {
      when = "before_commit", ["do"] = { status = 200, body = "<html>log in</html>" }, count = 1,
    } }
    assert(client:track { user_id = "lua-trouble", event_type = "n" })
    client:flush(0)
    repeat s = client:stats() until s.last_error
    assert.equal("protocol", s.last_error.code)
    assert.equal(200, s.last_error.http_status)
    assert.matches("captive portal", tostring(s.last_error))
    assert.is_true(math.abs(s.last_error_time - os.time()) < 100)
    assert.is_true(s.oldest_age >= 0)
    assert.equal(1, assert(client:flush(30)).stored)
    assert.is_nil(client:stats().last_error)
  end)

  it("counts an insert_id that is given to two events", function()
    for n = 1, 2 do
      assert(client:track {
        user_id = "lua-given", event_type = "n", insert_id = "given", event_properties = { n = n },
      })
    end
    assert.equal(1, client:stats().dup_insert_id)
  end)

  it("answers closed after close, which can be repeated", function()
    assert(client:track { user_id = "lua-close", event_type = "last" })
    local report = assert(client:close(10))
    assert.same({
      accepted = 1, stored = 1, rejected = 0, uncertain = 0, expired = 0, dropped = 0,
      waiting = 0, recovered = 0, lost = 0, merged = 0, complete = true,
    }, report)
    assert.same(report, (client:close()))
    assert.equal(1, client:stats().stored)
    failed("closed", nil, client:track { user_id = "lua-close", event_type = "late" })
    failed("closed", nil, client:identify { user_id = "lua-close", set = { a = 1 } })
    failed("closed", nil, client:flush())
    failed("closed", nil, client:flush_start())
    failed("closed", nil, client:describe())
    failed("closed", nil, client:raw("export"))
    failed("closed", nil, client.cohorts:list())
    failed("closed", nil, client.cohorts:download "abc")
    failed("closed", nil, client.cohorts:update("abc", { add = { "x" } }))
    local ok, err = pcall(client.export, client, support.window())
    assert.is_false(ok)
    assert.equal("closed", err.code)
    assert.equal(0, client:update())
    assert.truthy(tostring(client):find "closed")
  end)

  it("counts what could not be sent when it is closed", function()
    local lost = support.client(emulator, { base_url = "http://127.0.0.1:9" })
    assert(lost:track { user_id = "lua-lost", event_type = "lost" })
    local value, err, report = lost:close(0.05)
    assert.is_nil(value)
    assert.equal("timeout", err.code)
    assert.equal(1, report.accepted)
    assert.equal(1, report.expired + report.uncertain)
    assert.equal(0, report.waiting)
    assert.is_false(report.complete)
  end)

  it("describes itself without secrets", function()
    local description = assert(client:describe())
    local text = tw.json.encode(description)
    assert.is_nil(text:find(emulator.secret_key, 1, true))
    assert.is_nil(tostring(client):find(emulator.secret_key, 1, true))
  end)

  it("maps a refused key pair", function()
    local other = support.client(emulator, { secret_key = "emu-wrong-secret-key-000000000000" })
    local err = failed("auth", nil, other.cohorts:list())
    assert.equal(403, err.http_status)
    assert.is_false(err.retriable)
    other:close(0)
  end)

  it("asks the hook for values that JSON has no type for", function()
    local hooked = support.client(emulator, {
      default = function(value)
        if type(value) == "function" then
          return "a function"
        end
        error "no idea"
      end,
    })
    assert(hooked:track {
      user_id = "lua-hook", event_type = "hooked", event_properties = { f = { print } },
    })
    assert.has_error(function()
      hooked:track { user_id = "lua-hook", event_type = "x", event_properties = { f = io.stdout } }
    end)
    local thread = coroutine.wrap(function()
      return hooked:track {
        user_id = "lua-hook", event_type = "x", event_properties = { f = print },
      }
    end)
    assert.is_true(thread())
    local stats = assert(hooked:close(10))
    assert.equal(2, stats.stored)
    assert.equal(2, stats.accepted)
  end)

  it("may be used while the hook runs", function()
    local inner
    inner = support.client(emulator, {
      default = function()
        assert(inner:track { user_id = "lua-inner", event_type = "inner" })
        return true
      end,
    })
    assert(inner:track {
      user_id = "lua-outer", event_type = "outer", event_properties = { f = print },
    })
    assert.equal(2, assert(inner:close(10)).stored)
  end)

  it("calls endpoints by name", function()
    local reply = assert(client:raw "cohorts.list")
    assert.equal(200, reply.status)
    assert.is_table(assert(tw.json.decode(reply.body)).cohorts)
    assert.has_error(function() client:raw "no.such.endpoint" end)
    assert.has_error(function() client:raw() end)
    assert.has_error(function() client:raw("cohorts.list", { colour = "blue" }) end)
    assert.has_error(function() client:raw("cohorts.list", { query = { a = {} , [1] = "x" } }) end)
    assert.has_error(function() client:raw("cohorts.list", { query = { f = print } }) end)
  end)

  it("makes a to-be-closed variable of itself", function()
    if not support.is_54 then
      return
    end
    local scope = assert(load([[
      local client = ...
      local c <close> = client
      assert(c:track{ user_id = "lua-scope", event_type = "scoped" })
    ]]))
    scope(client)
    assert.equal(1, client:stats().stored)
    failed("closed", nil, client:track { user_id = "lua-scope", event_type = "late" })
  end)

  it("works while every allocation collects", function()
    local pause, step = collectgarbage("setpause", 0), collectgarbage("setstepmul", 100000)
    for i = 1, 60 do
      assert(client:track {
        user_id = "lua-gc-" .. i, event_type = "gc", event_properties = { list = { {}, { i } } },
      })
      client:track { event_type = "refused", event_properties = { f = print } }
    end
    assert.equal(60, assert(client:flush(30)).stored)
    local count = 0
    for event in client:export(support.window { fields = { "event_type", "event_properties" } }) do
      if event.event_type == "gc" then
        count = count + 1
        assert(event.event_properties.list[2][1])
      end
    end
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", step)
    assert.equal(60, count)
  end)

  it("goes quietly with the state, whatever is open", function()
    local text, well = support.run(([[
      local tw = require "tidewheel"
      local client = assert(tw.new{ api_key = %q, secret_key = %q, base_url = %q })
      client:track{ user_id = "lua-exit", event_type = "exit" }
      keep = { client, client:export{ start = %q, stop = %q }, client:flush_start(),
        client:flush_start(function() end), client.cohorts:list_start(), client.cohorts }
      keep[#keep + 1] = assert(client.cohorts:download "unknown")
      for item in pairs(keep) do _G["x" .. item] = keep[item] end
      -- A finalizer that outlives the others finds closed objects.
      local proxy = newproxy and newproxy(true) or setmetatable({}, { __gc = true })
      getmetatable(proxy).__gc = function()
        local ok, err = client:track{ user_id = "lua-exit", event_type = "late" }
        print(ok, type(err) == "table" and err.code)
      end
      keep[#keep + 1] = proxy
      client:close(0)
    ]]):format(emulator.api_key, emulator.secret_key, emulator.url, support.window().start,
      support.window().stop))
    assert.is_true(well, text)
    assert.equal("nil\tclosed\n", text)
  end)

  it("leaves nothing to the programs that the script starts", function()
    local text, well = support.run(([[
      local tw = require "tidewheel"
      local folder = os.tmpname()
      os.remove(folder)
      local client = assert(tw.new{ api_key = %q, base_url = %q, spool = folder })
      assert(client:track{ user_id = "lua-exec", event_type = "exec" })
      assert(client:flush_start(function() end))
      assert(client:flush(30))
      print(io.popen("ls -l /proc/$PPID/fd"):read "*a")
      print "--"
      print(io.popen("ls -l /proc/self/fd"):read "*a")
      client:close()
      os.execute("rm -rf " .. folder)
    ]]):format(emulator.api_key, emulator.url))
    assert.is_true(well, text)
    local ours, theirs = text:match "^(.*)\n%-%-\n(.*)$"
    assert.truthy(ours:find "socket:" and ours:find "%.seg") -- it had something to leave
    assert.is_nil(theirs:find "socket:", theirs)
    assert.is_nil(theirs:find "anon_inode", theirs)
    assert.is_nil(theirs:find "tw1%-", theirs)
  end)

  it("is collected without waiting, and says so when events are lost", function()
    local start = tw.clock()
    local lost = support.client(emulator, { base_url = "http://127.0.0.1:9" })
    assert(lost:track { user_id = "lua-lost", event_type = "lost" })
    lost = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.is_true(tw.clock() - start < 5)
  end)
end)
