# SPDX-License-Identifier: MIT
# How our own code is compiled and linked; nothing here reaches those who use the library.

# The flags of every target of ours.
function(tw_configure target)
    set_target_properties(${target} PROPERTIES
        C_STANDARD 11
        C_STANDARD_REQUIRED ON
        C_EXTENSIONS OFF
        C_VISIBILITY_PRESET hidden
        POSITION_INDEPENDENT_CODE ON)
    # Defined as nothing, so that a source may define it for itself as well.
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE=)
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wshadow -Wstrict-prototypes -fno-semantic-interposition
        $<$<BOOL:${TW_WERROR}>:-Werror>)

    if(TW_HARDENING)
        # Without optimization the checked functions of the C library do nothing but warn.
        target_compile_options(${target} PRIVATE
            $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
            $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>
            -fstack-protector-strong -fstack-clash-protection)
        target_link_options(${target} PRIVATE -Wl,-z,relro,-z,now)
        get_target_property(type ${target} TYPE)
        if(type STREQUAL "EXECUTABLE")
            target_link_options(${target} PRIVATE -pie)
        endif()
    endif()

    if(TW_SANITIZE)
        target_compile_options(${target} PRIVATE
            -fsanitize=${TW_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1)
        target_link_options(${target} PRIVATE -fsanitize=${TW_SANITIZE})
    endif()
    if(TW_FUZZ)
        target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
    endif()
    if(TW_COVERAGE)
        target_compile_options(${target} PRIVATE --coverage)
        target_link_options(${target} PRIVATE --coverage)
    endif()
endfunction()

# Folders of internal headers. Only #include "..." looks there: a limits.h of ours is not <limits.h>.
function(tw_internal_headers target scope)
    foreach(folder IN LISTS ARGN)
        target_compile_options(${target} ${scope} "SHELL:-iquote ${PROJECT_SOURCE_DIR}/${folder}")
    endforeach()
endfunction()

# What a shared object exports. The public functions are marked default-visible in their headers, so
# that a module with the core inside would export them as well; the script says otherwise.
function(tw_exports target script)
    target_link_options(${target} PRIVATE
        "-Wl,--version-script=${PROJECT_SOURCE_DIR}/${script}")
    set_property(TARGET ${target} APPEND PROPERTY
        LINK_DEPENDS "${PROJECT_SOURCE_DIR}/${script}")
endfunction()
