/// \file
/// HTTP/1.1 over sockets: many connections on one thread, each with limits and deadlines. It knows
/// nothing about models; Boost's headers are known to its source file alone.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "serve/http/head.h"
#include "serve/http/listen.h"
#include "serve/http/message.h"
#include "serve/request_error.h"

namespace cloze::serve {

struct HttpOptions {
  HeadLimits head{};
  std::size_t most_body = std::size_t{16} << 20U;
  std::size_t most_bodies = std::size_t{256} << 20U;  ///< of all requests at once
  std::size_t most_connections = 4096;
  std::chrono::milliseconds head_time{10'000};   ///< for a head, from its first byte
  std::chrono::milliseconds body_time{10'000};   ///< for a body, and a second more for each 64 KiB
  std::chrono::milliseconds write_time{30'000};  ///< without progress
  std::chrono::milliseconds idle_time{75'000};   ///< between requests
  std::chrono::milliseconds shutdown_time{30'000};  ///< for what is in flight at the end
};

/// Connections, for the metrics.
struct ConnectionCounts {
  std::size_t open = 0, computing = 0;
  std::uint64_t accepted = 0, refused = 0, request_bytes = 0;
};

/// What is done with requests. All of it is called on the thread of run().
struct HttpHandler {
  /// Looks at a request without body, before that is read; throws RequestError to refuse it.
  std::function<void(const HttpRequest&)> check;
  /// Takes a request, to be answered now or later.
  std::function<void(std::shared_ptr<Exchange>)> handle;
  /// The answer for a request that the HTTP server itself refuses (`request` has what was read of
  /// it), or that `check` did.
  std::function<HttpResponse(const HttpRequest& request, const RequestError& error)> refuse;
  /// Called about every 50 ms.
  std::function<void()> tick;
  /// A signal asked for an end: no further connection is taken.
  std::function<void()> draining;
};

class HttpServer {
 public:
  HttpServer(const HttpOptions& options, HttpHandler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  HttpServer(HttpServer&&) = delete;
  HttpServer& operator=(HttpServer&&) = delete;

  /// Takes connections of the socket once run() is called.
  void listen(ListeningSocket socket);

  /// Serves until shutdown() or, with `signals`, SIGTERM or SIGINT; then answers what is in flight,
  /// and returns true; false where that took longer than `shutdown_time`, or a second signal came.
  /// With `signals` SIGHUP calls `reload`.
  bool run(bool signals, const std::function<void()>& reload = {});

  /// Ends run(). From any thread.
  void shutdown();

  /// Runs `task` on the thread of run(). From any thread.
  void post(std::function<void()> task);

  [[nodiscard]] ConnectionCounts counts() const;  ///< on the thread of run()

  struct Impl;  ///< of the source file

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace cloze::serve
