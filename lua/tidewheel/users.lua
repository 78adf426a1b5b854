-- SPDX-License-Identifier: MIT
-- client.users: who a user is, and what the user did.
local area = require "tidewheel.area"

local error, ipairs, min, pairs = error, ipairs, math.min, pairs
local setmetatable, type = setmetatable, type

local PAGE = 1000 -- the API's own default and maximum (Dashboard REST API docs, read 2026-11-27)
local REMEMBERED = 4 -- pages whose events are known again

local users = area.class{ search = { "users.search", "user" } }

-- A call gives one event more than it was asked for, and as many as the last session needs: so
-- the next begins behind what came, and what is more than was wanted is cut off here. Events that
-- arrive meanwhile move the others, which then come again: those of the last pages are known by
-- their uuid.
local activity = {}
activity.__index = activity

local function begin(self)
  local asked = self.left or PAGE
  if type(asked) == "number" then -- else it is refused where it is checked
    asked = min(PAGE, asked)
  end
  self.asked = asked
  return self.client:call_start("users.activity", {
    amplitude_id = self.amplitude_id,
    direction = self.direction,
    offset = self.offset,
    limit = asked,
  })
end

local function is_known(self, event)
  for _, ids in pairs(self.known) do
    if ids[event.uuid] then
      return true
    end
  end
  return false
end

local function take(self, answer)
  local received, events, ids = answer.events, {}, {}
  self.offset = self.offset + #received
  self.ended = #received < self.asked
  for _, event in ipairs(received) do
    if event.uuid == nil or not is_known(self, event) then
      if self.left == nil or #events < self.left then
        events[#events + 1] = event
      end
    end
    if event.uuid ~= nil then
      ids[event.uuid] = true
    end
  end
  self.known[self.count % REMEMBERED] = ids
  self.count = self.count + 1
  if self.left then
    self.left = self.left - #events
    self.ended = self.ended or self.left == 0
  end
  return { user = answer.user, events = events, data = answer.data }
end

local function refuse()
  error("the activity was read to its end: ask for it again", 3)
end

-- The next page, nil at the end; raises.
local function next_page(self)
  if self.ended then
    return nil
  end
  local job, err = self.job, nil
  self.job = nil
  if not job then
    job, err = begin(self)
  end
  local answer
  answer, err = area.finish(job, err)
  if not answer then
    error(err, 0)
  end
  return take(self, answer)
end

function activity:pages()
  if self.ended then
    refuse()
  end
  return function()
    return next_page(self)
  end
end

-- The next event, nil at the end, once; raises: `for event in client.users:activity(id) do`.
function activity:__call()
  if self.told then
    refuse()
  end
  while not self.page or self.at == #self.page.events do
    self.page, self.at = next_page(self), 0
    if not self.page then
      self.told = true
      return nil
    end
  end
  self.at = self.at + 1
  return self.page.events[self.at]
end

function users:activity(amplitude_id, options)
  options = area.options(options, { offset = true, limit = true, direction = true })
  local object = setmetatable({
    client = self.client,
    amplitude_id = amplitude_id,
    offset = options.offset or 0,
    left = options.limit,
    direction = options.direction or "latest",
    known = {},
    count = 0,
  }, activity)
  local err
  object.job, err = begin(object) -- what is wrong is refused here
  if not object.job then
    return nil, err
  end
  return object
end

return function(client)
  return area.new(users, client)
end
