# Toolchain: Debian's cross compiler for 64-bit Arm, with the libraries that scripts/arm-sysroot unpacks.
# Programs of the build run under qemu-user (CTest and gtest_discover_tests do that by themselves).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++-12)

set(CLOZE_ARM_SYSROOT "${CMAKE_CURRENT_LIST_DIR}/../build/arm64-sysroot" CACHE PATH "What scripts/arm-sysroot made")
set(CLOZE_ARM_EMULATOR qemu-aarch64-static CACHE STRING "Runs programs for Arm")
set(CLOZE_ARM_CPU max CACHE STRING "The processor that it imitates: max, cortex-a72, neoverse-n1, ...")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES CLOZE_ARM_SYSROOT)
get_filename_component(CMAKE_SYSROOT "${CLOZE_ARM_SYSROOT}" ABSOLUTE)
if(NOT EXISTS "${CMAKE_SYSROOT}/usr/include")
  message(FATAL_ERROR "there is no '${CMAKE_SYSROOT}': run scripts/arm-sysroot first, or `make arm`")
endif()
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR ${CLOZE_ARM_EMULATOR} -cpu ${CLOZE_ARM_CPU} -L ${CMAKE_SYSROOT})

# Libraries and headers are Arm's; programs (protoc, Python) are this machine's.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${CMAKE_SYSROOT}")
set(ENV{PKG_CONFIG_LIBDIR} "${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${CMAKE_SYSROOT}/usr/share/pkgconfig")
