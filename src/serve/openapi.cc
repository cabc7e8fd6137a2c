#include "serve/openapi.h"

#include <string_view>

#include "cloze/version.h"

namespace cloze::serve {

namespace embedded {
extern const std::string_view openapi_json;  // src/serve/openapi.json, compiled in
}

std::string openapi_json() {
  constexpr std::string_view place = "@VERSION@";
  std::string text(embedded::openapi_json);
  if (const auto at = text.find(place); at != std::string::npos) {
    text.replace(at, place.size(), cloze::version());
  }
  return text;
}

}  // namespace cloze::serve
