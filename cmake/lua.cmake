# SPDX-License-Identifier: MIT
# The Lua modules, once for 5.4 and once for 5.1: lua/<version>/tidewheel/*.so in the build folder.
tw_read_sources(lua_sources bindings/lua/sources.txt)
tw_read_sources(lua_emulator_sources bindings/lua/emulator/sources.txt)

# Lua 5.1's own headers come first: a module built on them loads in 5.1 and in LuaJIT, one built on
# LuaJIT's only there, because LuaJIT exports functions of 5.2 that 5.1 does not have.
pkg_search_module(TW_LUA_54 lua5.4 lua-5.4 lua54)
pkg_search_module(TW_LUA_51 lua5.1 lua-5.1 lua51 luajit)

function(tw_lua_module version name)
    string(REPLACE "." "" digits ${version})
    set(target tidewheel_lua${digits}_${name})
    add_library(${target} MODULE ${ARGN})
    tw_configure(${target})
    tw_exports(${target} bindings/lua/exports.map)
    tw_internal_headers(${target} PRIVATE bindings/lua)
    # Closing a Lua state unloads its modules, but an I/O thread may need its code a moment longer.
    target_link_options(${target} PRIVATE LINKER:-z,nodelete)
    # The interpreter supplies the Lua functions: headers only, never its library.
    target_include_directories(${target} SYSTEM PRIVATE ${TW_LUA_${digits}_INCLUDE_DIRS})
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME ${name}
        PREFIX ""
        LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lua/${version}/tidewheel")
    install(TARGETS ${target}
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/lua/${version}/tidewheel")
endfunction()

foreach(version IN ITEMS 5.4 5.1)
    string(REPLACE "." "" digits ${version})
    if(NOT TW_LUA_${digits}_FOUND)
        message(STATUS "Lua ${version}: headers not found, module left out")
        continue()
    endif()
    if(lua_sources)
        tw_lua_module(${version} core ${lua_sources})
        target_link_libraries(tidewheel_lua${digits}_core PRIVATE tidewheel_static)
    endif()
    if(lua_emulator_sources AND emulator_FOUND)
        tw_lua_module(${version} emulator_core ${lua_emulator_sources})
        target_link_libraries(tidewheel_lua${digits}_emulator_core
            PRIVATE tidewheel_emulator_static)
    endif()
    if(EXISTS "${PROJECT_SOURCE_DIR}/lua/tidewheel")
        install(DIRECTORY lua/tidewheel
            DESTINATION "${CMAKE_INSTALL_DATADIR}/lua/${version}"
            FILES_MATCHING PATTERN "*.lua")
    endif()
endforeach()
