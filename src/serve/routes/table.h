/// \file
/// The routes: which path is answered how.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "serve/request_error.h"
#include "serve/service.h"

namespace cloze::serve {

/// A path that is answered, with what it names.
struct FoundRoute {
  std::string_view name;  ///< of the table: "/pipeline/{task}"; for metrics and logs
  ErrorStyle style = ErrorStyle::native;
  bool is_public = false;  ///< without a key
  Route post{};            ///< of POST; empty where there is none
  /// What GET answers with: "health", "info", "metrics", ...; empty where there is none.
  std::string_view get{};
  std::optional<std::string> model{};  ///< that the path names

  [[nodiscard]] std::string_view allow() const {
    return post && !get.empty() ? "GET, HEAD, POST" : post ? "POST" : "GET, HEAD";
  }
};

/// The route of a path. Throws RequestError (404).
[[nodiscard]] FoundRoute find_route(std::string_view path);

/// The error style of a path, whether there is a route or not.
[[nodiscard]] ErrorStyle style_of(std::string_view path);

}  // namespace cloze::serve
