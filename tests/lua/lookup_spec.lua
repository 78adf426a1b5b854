-- SPDX-License-Identifier: MIT
-- User look-up and profiles.
local tw = require "tidewheel"
local support = require "support"

local DAY = 1767225600000

describe("client.users", function()
  local emulator, client

  setup(function()
    emulator = support.emulator()
    client = support.client(emulator)
    for i = 0, 24 do
      local session = DAY + math.floor(i / 5) * 3600000
      assert(client:track{
        event_type = "e" .. i, user_id = "user-ada", device_id = "device-1",
        session_id = session, time = session + i * 1000,
      })
    end
    assert(client:identify{
      user_id = "user-ada", device_id = "device-1", set = { tier = "gold" }, time = DAY,
    })
    assert(client:flush())
  end)

  teardown(function()
    client:close(0)
    emulator:close()
  end)

  local function types(activity)
    local found = {}
    for event in activity do
      if event.event_type:match "^e%d" then
        found[#found + 1] = event.event_type
      end
    end
    return found
  end

  it("finds users", function()
    local found = assert(client.users:search "user-a")
    assert.equal("match_user_prefix", found.type)
    assert.equal("user-ada", found.matches[1].user_id)
    assert.equal(found.matches[1].amplitude_id, found.matches[1].data.amplitude_id)
    found = assert(client.users:search "nobody")
    assert.equal("nomatch", found.type)
    assert.same({}, found.matches)
    assert.equal("nomatch", found.data.type)
    local called
    assert(client.users:search_start("user-a", nil, function(answer) called = answer end))
    while not called do
      client:update()
    end
    assert.equal("match_user_prefix", called.type)
  end)

  it("gives every event once, and no more than wanted", function()
    local id = assert(client.users:search "user-ada").matches[1].amplitude_id
    local found = types(assert(client.users:activity(id, { direction = "earliest" })))
    assert.equal(25, #found)
    for i = 0, 24 do
      assert.equal("e" .. i, found[i + 1])
    end
    for limit = 1, 7 do
      found = types(assert(client.users:activity(id, { limit = limit })))
      assert.equal(limit, #found)
      assert.equal("e24", found[1])
    end
    found = types(assert(client.users:activity(id, { offset = 2, limit = 2 })))
    assert.same({ "e22", "e21" }, found)
  end)

  it("says so when there is nothing left", function()
    local id = assert(client.users:search "user-ada").matches[1].amplitude_id
    local activity = assert(client.users:activity(id, { limit = 3 }))
    assert.equal(3, #types(activity))
    local ok, err = pcall(types, activity)
    assert.is_false(ok)
    assert.is_truthy(tostring(err):find("read to its end", 1, true))
  end)

  it("shows the user with each page", function()
    local id = assert(client.users:search "user-ada").matches[1].amplitude_id
    local count = 0
    for page in assert(client.users:activity(id)):pages() do
      assert.is_nil(page.user.last_location) -- the API says it with the largest double
      count = count + 1
      assert.equal("gold", page.user.properties.tier)
      assert.equal(5, page.user.num_sessions)
      assert.equal(0, page.user.purchases)
      assert.is_nil(page.user.city)
    end
    assert.equal(1, count)
    local pages = assert(client.users:activity(id, { limit = 3 }))
    for page in pages:pages() do
      assert.is_true(#page.data.events >= #page.events)
    end
    assert.has_error(function() pages:pages() end)
    local unknown = assert(client.users:activity "12345"):pages()()
    assert.same({}, unknown.events)
    assert.is_nil(unknown.user.first_used)
  end)

  it("refuses what is wrong at once", function()
    local function refused(field, id, options)
      local activity, err = client.users:activity(id, options)
      assert.is_nil(activity)
      assert.equal(field, err.field)
    end
    refused("amplitude_id", "u-1")
    refused("limit", 1, { limit = 0 })
    refused("limit", 1, { limit = "3" })
    refused("offset", 1, { offset = -1 })
    refused("direction", 1, { direction = "newest" })
    assert.has_error(function() client.users:activity(1, { limt = 1 }) end,
      "there is no option 'limt'")
    assert.has_error(function() client.users:activity(1, 3) end,
      "options are a table of names and values, not a number")
  end)

  it("raises what goes wrong on the way", function()
    local other = support.client(emulator, { secret_key = "another" })
    local activity = assert(other.users:activity(1))
    local ok, err = pcall(activity)
    assert.is_false(ok)
    assert.equal("auth", err.code)
    other:close(0)
  end)
end)

describe("client.profile", function()
  local emulator, client

  setup(function()
    emulator = support.emulator()
    client = support.client(emulator)
    assert(client:identify{ user_id = "u-7781", device_id = "dev-42", set = { tier = "gold" } })
    assert(client:flush())
    emulator:profile{
      user_id = "u-7781",
      recommendations = { { rec_id = "r1", items = { "chair", "lamp" }, is_control = false } },
      computations = { ["ltv-30d"] = 81.5 },
      predictions = { p1 = { score = 0.83, pct = 97 } },
    }
  end)

  teardown(function()
    client:close(0)
    emulator:close()
  end)

  it("has what was asked for", function()
    local profile = assert(client.profile:get{
      user_id = "u-7781", properties = true, recommendations = { "r1" }, computations = true,
      predictions = { "p1" }, propensity_type = "pct",
    })
    assert.equal("gold", profile.properties.tier)
    assert.equal(81.5, tonumber(profile.properties["ltv-30d"]))
    assert.same({ "chair", "lamp" }, profile.recommendations[1].items)
    assert.equal(97, profile.propensity)
    profile = assert(client.profile:get{ device_id = "dev-42" })
    assert.is_nil(profile.properties)
    assert.is_nil(profile.recommendations)
  end)

  it("is an error for strangers, and in the EU", function()
    local profile, err = client.profile:get{ user_id = "stranger" }
    assert.is_nil(profile)
    assert.truthy(err.message:find("not seen before", 1, true))
    profile, err = client.profile:get{}
    assert.is_nil(profile)
    assert.equal("validation", err.code)
    local eu = assert(tw.new{ api_key = "key", secret_key = "secret", region = "eu" })
    profile, err = eu.profile:get{ user_id = "u" }
    assert.is_nil(profile)
    assert.equal("config", err.code)
    eu:close(0)
  end)
end)
