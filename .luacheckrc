-- What 5.1, LuaJIT and 5.4 have in common; a use of anything else must ask for it by name.
std = "min"
max_line_length = 100
cache = false
codes = true

files["tests/lua"] = { std = "min+busted" }
files["lua/tidewheel/ngx.lua"] = { std = "min+ngx_lua" }
exclude_files = { "build", ".venv" }
