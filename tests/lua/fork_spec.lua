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
