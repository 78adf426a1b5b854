-- SPDX-License-Identifier: MIT
-- client.mcp: the tools of the MCP server that Amplitude hosts, as a signed-in user.
local area = require "tidewheel.area"
local core = require "tidewheel.core"

local set_token = core.client.set_mcp_token
core.client.set_mcp_token = nil -- stands below under another name

local mcp = area.class{
  tools = { "mcp.tools" },
  call = { "mcp.call", "name", "arguments" },
  request = { "mcp.request", "method", "params" },
}

-- From the next call on, in the whole client; nil for none.
function mcp:set_token(token)
  return set_token(self.client, token)
end

return function(client)
  return area.new(mcp, client)
end
