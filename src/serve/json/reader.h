/// \file
/// The body of a request as JSON, whatever a client sends: bounded in depth and in values while it
/// is read.
#pragma once

#include <cstddef>
#include <string_view>

#include <nlohmann/json.hpp>

namespace cloze::serve {

struct JsonLimits {
  std::size_t depth = 8;           ///< of lists and objects in each other
  std::size_t values = 1'500'000;  ///< of all kinds, and names: 2,048 texts of 512 ids and more
};

/// Reads JSON. Throws RequestError: 400 for what is not JSON or not UTF-8 (which byte, what), for
/// a name that stands twice in one object, a number that no double holds, and for more than the
/// limits.
[[nodiscard]] nlohmann::json parse_json(std::string_view text, const JsonLimits& limits = {});

/// The same, and an object: 422 for another value.
[[nodiscard]] nlohmann::json parse_object(std::string_view text, const JsonLimits& limits = {});

}  // namespace cloze::serve
