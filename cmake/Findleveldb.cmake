# leveldb: the target leveldb::leveldb.
#
# Not the library's own leveldbConfig.cmake: Debian's links with -lsnappy, whose development files it
# does not ask for. Installed with Cloze, whose package configuration needs it too.
find_path(leveldb_INCLUDE_DIR leveldb/table.h)
find_library(leveldb_LIBRARY leveldb)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(leveldb REQUIRED_VARS leveldb_LIBRARY leveldb_INCLUDE_DIR)
if(leveldb_FOUND AND NOT TARGET leveldb::leveldb)
  add_library(leveldb::leveldb UNKNOWN IMPORTED)
  set_target_properties(
    leveldb::leveldb PROPERTIES IMPORTED_LOCATION "${leveldb_LIBRARY}"
                                INTERFACE_INCLUDE_DIRECTORIES "${leveldb_INCLUDE_DIR}")
endif()
mark_as_advanced(leveldb_INCLUDE_DIR leveldb_LIBRARY)
