-- SPDX-License-Identifier: MIT
-- A forked child goes on with the client it inherits. Lua has no fork: LuaJIT's FFI borrows one,
-- and the binding is the same code for both.
local support = require "support"

if not support.is_jit then
  return
end

local ffi = require "ffi"
ffi.cdef [[
  int fork(void);
  int waitpid(int pid, int *status, int options);
  unsigned alarm(unsigned seconds);
  void _exit(int code);
]]

-- Runs `child` in a child process and waits for it; true when it raised nothing.
local function in_child(child)
  local pid = ffi.C.fork()
  if pid == 0 then
    ffi.C.alarm(60) -- instead of a hang
    local ok, why = pcall(child)
    if not ok then
      io.stderr:write(tostring(why), "\n")
    end
    ffi.C._exit(ok and 0 or 1)
  end
  local status = ffi.new "int[1]"
  assert.equal(pid, ffi.C.waitpid(pid, status, 0))
  return status[0] == 0
end

local function event(kind)
  return { event_type = kind, user_id = "user-1" }
end

describe("a child", function()
  local emulator, client

  before_each(function()
    emulator = support.emulator { throttle = false }
    client = support.client(emulator, { flush_interval = 3600 })
  end)

  after_each(function()
    client:close(0)
    emulator:close()
  end)

  it("sends its own events, none of the parent's", function()
    assert(client:track(event "parent"))
    for _ = 1, 5 do
      assert.is_true(in_child(function()
        assert(client:stats().accepted == 0)
        assert(client:track(event "child"))
        local report = assert(client:close(30))
        assert(report.stored == 1 and report.complete)
      end))
    end
    assert.equal(1, assert(client:close(30)).stored)
    local received = 0
    for account in emulator:ledger() do
      received = received + account.received
    end
    assert.equal(6, received)
  end)

  it("makes ids that nobody else makes", function()
    assert(client:track(event "parent"))
    assert(client:flush(30))
    for _ = 1, 20 do
      assert.is_true(in_child(function()
        for _ = 1, 50 do
          assert(client:track(event "child"))
        end
        assert(client:close(30).stored == 50)
      end))
    end
    local accounts = 0
    for account in emulator:ledger() do
      accounts = accounts + 1
      assert.equal(1, account.received)
      assert.equal(1, account.committed)
    end
    assert.equal(1001, accounts)
  end)

  it("does not disturb the parent's connection, however it ends", function()
    local function send(n)
      local parent = event "parent"
      parent.insert_id = "parent-" .. n
      assert(client:track(parent))
      assert(client:flush(30))
    end
    send(0)
    for n = 1, 20 do
      assert.is_true(in_child(function()
        if n % 4 == 0 then
          client = nil
          collectgarbage()
          collectgarbage()
        elseif n % 4 == 1 then
          assert(client:track(event "child"))
          assert(client:close(30).complete)
        elseif n % 4 == 2 then
          client:close(0)
        end
      end))
      send(n)
    end
    local connections, requests = {}, 0
    for _, entry in ipairs(emulator:journal()) do
      if (entry.events[1].insert_id or ""):find "^parent" then
        connections[entry.connection], requests = true, requests + 1
      end
    end
    assert.equal(21, requests)
    local only = next(connections)
    assert.is_nil(next(connections, only))
  end)

  it("runs its own callbacks, none of the parent's", function()
    local ran = 0
    client:fd()
    assert(client:flush_start(function() ran = ran + 1 end))
    assert.is_true(in_child(function()
      assert(client:update() == 0 and ran == 0)
      assert(client:flush_start(function() ran = ran + 10 end))
      assert(client:flush(10)) -- begun later, it ends no earlier
      assert(client:update() == 1 and ran == 10)
    end))
    assert(client:flush(10))
    assert.equal(1, client:update())
    assert.equal(1, ran)
  end)

  it("without a call of the client starts nothing and sends nothing", function()
    assert(client:track(event "parent"))
    assert.is_true(in_child(function()
      assert(client:close(30).complete)
      assert(select(2, client:track(event "late")).code == "closed")
    end))
    assert.equal(1, assert(client:close(30)).stored)
  end)
end)
