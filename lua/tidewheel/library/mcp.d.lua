-- SPDX-License-Identifier: MIT
---@meta tidewheel

-- Annotations of client.mcp.

-- luacheck: ignore 212 241 631

---A tool that the MCP server offers.
---@class tidewheel.Tool
---@field name string what `call` takes
---@field title? string name for people
---@field description? string what it does, for whoever chooses
---@field input_schema table JSON schema of its arguments, as it came
---@field output_schema? table JSON schema of its structured content
---@field annotations? table hints of the server about its behaviour
---@field data table the whole object as it came

---What a tool answered.
---@class tidewheel.ToolResult
---@field content table[] parts, such as `{ type = "text", text = "..." }`
---@field text string the parts that are text, one after the other on lines of their own
---@field structured_content any the same as a JSON value, where there is one
---@field is_error boolean the tool itself failed; its content says why
---@field data table the whole result as it came

---@class tidewheel.McpOptions
---@field timeout? number seconds for the whole call, all pages of `tools` together; where absent,
---each request has the option dash_timeout

---The MCP server that Amplitude hosts. It takes the OAuth access token of a user (option
---`mcp_token`), not the keys of the project. Which tools there are only it knows.
---@class tidewheel.Mcp
local Mcp = {}

---Uses another token from the next call on, in the whole client: tokens expire.
---@param token? string the access token alone, without "Bearer"; nil for none, "" is refused
---@return true? ok
---@return tidewheel.Error? err
function Mcp:set_token(token) end

---All tools of the server, whatever number of pages it needs. Without a token the error is
---`config`; a refused or expired one is `auth`, and `err.resource_metadata` says where to ask
---for one.
---@param options? tidewheel.McpOptions
---@return tidewheel.Tool[]? tools
---@return tidewheel.Error? err
function Mcp:tools(options) end

---@param options? tidewheel.McpOptions
---@param callback? fun(tools: tidewheel.Tool[]?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Mcp:tools_start(options, callback) end

---Calls a tool. It is sent once: a tool may write, and nobody knows which ones do. That the tool
---failed is a result (`is_error`); `rpc` is the error where the server knows no such tool, and
---`protocol` where the tool asked for input of a user, which nobody is there to give.
---@param name string
---@param arguments? table by the tool's input schema
---@param options? tidewheel.McpOptions
---@return tidewheel.ToolResult? result
---@return tidewheel.Error? err
function Mcp:call(name, arguments, options) end

---@param name string
---@param arguments? table
---@param options? tidewheel.McpOptions
---@param callback? fun(result: tidewheel.ToolResult?, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Mcp:call_start(name, arguments, options, callback) end

---Any request of the protocol: the `result` of the response, as it came. It is sent once.
---@param method string such as "server/discover"
---@param params? table what the protocol wants in each request is added
---@param options? tidewheel.McpOptions
---@return any result
---@return tidewheel.Error? err
function Mcp:request(method, params, options) end

---@param method string
---@param params? table
---@param options? tidewheel.McpOptions
---@param callback? fun(result: any, err: tidewheel.Error?) called by `update`
---@return tidewheel.Job? job
---@return tidewheel.Error? err
function Mcp:request_start(method, params, options, callback) end
