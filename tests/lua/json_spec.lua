-- SPDX-License-Identifier: MIT
-- tw.json: what becomes of Lua values and of JSON documents.
local tw = require "tidewheel"
local support = require "support"

local encode, decode = tw.json.encode, tw.json.decode

local function refused(value, path, rule, default)
  local text, err = encode(value, default)
  assert.is_nil(text)
  assert.equal("validation", err.code)
  assert.equal(path, err.field or "")
  assert.truthy(err.message:find(rule, 1, true), err.message)
  assert.is_false(err.retriable)
  assert.equal("no", err.stored)
end

describe("json.encode", function()
  it("writes each type as its own", function()
    assert.equal("true", encode(true))
    assert.equal("false", encode(false))
    assert.equal("null", encode(tw.null))
    assert.equal('"a\\"b"', encode 'a"b')
    assert.equal("1", encode(1))
    assert.equal("-5", encode(-5))
    assert.equal("0.1", encode(0.1))
    assert.equal("[1,\"x\",[true]]", encode { 1, "x", { true } })
    assert.equal('{"a":{"b":[]}}', encode { a = { b = tw.array() } })
  end)

  it("keeps whole numbers whole", function()
    assert.equal("9007199254740991", encode(2 ^ 53 - 1):match "^%d+")
    if support.has_integers then
      assert.equal("9223372036854775807", encode(math.maxinteger)) -- luacheck: ignore 143
      assert.equal("-9223372036854775808", encode(math.mininteger)) -- luacheck: ignore 143
      assert.equal("1.0", encode(1.0))
    else
      assert.equal("1", encode(1.0))
      assert.equal("9007199254740992", encode(2 ^ 53))
    end
    assert.equal(2 ^ 60, tonumber(encode(2 ^ 60)))
    assert.equal("1e300", encode(1e300))
  end)

  it("reads a table as an array if its keys are exactly 1..n", function()
    assert.equal("[1,2,3]", encode { 1, 2, 3 })
    -- The same, whatever order the hash part has.
    local list = {}
    for i = 40, 1, -1 do
      list[i] = i
    end
    local expected = {}
    for i = 1, 40 do
      expected[i] = i
    end
    assert.equal("[" .. table.concat(expected, ",") .. "]", encode(list))
  end)

  it("takes an empty table for an object, unless it is marked", function()
    assert.equal("{}", encode {})
    assert.equal("[]", encode(tw.array {}))
    assert.equal("{}", encode(tw.object {}))
    assert.equal("[]", encode(tw.array()))
  end)

  it("refuses tables that are neither", function()
    refused({ 1, nil, 3 }, "[1]", "other than 1..n")
    refused({ [0] = "zero" }, "[0]", "other than 1..n")
    refused({ [2] = "two" }, "[0]", "other than 1..n")
    refused({ [1.5] = "x" }, "[0]", "other than 1..n")
    refused({ [true] = 1 }, "", "neither strings nor 1..n")
    refused({ a = { [{}] = 1 } }, "a", "neither strings nor 1..n")
    local text, err = encode { "x", a = 1 }
    assert.is_nil(text)
    assert.truthy(err.message:find("both string keys and number keys", 1, true), err.message)
    -- 1 and "1" would be the same key.
    text, err = encode { [1] = "a", ["1"] = "b" }
    assert.is_nil(text)
    assert.equal("validation", err.code)
  end)

  it("holds marked tables to their mark", function()
    refused(tw.array { a = 1 }, "[0]", "marked as an array")
    refused(tw.array { [3] = 1 }, "[0]", "marked as an array")
    refused(tw.object { "x" }, "", "marked as an object")
    assert.equal("[1]", encode(tw.array { 1 }))
    assert.equal('{"a":1}', encode(tw.object { a = 1 }))
    -- A mark can be changed, a table with a metatable of its own cannot be marked.
    assert.equal("{}", encode(tw.object(tw.array {})))
    assert.has_error(function()
      tw.array(setmetatable({}, {}))
    end)
    assert.has_error(function()
      tw.array "text"
    end)
  end)

  it("writes members in the byte order of their names, however many there are", function()
    assert.equal('{"":1,"A":2,"a":{"b":1,"c":2},"a\\u0000":3,"a b":4,"aa":5,"long name 1":6,' ..
      '"long name 10":7,"long name 2":8,"\195\169":9}', encode {
        ["\195\169"] = 9, ["long name 2"] = 8, ["long name 10"] = 7, ["long name 1"] = 6,
        aa = 5, ["a b"] = 4, ["a\0"] = 3, a = { c = 2, b = 1 }, A = 2, [""] = 1,
      })
    -- Around where the sort changes, the stack's slots end, and LuaJIT has no stack at all.
    for _, n in ipairs { 39, 40, 41, 42, 127, 128, 255, 256, 257, 258, 5000 } do
      local names, map = {}, {}
      for i = 1, n do
        names[i] = "name" .. (i * 7919) % 10007
        map[names[i]] = { b = i, a = tw.array() }
      end
      table.sort(names)
      for i, name in ipairs(names) do
        names[i] = ('"%s":{"a":[],"b":%d}'):format(name, map[name].b)
      end
      assert.equal("{" .. table.concat(names, ",") .. "}", encode(map))
      map[1] = true
      assert.is_nil(encode(map))
    end
    -- Tables within each other share the slots.
    local nested, text = "leaf", '"leaf"'
    for _ = 1, 30 do
      local map = { m = nested }
      for i = 10, 60 do
        map["k" .. i] = i
      end
      nested = map
    end
    local parts = {}
    for i = 10, 60 do
      parts[#parts + 1] = ('"k%d":%d'):format(i, i)
    end
    for _ = 1, 30 do
      text = "{" .. table.concat(parts, ",") .. ',"m":' .. text .. "}"
    end
    assert.equal(text, encode(nested))
  end)

  it("writes what was there when a hook changes the table", function()
    for _, n in ipairs { 5, 600 } do
      local map = {}
      for i = 1, n do
        map[("key%d with a name that is long enough to be no short string"):format(i)] = print
      end
      local text = assert(encode(map, function()
        for name in pairs(map) do
          map[name] = nil
        end
        collectgarbage()
        assert(encode({ b = print, a = print }, function() return 1 end) == '{"a":1,"b":1}')
        return "x"
      end))
      assert.equal(n, select(2, text:gsub('":"x"', "")))
      assert.has_error(function()
        encode({ a = { b = print } }, function() error("mine", 0) end)
      end, "mine")
    end
  end)

  it("looks at tables raw", function()
    local called = false
    local function trap()
      called = true
      error "not to be called"
    end
    local t = setmetatable({ a = 1 }, { __index = trap, __pairs = trap, __len = trap })
    assert.equal('{"a":1}', encode(t))
    assert.is_false(called)
  end)

  it("refuses what JSON has no type for, naming the place", function()
    refused(print, "", "is a function")
    refused({ a = { { b = print } } }, "a[0].b", "is a function")
    refused({ x = coroutine.create(function() end) }, "x", "is a thread")
    refused({ x = io.stdout }, "x", "is a userdata")
    refused({ 1, 0 / 0 }, "[1]", "NaN")
    refused({ v = 1 / 0 }, "v", "infinit")
    refused({ v = -1 / 0 }, "v", "infinit")
    refused({ v = "\255" }, "v", "UTF-8")
    refused({ v = "\237\160\128" }, "v", "UTF-8")
    local text, err = encode { ["\192\128"] = 1 }
    assert.is_nil(text)
    assert.truthy(err.message:find("UTF-8", 1, true))
    refused(nil, "", "is nil")
  end)

  it("stops at cycles and at too much depth", function()
    local cycle = {}
    cycle.t = cycle
    local text, err = encode(cycle)
    assert.is_nil(text)
    assert.equal("validation", err.code)
    assert.truthy(err.message:find("deeper", 1, true), err.message)
    local list = {}
    list[1] = list
    assert.is_nil((encode(list)))
    local deep = 1
    for _ = 1, 64 do
      deep = { deep }
    end
    assert.is_string(encode(deep))
    assert.is_nil((encode { deep }))
  end)

  it("asks the hook for what it cannot write", function()
    local function default(value)
      return { kind = type(value) }
    end
    assert.equal('[{"kind":"function"},1]', encode({ print, 1 }, default))
    assert.equal('{"kind":"userdata"}', encode(io.stdout, default))
    -- What the hook answers is not asked for again.
    refused({ a = print }, "a", "is a function", function(value)
      return value
    end)
    refused({ a = print }, "a", "is nil", function() end)
    -- Its error comes out as it is, and the encoder is in order afterwards.
    local ok, err = pcall(encode, { a = { print } }, function()
      error({ "mine" }, 0)
    end)
    assert.is_false(ok)
    assert.same({ "mine" }, err)
    assert.equal("[1]", encode { 1 })
    -- It may itself encode.
    assert.equal('["[true]"]', encode({ print }, function()
      return encode { true }
    end))
  end)

  it("can be used within coroutines, whose yields stop at it", function()
    local thread = coroutine.wrap(function()
      coroutine.yield(encode { 1 })
      return pcall(encode, { print }, function()
        coroutine.yield "out of the hook"
      end)
    end)
    assert.equal("[1]", thread())
    local ok, err = thread()
    assert.is_false(ok)
    assert.truthy(tostring(err):find("yield", 1, true), tostring(err))
  end)

  if support.is_jit then
    it("writes LuaJIT's boxed integers exactly", function()
      local ffi = require "ffi"
      assert.equal("[9223372036854775807]", encode { ffi.new("int64_t", 2 ^ 62) * 2 - 1 })
      assert.equal("[-1]", encode { ffi.new("int64_t", -1) })
      assert.equal("[5]", encode { ffi.new("uint64_t", 5) })
      refused({ ffi.new("uint64_t", 2 ^ 63) }, "[0]", "64 bits")
      refused({ ffi.new "int[2]" }, "[0]", "is a cdata")
      assert.equal('["int"]', encode({ ffi.new "int[2]" }, function()
        return "int"
      end))
    end)
  end
end)

describe("json.decode", function()
  it("reads each type as its own", function()
    assert.same({ 1, "x", true, false, tw.null, { a = "b" } },
      decode ' [1,"x",true,false,null,{"a":"b"}] ')
    assert.equal(tw.null, decode "null")
    assert.equal(0.001, decode "1e-3")
    assert.equal("\195\169\0", decode [["\u00e9\u0000"]])
    if support.has_integers then
      assert.equal("integer", math.type(decode "1")) -- luacheck: ignore 143
      assert.equal("float", math.type(decode "1.0")) -- luacheck: ignore 143
    end
  end)

  it("loses no digit of an integer", function()
    assert.equal(9007199254740992, decode "9007199254740992")
    assert.equal("9007199254740993", tostring(decode "9007199254740993"))
    assert.equal("-9223372036854775808", tostring(decode "-9223372036854775808"))
    assert.equal("18446744073709551615", decode "18446744073709551615")
  end)

  it("gives back what was encoded", function()
    for _, text in ipairs { "[]", "{}", "[[],{}]", '{"a":[null,0.1,"x",[]]}', '""', "[1.5e300]" } do
      assert.equal(text, encode(decode(text)))
    end
  end)

  it("refuses what is not exactly one document", function()
    for _, text in ipairs {
      "", " ", "[1,]", "{\"a\":1,}", "[1] 2", "tru", "01", "+1", ".5", "1.", "'a'", '"\\x"', "nan",
      '"\1"', '"\255"', "\239\187\191[]", "[", "{", '{"a"}', "{1:2}",
      ("["):rep(65) .. ("]"):rep(65),
    } do
      local value, err = decode(text)
      assert.is_nil(value, text)
      assert.equal("protocol", err.code, text)
      assert.is_string(err.message)
    end
    assert.is_table(decode(("["):rep(64) .. ("]"):rep(64)))
    assert.has_error(function()
      decode()
    end)
    assert.has_error(function()
      decode {}
    end)
  end)

  it("keeps apart keys that are alike", function()
    -- Many keys of few letters: the key cache has to evict.
    local parts, expected = {}, {}
    for i = 1, 5000 do
      local key = "k" .. i % 7 .. "_" .. i
      parts[i] = ('"%s":%d'):format(key, i)
      expected[key] = i
    end
    local text = "{" .. table.concat(parts, ",") .. "}"
    assert.same(expected, decode(text))
    assert.same(expected, decode(text))
    local long = ("x"):rep(1000)
    assert.same({ [long] = 1, [long .. "y"] = 2, [""] = 3 },
      decode(('{"%s":1,"%sy":2,"":3}'):format(long, long)))
  end)

  it("is unharmed by the collector", function()
    local pause, step = collectgarbage("setpause", 0), collectgarbage("setstepmul", 100000)
    local text = '{"a":[1,{"b":"text","c":[]}],"d":{"e":null}}'
    for _ = 1, 300 do
      local value = decode(text)
      assert(value.a[2].b == "text" and value.d.e == tw.null)
      assert(#encode(value) == #text)
      decode '{"a":[1,'
    end
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", step)
  end)
end)

describe("json.decoder", function()
  it("builds the fields that are wanted alone", function()
    local pick = tw.json.decoder { fields = { "a", "n" } }
    assert.same({ a = { b = 1 }, n = tw.null }, pick '{"b":[1,{"a":2}],"a":{"b":1},"n":null,"c":1}')
    assert.same({ b = 1 }, tw.json.decoder { drop_null = true } '{"a":null,"b":1}')
    local value, err = pick '{"b":[1,}'
    assert.is_nil(value)
    assert.equal("protocol", err.code)
    assert.has_error(function() tw.json.decoder { fields = {} } end)
    assert.has_error(function() tw.json.decoder { colour = "blue" } end)
  end)
end)

describe("errors", function()
  it("show their code and message", function()
    local _, err = decode "["
    assert.equal(err.code .. ": " .. err.message, tostring(err))
    assert.is_nil(err.http_status)
    assert.is_nil(err.retry_after)
    assert.is_nil(tostring(err):find "\n")
  end)
end)
