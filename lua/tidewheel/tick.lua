-- SPDX-License-Identifier: MIT
-- Game loops: one call per tick, which never waits and stays within a time allowance.
--
--   local loop = require("tidewheel.tick").new(client, { budget = 0.002 })
--   loop:spawn(function()
--     local job = assert(client.cohorts:download("abc123"))
--     for id in loop:each(assert(loop:await(job)) and job:ids()) do … end
--   end)
--   function love.update() loop:update() end
--   function love.quit() client:close(1) end
local core = require "tidewheel.core"

local clock = core.clock
local error, setmetatable, tostring, type = error, setmetatable, tostring, type
local create, resume, running = coroutine.create, coroutine.resume, coroutine.running
local status, yield = coroutine.status, coroutine.yield
local remove = table.remove

local BUDGET = 0.002

local Loop = {}
Loop.__index = Loop

local function new(client, options)
  local budget = options and options.budget or BUDGET
  if type(budget) ~= "number" or budget < 0 then
    error("budget is a number of seconds, 0 or more", 2)
  end
  return setmetatable({ client = client, budget = budget, threads = {}, deadline = 0 }, Loop)
end

-- Runs what is ready: callbacks of jobs first, then every spawned function that can go on. At
-- least one step of each is made, so that a small budget delays but never starves. Returns the
-- number of spawned functions that still go on.
function Loop:update()
  self.deadline = clock() + self.budget
  self.client:update(self.budget)
  local threads = self.threads
  for _ = 1, #threads do
    local thread = remove(threads, 1)
    local ok, err = resume(thread)
    if not ok then
      error(type(err) == "string" and debug.traceback(thread, err) or err, 0)
    end
    if status(thread) ~= "dead" then
      threads[#threads + 1] = thread
    end
    if clock() >= self.deadline then
      break
    end
  end
  return #threads
end

-- Starts a function, at the next update, in a coroutine in which await and each can be used.
function Loop:spawn(run)
  self.threads[#self.threads + 1] = create(run)
end

local function check_coroutine(name)
  local thread, main = running()
  if not thread or main then
    error(name .. " works inside of a spawned function only", 3)
  end
end

-- Leaves the tick until the job is done: its result, or nil and the error. For a download: true
-- when its records can be read.
function Loop:await(job)
  check_coroutine "await"
  while true do
    local result, err = job:wait(0)
    if result ~= nil or err.code ~= "again" then
      return result, err
    end
    yield(self)
  end
end

-- The next item of a stream (an export, a job's ids or rows), however many ticks it takes; nil at
-- its end, nil and the error.
function Loop:next(stream)
  check_coroutine "next"
  while true do
    if clock() >= self.deadline then
      yield(self)
    end
    local item, err = stream:next(0)
    if item ~= nil or not err or err.code ~= "again" then
      return item, err
    end
    yield(self)
  end
end

-- The same for a generic `for`, which raises. Not in Lua 5.1 itself, whose `for` cannot yield.
function Loop:each(stream)
  return function()
    local item, err = self:next(stream)
    if err then
      error(err, 0)
    end
    return item
  end
end

Loop.__tostring = function(self)
  return "tidewheel.tick (" .. tostring(#self.threads) .. " going on)"
end

return { new = new }
