/// \file
/// HTTP as the rest of the server sees it: a request, an answer, and the exchange of the two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cloze::serve {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;  ///< "POST"
  std::string path;    ///< of the target, percent-decoded: "/v1/models/a b"
  std::string query;   ///< of the target, as it stands
  Headers headers;     ///< names in lower case
  std::string body;
  std::string peer;  ///< the client's address; empty on a Unix socket

  /// The value of a header, the first of several; empty where there is none. `name` in lower case.
  [[nodiscard]] std::string_view header(std::string_view name) const {
    for (const auto& [each, value] : headers) {
      if (each == name) return value;
    }
    return {};
  }
};

/// Content-Length, Content-Type and Connection are the HTTP server's own business.
struct HttpResponse {
  int status = 200;
  std::string body{};
  std::string content_type = "application/json";
  Headers headers{};
  bool close = false;  ///< the connection is not to be used again
};

/// A request that waits for its answer. Its functions may be called on any thread.
class Exchange {
 public:
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  Exchange(Exchange&&) = delete;
  Exchange& operator=(Exchange&&) = delete;
  virtual ~Exchange() = default;

  [[nodiscard]] virtual HttpRequest& request() = 0;
  /// Sends the answer; the first one counts.
  virtual void respond(HttpResponse response) = 0;
  /// Runs `task` on the thread that the handler was called on.
  virtual void post(std::function<void()> task) = 0;
  /// What to call, on that thread, if the client leaves before it has its answer. To be set there.
  virtual void on_gone(std::function<void()> gone) = 0;
};

/// "Not Found"
[[nodiscard]] std::string_view reason_of(int status);

}  // namespace cloze::serve
