-- SPDX-License-Identifier: MIT
-- Calls by name with arguments by name: what is refused before anything is sent.
local tw = require "tidewheel"

local function client_of(options)
  options = options or {}
  options.api_key, options.secret_key = "key-of-a-test", "secret-of-a-test"
  options.base_url = "http://127.0.0.1:9" -- nobody is there
  return assert(tw.new(options))
end

local function refused(client, field, rule, endpoint, arguments)
  local answer, err = client:call(endpoint, arguments)
  assert.is_nil(answer)
  assert.equal("validation", err.code)
  assert.equal(field, err.field)
  assert.truthy(err.message:find(rule, 1, true), err.message)
end

describe("a call by name", function()
  it("is refused where an argument is wrong", function()
    local client = client_of()
    refused(client, "user", "was missing", "users.search")
    refused(client, "user", "was missing", "users.search", {})
    refused(client, "limit", "1 to 1000", "users.activity", { amplitude_id = 1, limit = 5000 })
    refused(client, "limt", 'did you mean "limit"', "users.activity", {
      amplitude_id = 1, limt = 1,
    })
    refused(client, "tags[1]", "was not a text", "taxonomy.event_create", {
      event_type = "a", tags = { "b", 2 },
    })
    refused(client, "tags", "was not a list", "taxonomy.event_create", {
      event_type = "a", tags = { b = 1 },
    })
    client:close(0)
  end)

  it("takes functions and unknown endpoints for misuse", function()
    local client = client_of()
    assert.has_error(function() client:call "users.find" end)
    assert.has_error(function() client:call "ingestion.batch" end)
    assert.has_error(function() client:call("users.search", "u") end)
    local answer, err = client:call("users.search", { user = print })
    assert.is_nil(answer)
    assert.equal("user", err.field)
    client:close(0)
    answer, err = client:call("users.search", { user = "u" })
    assert.is_nil(answer)
    assert.equal("closed", err.code)
  end)

  it("takes an empty table for an empty list", function()
    local client = client_of()
    local job = assert(client:call_start("taxonomy.event_update", { event_type = "a", tags = {} }))
    job:cancel()
    client:close(0)
  end)

  it("goes nowhere where the region has no such API", function()
    local client = client_of{ region = "eu" }
    local answer, err = client:call("profile.get", { user_id = "u" })
    assert.is_nil(answer)
    assert.equal("config", err.code)
    client:close(0)
  end)
end)
