-- SPDX-License-Identifier: MIT
-- The tools of the MCP server.
local tw = require "tidewheel"
local support = require "support"

local TOKEN = "emu-token-canary-0123456789"

local function read_vectors()
  local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"
  local file = assert(io.open(here .. "/../vectors/mcp.json"))
  local text = file:read "*a"
  file:close()
  return assert(tw.json.decode(text))
end

-- A value of the vectors.
local function filled(value)
  if type(value) ~= "table" then
    return value
  elseif value["repeat"] then
    return value["repeat"]:rep(value.times)
  end
  for name, one in pairs(value) do
    value[name] = filled(one)
  end
  return value
end

describe("client.mcp", function()
  local emulator, client

  before_each(function()
    emulator = support.emulator{ mcp_token = TOKEN }
    client = support.client(emulator, { mcp_token = TOKEN })
  end)

  after_each(function()
    client:close(0)
    emulator:close()
  end)

  for _, era in ipairs{ "modern", "legacy" } do
    for _, reply in ipairs{ "json", "stream" } do
      it("lists and calls tools (" .. era .. ", " .. reply .. ")", function()
        emulator:switch{ mcp_era = era, mcp_reply = reply, mcp_page = 10 }
        local tools = assert(client.mcp:tools())
        assert.equal(24, #tools)
        assert.equal("query_chart", tools[11].name)
        assert.same({ "chart_id" }, tools[11].input_schema.required)
        local made = assert(client.mcp:call("create_chart", {
          id = "c1", query = "/api/2/realtime",
        }, { timeout = 30 }))
        assert.equal("c1", made.structured_content.chart_id)
        assert.is_false(made.is_error)
        local found = assert(client.mcp:call("query_chart", { chart_id = "c1" }))
        assert.equal("/api/2/realtime", found.structured_content.query)
        assert.equal("text", found.content[1].type)
        assert.is_table(assert(client.mcp:call "get_context").structured_content.project)
      end)
    end
  end

  it("gives what a failing tool says as a result", function()
    local result = assert(client.mcp:call("query_chart", { chart_id = "none" }))
    assert.is_true(result.is_error)
    assert.equal("There is no chart of this id.", result.content[1].text)
    assert.equal("There is no chart of this id.", result.text)
    assert.is_nil(result.structured_content)
  end)

  it("makes refusals typed errors", function()
    local result, err = client.mcp:call "no_such_tool"
    assert.is_nil(result)
    assert.equal("rpc", err.code)
    assert.equal(-32602, err.rpc_code)
    local discovered = assert(client.mcp:request "server/discover")
    assert.same({ "2026-07-28" }, discovered.supportedVersions)
    err = select(2, client.mcp:request("resources/list", {}))
    assert.equal(-32601, err.rpc_code)
  end)

  it("refuses what cannot be sent", function()
    local vectors = read_vectors()
    for _, case in ipairs(vectors.refused) do
      local result, err = client:call(case.endpoint, filled(case.arguments))
      assert.is_nil(result, case.name)
      assert.equal(case.error.code, err.code, case.name)
      assert.equal(case.error.field, err.field, case.name)
      assert.truthy(tostring(err):find(case.error.rule, 1, true), case.name)
      assert.equal("no", err.stored)
    end
    for _, token in ipairs(vectors.tokens) do
      local ok, err = client.mcp:set_token(filled(token))
      assert.is_nil(ok)
      assert.equal("config", err.code)
      assert.equal("mcp_token", err.field)
    end
    assert.same({}, emulator:journal())
    assert.equal(24, #assert(client.mcp:tools()))
  end)

  it("needs a token, which can be replaced", function()
    assert(client.mcp:set_token(nil))
    local _, err = client.mcp:tools()
    assert.equal("config", err.code)
    assert.equal("mcp_token", err.field)
    assert.same({}, emulator:journal())
    assert(client.mcp:set_token "emu-wrong")
    err = select(2, client.mcp:tools())
    assert.equal("auth", err.code)
    assert.equal(emulator.url .. "/.well-known/oauth-protected-resource", err.resource_metadata)
    assert.is_nil(tostring(err):find("emu-wrong", 1, true))
    err = select(2, client.mcp:set_token "a\r\nb")
    assert.equal("config", err.code)
    err = select(2, client.mcp:set_token "")
    assert.equal("mcp_token", err.field)
    assert(client.mcp:set_token(TOKEN))
    assert.equal(24, #assert(client.mcp:tools()))
    assert.equal("***", assert(client:describe()).options.mcp_token)
    err = select(2, tw.new{ api_key = "emu", mcp_token = "a b" })
    assert.equal("mcp_token", err.field)
  end)

  it("calls without waiting", function()
    local done
    assert(client.mcp:tools_start({}, function(tools)
      done = #tools
    end))
    while not done do
      client:update(0.01)
    end
    assert.equal(24, done)
  end)
end)
