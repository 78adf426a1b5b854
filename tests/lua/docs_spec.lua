-- SPDX-License-Identifier: MIT
-- The annotations and the module agree: nothing public is undocumented, nothing documented is gone.
local tw = require "tidewheel"
local core = require "tidewheel.core"
local tick = require "tidewheel.tick"
local answers = require "tidewheel.answers"
local emulator = require "tidewheel.emulator"

local function read_annotations()
  local path
  for template in package.path:gmatch "[^;]+" do
    local name = template:gsub("%?", "tidewheel")
    local file = io.open(name)
    if file then
      file:close()
      path = path or name
    end
  end
  local parts = {}
  for i, name in ipairs{ "tidewheel", "analytics", "taxonomy", "users" } do
    local file = assert(io.open((path:gsub("init%.lua$", "library/" .. name .. ".d.lua"))))
    parts[i] = file:read "*a"
    file:close()
  end
  return table.concat(parts, "\n")
end

-- {["Client:track"] = parameters}, and per function whether each parameter and a text stand above.
local function documented()
  local functions, above = {}, {}
  for line in (read_annotations() .. "\n"):gmatch "([^\n]*)\n" do
    local name, parameters = line:match "^function ([%w_.:]+)%(([%w_, .]*)%) end$"
    if name then
      functions[name] = { parameters = parameters, above = table.concat(above, "\n") }
    end
    if line:match "^%-%-%-" then
      above[#above + 1] = line
    else
      above = {}
    end
  end
  return functions
end

-- Everything that a user can call, by the name it has in the annotations.
local function public()
  local names = {}
  local function add(prefix, functions, also)
    for name, value in pairs(functions) do
      if type(value) == "function" and not name:match "^__" then
        names[prefix .. name] = also and also .. name or true
      end
    end
  end
  add("tidewheel.", tw)
  add("json.", tw.json)
  add("Client:", core.client)
  add("Cohorts:", core.cohorts)
  add("Job:", core.job, "Download:")
  add("Stream:", core.stream)
  add("Analytics:", getmetatable(core.areas.analytics()).__index)
  add("Event:", getmetatable(tw.event "a").__index)
  add("Segment:", getmetatable(tw.segment()).__index)
  add("SeriesAnswer:", getmetatable(answers.series{ series = {}, x = {} }), "Answer:")
  add("spool.", tw.spool)
  add("tick.", tick)
  add("Loop:", getmetatable(tick.new({})).__index)
  add("emulator.", emulator)
  local client = assert(tw.new{ api_key = "key", secret_key = "secret" })
  local taxonomy = client.taxonomy
  local function area(name, object)
    add(name .. ":", getmetatable(object).__index)
  end
  area("UserLookup", client.users)
  area("Activity", assert(client.users:activity(1)))
  area("Profile", client.profile)
  client:close(0)
  area("Taxonomy", taxonomy)
  area("Categories", taxonomy.categories)
  area("Events", taxonomy.events)
  area("EventProperties", taxonomy.event_properties)
  area("UserProperties", taxonomy.user_properties)
  area("GroupProperties", taxonomy.group_properties)
  local instance = assert(emulator.new())
  add("Emulator:", getmetatable(instance).__index)
  instance:close()
  return names
end

describe("the annotations", function()
  it("name every function", function()
    local functions = documented()
    for name, also in pairs(public()) do
      assert.truthy(functions[name] or functions[also], name .. " is not documented")
    end
  end)

  it("name no function that is not there", function()
    local names = public()
    for name in pairs(documented()) do
      local inherited = name:gsub("^Download", "Job"):gsub("^Answer", "SeriesAnswer")
      assert.truthy(names[name] or names[inherited], name .. " does not exist")
    end
  end)

  it("give each parameter a type, and each function words or a result", function()
    for name, entry in pairs(documented()) do
      for parameter in entry.parameters:gmatch "[%w_]+" do
        assert.truthy(entry.above:find("---@param " .. parameter .. "%??%s"),
          name .. " does not explain " .. parameter)
      end
      assert.truthy(entry.above:find "%-%-%-[^@]" or entry.above:find "@return",
        name .. " has no word about what it does")
    end
  end)

  it("name the fields of the module", function()
    local text = read_annotations()
    for name, value in pairs(tw) do
      if type(value) ~= "function" then
        assert.truthy(text:find("---@field " .. name .. " ", 1, true), name)
      end
    end
  end)
end)
