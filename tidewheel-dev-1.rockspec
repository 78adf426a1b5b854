-- Builds the Lua module with LuaRocks: luarocks make tidewheel-dev-1.rockspec
rockspec_format = "3.0"
package = "tidewheel"
version = "dev-1"
source = { url = "." }
description = {
  summary = "A client for the Amplitude API, unofficial",
  license = "MIT",
}
dependencies = { "lua >= 5.1, < 5.5" }
external_dependencies = {
  -- Only the library is named: on Debian headers sit in folders that LuaRocks does not search.
  CURL = { library = "curl" },
  CJSON = { library = "cjson" },
  ZLIB = { library = "z" },
}

-- A rockspec cannot read core/sources.txt; make can.
build = {
  type = "make",
  makefile = "tools/rock.mk",
  build_variables = { LUA_INCDIR = "$(LUA_INCDIR)", LIBFLAG = "$(LIBFLAG)", CFLAGS = "$(CFLAGS)" },
  install_variables = { LUADIR = "$(LUADIR)", LIBDIR = "$(LIBDIR)" },
}
