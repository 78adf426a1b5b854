-- SPDX-License-Identifier: MIT
-- The events behind identify, group_identify and revenue, and what a client does with each event
-- before the core sees it; the rules of events are the core's.
local error, getmetatable, ipairs, next = error, getmetatable, ipairs, next
local pairs, setmetatable, type = pairs, setmetatable, type

local OPERATIONS = {
  set = "$set",
  set_once = "$setOnce",
  add = "$add",
  append = "$append",
  prepend = "$prepend",
  pre_insert = "$preInsert",
  post_insert = "$postInsert",
  remove = "$remove",
}

-- Each event has its own, or none.
local UNSHARED = { "event_type", "group_properties", "insert_id", "time" }
-- Not for $identify and $groupidentify, where they would change something.
local ORDINARY = { event_properties = true, groups = true, user_properties = true }

-- unset = {"a", "b"}: the values of the map it becomes mean nothing.
local function unset_map(names)
  local map, count = {}, 0
  if type(names) == "table" then
    for _, name in ipairs(names) do
      map[name], count = "-", count + 1
    end
    for _ in pairs(names) do
      count = count - 1
    end
  end
  if type(names) ~= "table" or count ~= 0 then
    error("'unset' is not a list of property names", 4)
  end
  return next(map) and map
end

-- The fields that are no operations, and the operations as the API spells them, if any.
local function split(given)
  local event, operations = {}, {}
  for name, value in pairs(given) do
    if OPERATIONS[name] then
      operations[OPERATIONS[name]] = value
    elseif name == "unset" then
      operations["$unset"] = unset_map(value) or nil
    elseif name == "clear_all" then
      operations["$clearAll"] = value and "-" or nil
    else
      event[name] = value
    end
  end
  return event, next(operations) and operations
end

local function put(event, name, value)
  if value then
    if event[name] ~= nil then
      error("'" .. name .. "' excludes the options it would be made of", 4)
    end
    event[name] = value
  end
end

local function identify(given)
  local event, operations = split(given)
  put(event, "event_type", "$identify")
  put(event, "user_properties", operations)
  return event
end

local function group_identify(given)
  local event, operations = split(given)
  local group_type, group_value = event.group_type, event.group_value
  if group_type ~= nil and type(group_type) ~= "string" then
    error("'group_type' is no string", 3)
  elseif group_value ~= nil and event.groups ~= nil then
    error("'groups' excludes the options it would be made of", 3)
  end
  event.group_type, event.group_value = nil, nil
  put(event, "event_type", "$groupidentify")
  put(event, "groups", group_type and { [group_type] = group_value })
  put(event, "group_properties", operations)
  return event
end

local function revenue(given)
  local event = {}
  for name, value in pairs(given) do
    event[name] = value
  end
  event.product_id, event.revenue_type = nil, nil
  put(event, "productId", given.product_id)
  put(event, "revenueType", given.revenue_type)
  if event.event_type == nil then
    event.event_type = "revenue_amount"
  end
  return event
end

-- ---- before the core sees an event ------------------------------------------------------------

local function copy(value)
  if type(value) ~= "table" then
    return value
  end
  local new = {}
  for name, member in pairs(value) do
    new[name] = member
  end
  return setmetatable(new, getmetatable(value))
end

-- `into` gets what it does not have.
local function merge(into, from)
  for name, value in pairs(from) do
    if into[name] == nil then
      into[name] = value
    end
  end
  return into
end

-- What is done with each event: the defaults are merged in, then the hook has its say. Nil where
-- there is nothing to do.
local function preparer(defaults, before_send)
  local shared, special = {}, {}
  for name, value in pairs(defaults or {}) do
    shared[name] = copy(value)
    if not ORDINARY[name] then
      special[name] = shared[name]
    end
  end
  if not before_send and not next(shared) then
    return nil
  end
  return function(event)
    local kind = event.event_type
    local base = (kind == "$identify" or kind == "$groupidentify") and special or shared
    local merged = {}
    for name, value in pairs(event) do
      merged[name] = before_send and copy(value) or value
    end
    for name, value in pairs(base) do
      local given = merged[name]
      if given == nil then
        merged[name] = copy(value)
      elseif type(value) == "table" and type(given) == "table" then
        merged[name] = merge(before_send and given or copy(given), value)
      end
    end
    if before_send then
      return before_send(merged)
    end
    return merged
  end
end

return {
  identify = identify,
  group_identify = group_identify,
  revenue = revenue,
  preparer = preparer,
  unshared = UNSHARED,
}
