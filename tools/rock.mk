# SPDX-License-Identifier: MIT
# Builds and installs the Lua module for LuaRocks, which sets the upper-case variables.
rows = awk '$$1 !~ /^\#/ && NF == 4' core/dependencies.txt
found = $(shell $(rows) | while read -r module minimum need macro; do \
    pkg-config --exists "$$module >= $$minimum" && echo "$$module:$$macro"; done)
required = $(shell $(rows) | awk '$$3 == "required" { print $$1 " >= " $$2 }')
modules = $(foreach row,$(found),$(firstword $(subst :, ,$(row))))
macros = $(addsuffix =1,$(addprefix -D,$(filter-out -,$(foreach row,$(found),$(lastword $(subst :, ,$(row)))))))
sources = $(shell sed 's/\#.*//' core/sources.txt bindings/lua/sources.txt)

# Always anew: what lies there may have been built for another Lua.
build:
	pkg-config --print-errors --exists "$(required)"
	mkdir -p build/rock
	$(CC) $(CFLAGS) -std=c11 -O2 -fPIC -fvisibility=hidden -pthread -D_GNU_SOURCE= $(macros) \
	    -Icore/include -iquote core/src -iquote bindings/lua -I$(LUA_INCDIR) $$(pkg-config --cflags $(modules)) \
	    $(LIBFLAG) -Wl,-z,nodelete -Wl,--version-script=bindings/lua/exports.map -o build/rock/core.so $(sources) \
	    $$(pkg-config --libs $(modules)) -lm

install:
	install -Dm755 build/rock/core.so $(LIBDIR)/tidewheel/core.so
	cd lua && find tidewheel -name '*.lua' -exec install -Dm644 {} $(LUADIR)/{} \;

.PHONY: build install
