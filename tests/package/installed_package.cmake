# Installs the built tree into a temporary prefix, builds examples/hello and the tour of tests/package
# against it as a stranger would (find_package, and pkg-config where it is installed), and runs them.
#
#   cmake -DBUILD_DIR= -DSOURCE_DIR= -DWORK_DIR= -DMODEL_DIR= -DGENERATOR= -DCXX=
#         -P installed_package.cmake
cmake_minimum_required(VERSION 3.25)

file(READ "${MODEL_DIR}/config.json" config)
string(JSON width GET "${config}" hidden_size)

function(run)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "OUTPUT;ENVIRONMENT" "COMMAND")
  execute_process(COMMAND ${CMAKE_COMMAND} -E env ${arg_ENVIRONMENT} ${arg_COMMAND}
                  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN arg_COMMAND " " command)
    message(FATAL_ERROR "failed (${result}): ${command}\n${output}")
  endif()
  if(arg_OUTPUT)
    set(${arg_OUTPUT} "${output}" PARENT_SCOPE)
  endif()
endfunction()

function(check_hello how output)
  message(STATUS "hello by ${how}:\n${output}")
  if(NOT output MATCHES "last_hidden_state \\[[0-9]+, ${width}\\]\n-?[0-9.e-]+ -?[0-9.e-]+ ")
    message(FATAL_ERROR "expected a last_hidden_state of [tokens, ${width}] and its values")
  endif()
endfunction()

set(prefix "${WORK_DIR}/prefix")
file(REMOVE_RECURSE "${WORK_DIR}")
file(MAKE_DIRECTORY "${WORK_DIR}")
run(COMMAND ${CMAKE_COMMAND} --install "${BUILD_DIR}" --prefix "${prefix}")

# Moved once installed: nothing in the package may remember where it was put first.
file(RENAME "${prefix}" "${WORK_DIR}/moved")
set(prefix "${WORK_DIR}/moved")

run(COMMAND ${CMAKE_COMMAND} -S "${SOURCE_DIR}/examples/hello" -B "${WORK_DIR}/hello" -G
            "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${CXX}" "-DCMAKE_PREFIX_PATH=${prefix}"
            -DCMAKE_BUILD_TYPE=Release)
run(COMMAND ${CMAKE_COMMAND} --build "${WORK_DIR}/hello")
run(COMMAND "${WORK_DIR}/hello/hello" "${MODEL_DIR}" OUTPUT output)
check_hello("find_package" "${output}")

run(COMMAND "${prefix}/bin/cloze" --help OUTPUT output)
run(COMMAND "${SOURCE_DIR}/tests/package/run_paths.sh" --installed "${prefix}")

# Every task of the README's tour, by public headers alone.
run(COMMAND ${CMAKE_COMMAND} -S "${SOURCE_DIR}/tests/package" -B "${WORK_DIR}/tour" -G "${GENERATOR}"
            "-DCMAKE_CXX_COMPILER=${CXX}" "-DCMAKE_PREFIX_PATH=${prefix}" -DCMAKE_BUILD_TYPE=Debug)
run(COMMAND ${CMAKE_COMMAND} --build "${WORK_DIR}/tour")
file(MAKE_DIRECTORY "${WORK_DIR}/tour/work")
run(COMMAND "${WORK_DIR}/tour/tour" "${SOURCE_DIR}/tests/goldens" "${SOURCE_DIR}/examples/data"
            "${WORK_DIR}/tour/work" OUTPUT output)
message(STATUS "tour:\n${output}")

find_program(PKG_CONFIG NAMES pkg-config pkgconf)
if(PKG_CONFIG)
  file(GLOB_RECURSE pc "${prefix}/*/cloze.pc")
  cmake_path(GET pc PARENT_PATH directory)
  run(COMMAND ${PKG_CONFIG} --cflags --libs cloze ENVIRONMENT "PKG_CONFIG_PATH=${directory}"
      OUTPUT flags)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  run(COMMAND ${CXX} -std=c++20 "${SOURCE_DIR}/examples/hello/main.cpp" ${flags} -o
              "${WORK_DIR}/hello_by_pkg_config")
  cmake_path(GET directory PARENT_PATH library_directory)
  run(COMMAND "${WORK_DIR}/hello_by_pkg_config" "${MODEL_DIR}" OUTPUT output
      ENVIRONMENT "LD_LIBRARY_PATH=${library_directory}")
  check_hello("pkg-config" "${output}")
endif()

# The folders above the tree may have any names: the library's sources are found by their own paths.
file(MAKE_DIRECTORY "${WORK_DIR}/src/cli")
file(CREATE_LINK "${SOURCE_DIR}" "${WORK_DIR}/src/cli/cloze" SYMBOLIC)
run(COMMAND ${CMAKE_COMMAND} -S "${WORK_DIR}/src/cli/cloze" -B "${WORK_DIR}/odd" -G "${GENERATOR}"
            "-DCMAKE_CXX_COMPILER=${CXX}" -DCLOZE_BUILD_TESTS=OFF -DCLOZE_UNITY_BUILD=OFF)
file(READ "${WORK_DIR}/odd/compile_commands.json" commands)
if(NOT commands MATCHES "/src/cli/cloze/src/core/tensor.cc")
  message(FATAL_ERROR "a tree below a folder src/cli has lost the library's sources")
endif()
