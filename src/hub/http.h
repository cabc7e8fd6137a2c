/// \file
/// One HTTP exchange, on libcurl: a request, and its answer as it comes. Redirects, tokens and
/// retries are for the caller to decide.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/error.h"

namespace cloze::http {

struct Request {
  std::string url;
  bool head = false;                          ///< HEAD instead of GET
  std::vector<std::string> headers;           ///< "Name: value"
  std::chrono::seconds timeout{10};           ///< between any two bytes
  std::chrono::milliseconds connect{10'000};  ///< to find the host and to connect
};

struct Response {
  std::string url;  ///< the request's
  long status = 0;
  std::map<std::string, std::string, std::less<>> headers;  ///< names in lower case
  std::string body;                                         ///< what no sink took
  std::optional<std::chrono::seconds> retry_after;          ///< `Retry-After`, a date turned to it

  /// A header's value; empty if the answer has none.
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

/// Takes a piece of the body of an answer with status 200 or 206; `Response` is complete but for
/// the body. What it throws ends the exchange and comes out of `exchange`.
using Sink = std::function<void(const Response&, std::span<const std::byte>)>;

/// No answer, or not all of it: refused, cut, silent for too long.
class ConnectionError : public IoError {
 public:
  ConnectionError(const std::string& what, bool temporary, bool answered)
      : IoError(what), temporary(temporary), answered(answered) {}
  bool temporary;  ///< whether another try may do better: not where a certificate is wrong
  bool answered;   ///< whether an answer had begun to come
};

/// The exchange was given up because somebody asked for that.
class Cancelled : public Error {
 public:
  Cancelled() : Error("cancelled") {}
};

/// A connection for one thread; it stays open between exchanges with the same host.
class Client {
 public:
  /// Exchanges end with Cancelled soon after `cancelled` becomes true (null: never).
  explicit Client(const std::atomic<bool>* cancelled = nullptr);

  /// Sends the request and waits for the whole answer. Without a sink, and for other statuses than
  /// 200 and 206, the body is kept, up to `largest_body` bytes. Follows no redirect. Throws
  /// ConnectionError, FormatError (a body that is too large), Cancelled.
  [[nodiscard]] Response exchange(const Request& request, const Sink& sink = {});

  static constexpr std::size_t largest_body = std::size_t{1} << 26;

 private:
  /// Takes a new handle: what a transfer that failed leaves behind is not to be gone on with.
  void start_anew();

  std::unique_ptr<void, void (*)(void*)> handle_;  // CURL*
  const std::atomic<bool>* cancelled_;
};

/// Where a `Location` leads from `base`; empty when that is not an http or https URL.
[[nodiscard]] std::string resolve_url(const std::string& base, const std::string& location);

/// Scheme, host and port: "https://host:443". Empty for what is not a URL. A token given for one
/// origin is not for another.
[[nodiscard]] std::string origin_of(const std::string& url);

}  // namespace cloze::http
