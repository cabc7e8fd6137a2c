#include "serve/http/message.h"

#include <algorithm>
#include <array>

namespace cloze::serve {

std::string_view reason_of(int status) {
  static constexpr std::array<std::pair<int, std::string_view>, 18> reasons{{
      {200, "OK"},
      {204, "No Content"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {422, "Unprocessable Content"},
      {424, "Failed Dependency"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {501, "Not Implemented"},
      {505, "HTTP Version Not Supported"},
  }};
  const auto* const found = std::find_if(reasons.begin(), reasons.end(),
                                         [&](const auto& each) { return each.first == status; });
  if (found != reasons.end()) return found->second;
  return status == 503 ? "Service Unavailable" : "Internal Server Error";
}

}  // namespace cloze::serve
