# SPDX-License-Identifier: MIT
# The C tests, the header test and the fuzz targets, found by name: a new file is a new test.
pkg_check_modules(TW_CMOCKA IMPORTED_TARGET cmocka)
pkg_check_modules(TW_ORACLE IMPORTED_TARGET libarchive)

set(TW_TEST_ENVIRONMENT
    "TW_TEST_VECTORS=${PROJECT_SOURCE_DIR}/tests/vectors"
    "ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1"
    "UBSAN_OPTIONS=print_stacktrace=1"
    "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")

# Every tests/<part>/test_*.c is a program; tests/<part>/support/*.c is linked to each of them.
function(tw_add_tests part)
    file(GLOB tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${part}/test_*.c")
    file(GLOB support CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${part}/support/*.c")
    if(tests AND support)
        add_library(${part}_test_support OBJECT ${support})
        tw_configure_test(${part}_test_support ${ARGN})
    endif()
    foreach(source IN LISTS tests)
        get_filename_component(name "${source}" NAME_WE)
        set(target ${part}_${name})
        add_executable(${target} "${source}")
        if(support)
            target_sources(${target} PRIVATE $<TARGET_OBJECTS:${part}_test_support>)
        endif()
        tw_configure_test(${target} ${ARGN})
        add_test(NAME ${part}/${name} COMMAND ${target} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
        set_tests_properties(${part}/${name} PROPERTIES
            TIMEOUT 300 ENVIRONMENT "${TW_TEST_ENVIRONMENT}" LABELS ${part})
    endforeach()
endfunction()

# Tests see the internal headers and, by the static libraries, the internal symbols.
function(tw_configure_test target)
    tw_configure(${target})
    target_include_directories(${target} PRIVATE core/include)
    tw_internal_headers(${target} PRIVATE core/src tests/core tests/emulator)
    target_compile_definitions(${target} PRIVATE ${core_DEFINITIONS}
        TW_TEST_VECTORS="${PROJECT_SOURCE_DIR}/tests/vectors")
    target_link_libraries(${target} PRIVATE ${ARGN} ${core_LIBRARIES} Threads::Threads m
        PkgConfig::TW_CMOCKA)
    if(TW_ORACLE_FOUND)
        target_link_libraries(${target} PRIVATE PkgConfig::TW_ORACLE)
        target_compile_definitions(${target} PRIVATE TW_TEST_HAVE_LIBARCHIVE=1)
    endif()
endfunction()

# Each public header compiles alone, as a stranger's strict compiler would see it.
function(tw_add_header_test)
    file(GLOB_RECURSE headers CONFIGURE_DEPENDS
        RELATIVE "${PROJECT_SOURCE_DIR}/core/include" "${PROJECT_SOURCE_DIR}/core/include/*.h")
    set(probes)
    foreach(header IN LISTS headers)
        set(probe "${PROJECT_BINARY_DIR}/headers/${header}.c")
        file(CONFIGURE OUTPUT "${probe}"
            CONTENT "#include <${header}>\ntypedef int not_an_empty_translation_unit;\n")
        list(APPEND probes "${probe}")
    endforeach()
    add_library(tidewheel_header_test OBJECT ${probes})
    target_include_directories(tidewheel_header_test PRIVATE core/include)
    set_target_properties(tidewheel_header_test PROPERTIES C_STANDARD 11 C_EXTENSIONS OFF)
    target_compile_options(tidewheel_header_test PRIVATE -Wall -Wextra -pedantic -Werror)
endfunction()

# Each tests/fuzz/fuzz_*.c: a libFuzzer program in the fuzz build; elsewhere a program that replays
# tests/fuzz/corpus/<name>/, so that what a fuzzer once found stays found.
function(tw_add_fuzz_targets)
    file(GLOB fuzzers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_*.c")
    foreach(source IN LISTS fuzzers)
        get_filename_component(name "${source}" NAME_WE)
        set(corpus "${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name}")
        add_executable(${name} "${source}")
        tw_configure(${name})
        target_include_directories(${name} PRIVATE core/include)
        tw_internal_headers(${name} PRIVATE core/src)
        target_compile_definitions(${name} PRIVATE ${core_DEFINITIONS})
        target_link_libraries(${name} PRIVATE tidewheel_static ${core_LIBRARIES} Threads::Threads m)
        if(TW_FUZZ)
            target_link_options(${name} PRIVATE -fsanitize=fuzzer)
        else()
            target_sources(${name} PRIVATE tests/fuzz/replay.c)
        endif()
        if(EXISTS "${corpus}")
            set(arguments "${corpus}")
            if(TW_FUZZ)
                list(APPEND arguments -runs=0)
            endif()
            add_test(NAME fuzz/${name} COMMAND ${name} ${arguments})
            set_tests_properties(fuzz/${name} PROPERTIES
                TIMEOUT 300 ENVIRONMENT "${TW_TEST_ENVIRONMENT}" LABELS fuzz)
        endif()
    endforeach()
endfunction()

tw_add_header_test()
tw_add_fuzz_targets()
if(BUILD_TESTING AND TW_CMOCKA_FOUND)
    tw_add_tests(core tidewheel_static)
    target_compile_definitions(core_test_copies PRIVATE
        TW_SHARED_LIBRARY="$<TARGET_FILE:tidewheel_shared>")
    add_dependencies(core_test_copies tidewheel_shared)
    if(emulator_FOUND)
        tw_add_tests(emulator tidewheel_emulator_static tidewheel_static)
    endif()
elseif(BUILD_TESTING)
    message(STATUS "C tests: left out, cmocka was not found")
endif()

# Lua states that run out of memory: linked with the interpreter, so that its allocator can be the
# test's. LuaJIT takes no foreign allocator.
foreach(digits IN ITEMS 54 51)
    if(NOT BUILD_TESTING OR NOT lua_sources OR NOT TW_LUA_${digits}_FOUND
            OR TW_LUA_${digits}_MODULE_NAME MATCHES "jit")
        continue()
    endif()
    set(target lua${digits}_test_oom)
    add_executable(${target} tests/lua/test_oom.c ${lua_sources})
    tw_configure(${target})
    tw_internal_headers(${target} PRIVATE bindings/lua)
    target_include_directories(${target} SYSTEM PRIVATE ${TW_LUA_${digits}_INCLUDE_DIRS})
    target_link_directories(${target} PRIVATE ${TW_LUA_${digits}_LIBRARY_DIRS})
    target_link_libraries(${target} PRIVATE tidewheel_static ${TW_LUA_${digits}_LIBRARIES} m)
    add_test(NAME lua/${target} COMMAND ${target})
    set_tests_properties(lua/${target} PROPERTIES
        TIMEOUT 300 ENVIRONMENT "${TW_TEST_ENVIRONMENT}" LABELS lua)
endforeach()
