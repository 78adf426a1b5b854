# SPDX-License-Identifier: MIT
# Installs the libraries, the headers, tidewheel.pc and the files of find_package(tidewheel).
include(CMakePackageConfigHelpers)

set(config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/tidewheel")

install(TARGETS tidewheel_shared tidewheel_static EXPORT tidewheelTargets
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY core/include/tidewheel
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.h")
install(EXPORT tidewheelTargets NAMESPACE tidewheel:: DESTINATION "${config_dir}")

configure_package_config_file(cmake/tidewheelConfig.cmake.in
    "${PROJECT_BINARY_DIR}/tidewheelConfig.cmake" INSTALL_DESTINATION "${config_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/tidewheelConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES
    "${PROJECT_BINARY_DIR}/tidewheelConfig.cmake"
    "${PROJECT_BINARY_DIR}/tidewheelConfigVersion.cmake"
    DESTINATION "${config_dir}")

# Relative, so that `cmake --install --prefix` gives a file that is right.
file(RELATIVE_PATH TW_PC_TO_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" TW_PC_TO_PREFIX "${TW_PC_TO_PREFIX}")
string(REPLACE ";" ", " TW_PC_REQUIRES "${core_MODULES}")
string(REPLACE ">=" " >= " TW_PC_REQUIRES "${TW_PC_REQUIRES}")
configure_file(tidewheel.pc.in "${PROJECT_BINARY_DIR}/tidewheel.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/tidewheel.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
