# What `cmake --install` puts in place: the library, its headers, the command, a CMake package
# (find_package(cloze)) and a pkg-config file.
include(CMakePackageConfigHelpers)

set(CLOZE_PACKAGE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/cloze")

# Components: `runtime`, the shared library; `development`, headers, CMake and pkg-config files and the
# static library; `command`.
install(
  TARGETS cloze
  EXPORT cloze-targets
  LIBRARY COMPONENT runtime NAMELINK_COMPONENT development
  ARCHIVE COMPONENT development)
if(TARGET cloze_cli)
  install(TARGETS cloze_cli RUNTIME COMPONENT command)
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/cloze" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        COMPONENT development
        FILES_MATCHING PATTERN "*.h")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT runtime)
install(EXPORT cloze-targets NAMESPACE cloze:: DESTINATION "${CLOZE_PACKAGE_DIR}" COMPONENT development)

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/cloze-config.cmake.in" "${PROJECT_BINARY_DIR}/cloze-config.cmake"
  INSTALL_DESTINATION "${CLOZE_PACKAGE_DIR}")
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/cloze-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/cloze-config.cmake"
              "${PROJECT_BINARY_DIR}/cloze-config-version.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/FindoneDNN.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/Findleveldb.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/Findutf8proc.cmake"
        DESTINATION "${CLOZE_PACKAGE_DIR}" COMPONENT development)

# A static libcloze leaves its own dependencies to whoever links it, with or without --static.
get_target_property(CLOZE_LIBRARY_TYPE cloze TYPE)
set(suffix "")
if(CLOZE_LIBRARY_TYPE STREQUAL SHARED_LIBRARY)
  set(suffix "_PRIVATE")
endif()
set(CLOZE_PC_REQUIRES${suffix} "fmt libhwy libutf8proc protobuf zlib")
if(CLOZE_BUILD_HUB)
  string(APPEND CLOZE_PC_REQUIRES${suffix} " libcrypto")
endif()
set(CLOZE_PC_LIBS${suffix} "-ldnnl -lleveldb ${OpenMP_CXX_FLAGS} ${CMAKE_THREAD_LIBS_INIT} -ldl")
file(RELATIVE_PATH CLOZE_PREFIX_FROM_PC "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig"
     "${CMAKE_INSTALL_PREFIX}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/cloze.pc.in" "${PROJECT_BINARY_DIR}/cloze.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/cloze.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
        COMPONENT development)
