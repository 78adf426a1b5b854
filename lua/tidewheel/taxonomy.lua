-- SPDX-License-Identifier: MIT
-- client.taxonomy: the tracking plan, entry by entry and as one document.
local core = require "tidewheel.core"
local area = require "tidewheel.area"

local concat = table.concat
local error, getmetatable, ipairs = error, getmetatable, ipairs
local setmetatable, type = setmetatable, type
local finish = area.finish

local categories = area.class{
  list = { "taxonomy.categories" },
  get = { "taxonomy.category", "category_name" },
  create = { "taxonomy.category_create", "category_name" },
}

local events = area.class{
  list = { "taxonomy.events" },
  get = { "taxonomy.event", "event_type" },
  create = { "taxonomy.event_create", "event_type" },
  update = { "taxonomy.event_update", "event_type" },
  delete = { "taxonomy.event_delete", "event_type" },
  restore = { "taxonomy.event_restore", "event_type" },
}

local event_properties = area.class{
  list = { "taxonomy.event_properties" },
  get = { "taxonomy.event_property", "event_property" },
  create = { "taxonomy.event_property_create", "event_property" },
  update = { "taxonomy.event_property_update", "event_property" },
  delete = { "taxonomy.event_property_delete", "event_property" },
  restore = { "taxonomy.event_property_restore", "event_property" },
}

local user_properties = area.class{
  list = { "taxonomy.user_properties" },
  get = { "taxonomy.user_property", "user_property" },
  create = { "taxonomy.user_property_create", "user_property" },
  update = { "taxonomy.user_property_update", "user_property" },
  delete = { "taxonomy.user_property_delete", "user_property" },
  restore = { "taxonomy.user_property_restore", "user_property" },
}

local group_properties = area.class{
  list = { "taxonomy.group_properties" },
  get = { "taxonomy.group_property", "group_property" },
  create = { "taxonomy.group_property_create", "group_property" },
  update = { "taxonomy.group_property_update", "group_property" },
}

-- The API changes categories by their number; a name costs a look-up.
local function category_id(self, category)
  if type(category) == "number" then
    return category
  end
  local found, err = self:get(category)
  return found and found.id, err
end

function categories:update(category, new_name)
  local id, err = category_id(self, category)
  if not id then
    return nil, err
  end
  return self.client:call("taxonomy.category_update", { category_id = id, new_name = new_name })
end

function categories:delete(category)
  local id, err = category_id(self, category)
  if not id then
    return nil, err
  end
  return self.client:call("taxonomy.category_delete", { category_id = id })
end

function event_properties:all_start(callback)
  return core.taxonomy_pull_start(self.client, "event_properties", callback)
end

function event_properties:all()
  return finish(self:all_start())
end

-- ---- the plan as a document ----------------------------------------------------------

local taxonomy = {}

function taxonomy:pull_start(callback)
  return core.taxonomy_pull_start(self.client, "plan", callback)
end

function taxonomy:pull()
  return finish(self:pull_start())
end

local diff = {}

function diff:__tostring()
  local lines = {}
  for _, change in ipairs(self.changes) do
    lines[#lines + 1] = change.text
  end
  if #lines == 0 then
    lines[1] = "nothing to change"
  end
  for _, note in ipairs(self.notes) do
    lines[#lines + 1] = "! " .. note
  end
  return concat(lines, "\n")
end

function taxonomy:plan(changes, options)
  options = area.options(options, { delete = true })
  local plan, err = core.json_encode(changes)
  if not plan then
    return nil, err
  end
  local state, form
  form, err = core.taxonomy_diff("", plan, false)
  if not form then
    return nil, err -- before anything is sent
  end
  state, err = finish(core.taxonomy_pull_start(self.client, "state"))
  if not state then
    return nil, err
  end
  local found
  found, err = core.taxonomy_diff(state.body, plan, options.delete or false)
  return found and setmetatable(found, diff), err
end

-- The number of changes that were made; where one failed, nil, the error, and that number.
function taxonomy:apply(changes)
  if getmetatable(changes) ~= diff then
    error("apply takes what plan gave", 2)
  end
  for _, change in ipairs(changes.changes) do
    local _, err = self.client:estimate(change.endpoint, change.arguments)
    if err then
      return nil, err, 0 -- before the first is made
    end
  end
  for i, change in ipairs(changes.changes) do
    local done, err = self.client:call(change.endpoint, change.arguments)
    if not done then
      return nil, err, i - 1
    end
  end
  return #changes.changes
end

return function(client)
  return area.new(taxonomy, client, {
    categories = area.new(categories, client),
    events = area.new(events, client),
    event_properties = area.new(event_properties, client),
    user_properties = area.new(user_properties, client),
    group_properties = area.new(group_properties, client),
  })
end
