/// \file
/// The version of Cloze: of the headers that a program was compiled with, and of the library that
/// it runs with.
#pragma once

#include <string_view>

// The build reads the version from these three lines.
#define CLOZE_VERSION_MAJOR 0  ///< major version of the headers
#define CLOZE_VERSION_MINOR 1  ///< minor version of the headers
#define CLOZE_VERSION_PATCH 0  ///< patch version of the headers

#pragma GCC visibility push(default)
namespace cloze {

/// The version of the library at run time: "0.1.0".
[[nodiscard]] std::string_view version();

}  // namespace cloze

#pragma GCC visibility pop
