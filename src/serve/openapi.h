/// \file
/// The description of the routes, OpenAPI 3.
#pragma once

#include <string>

namespace cloze::serve {

/// src/serve/openapi.json, with the version of this library.
[[nodiscard]] std::string openapi_json();

}  // namespace cloze::serve
