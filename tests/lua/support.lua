-- SPDX-License-Identifier: MIT
-- What the specs share: emulators, scripts of their own, and the interpreters' differences.
local tw = require "tidewheel"

local support = {}

support.is_54 = _VERSION == "Lua 5.4"
-- Integers are a type of their own, apart from floats.
support.has_integers = math.type ~= nil -- luacheck: ignore 143
support.is_jit = rawget(_G, "jit") ~= nil
support.can_yield_in_for = _VERSION ~= "Lua 5.1" or support.is_jit

-- Starts an emulator within this process; `options` as tidewheel.emulator takes them.
function support.emulator(options)
  return assert(require("tidewheel.emulator").new(options))
end

-- A client of the emulator; `more` are further options.
function support.client(emulator, more)
  local options = {
    api_key = emulator.api_key,
    secret_key = emulator.secret_key,
    base_url = emulator.url,
  }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return assert(tw.new(options))
end

-- The window that holds everything uploaded now, whatever the hour turns to meanwhile.
function support.window(more)
  local now = os.time()
  local window = {
    start = os.date("!%Y%m%dT%H", now - 3600),
    stop = os.date("!%Y%m%dT%H", now + 3600),
  }
  for name, value in pairs(more or {}) do
    window[name] = value
  end
  return window
end

-- All events of an export as a list.
function support.collect(iterator)
  local list = {}
  for item in iterator do
    list[#list + 1] = item
  end
  return list
end

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

function support.base64(text)
  local out, bits, count = {}, 0, 0
  for c in text:gmatch "[%w+/]" do
    bits, count = bits * 64 + ALPHABET:find(c, 1, true) - 1, count + 6
    if count >= 8 then
      count = count - 8
      out[#out + 1] = string.char(math.floor(bits / 2 ^ count))
      bits = bits % 2 ^ count
    end
  end
  return table.concat(out)
end

-- JSON text with the members of every object in one order and all else as it was written, so that
-- texts of languages with different orders can be compared byte by byte. The text must be valid.
local function canonical(text, want_items)
  local at = 1
  local value

  local function take(pattern)
    local found = assert(text:match("^" .. pattern, at), "not JSON at byte " .. at)
    at = at + #found
    return found
  end

  local function text_token()
    local first = at
    at = at + 1
    while text:sub(at, at) ~= '"' do
      at = at + (text:sub(at, at) == "\\" and 2 or 1)
    end
    at = at + 1
    return text:sub(first, at - 1)
  end

  local function items(close, each)
    local list = {}
    at = at + 1
    while text:sub(at, at) ~= close do
      list[#list + 1] = each()
      if text:sub(at, at) == "," then
        at = at + 1
      end
    end
    at = at + 1
    return list
  end

  local function member()
    local name = text_token()
    take ":"
    return name .. ":" .. value()
  end

  function value()
    local c = text:sub(at, at)
    if c == "{" then
      local members = items("}", member)
      table.sort(members)
      return "{" .. table.concat(members, ",") .. "}"
    elseif c == "[" then
      return "[" .. table.concat(items("]", value), ",") .. "]"
    elseif c == '"' then
      return text_token()
    end
    return take "[%w+.-]+"
  end

  return want_items and items("]", value) or value()
end

function support.canonical(text)
  return canonical(text)
end

-- The elements of an array, each as its canonical text.
function support.elements(text)
  return canonical(text, true)
end

-- Runs a script in a fresh interpreter of the same kind; returns its output and whether it ended
-- well.
function support.run(script)
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write(script)
  file:close()
  local at = -1
  while arg[at - 1] do
    at = at - 1
  end
  local pipe = assert(io.popen(("%s '%s' 2>&1; echo \"status $?\""):format(arg[at], name)))
  local output = pipe:read "*a"
  pipe:close()
  os.remove(name)
  local text, status = output:match "^(.*)status (%d+)\n$"
  return text, status == "0"
end

return support
