/// \file
/// The server: models, scheduler, routes and sockets put together.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cloze/pipeline.h"
#include "serve/http/server.h"
#include "serve/run/log.h"
#include "serve/schedule/scheduler.h"
#include "serve/service.h"

namespace cloze::serve {

struct ServerOptions {
  std::vector<ModelChoice> models;
  PipelineOptions pipeline{};  ///< of all models
  std::vector<std::string> hosts{"127.0.0.1"};
  std::uint16_t port = 3000;  ///< 0: the system chooses
  std::string unix_path{};    ///< empty: none
  bool tcp = true;            ///< whether hosts and port count; systemd's sockets go before
  HttpOptions http{};
  SchedulerOptions scheduler{};
  ServiceLimits limits{};
  std::chrono::milliseconds request_time{60'000};  ///< from a request's arrival to its last batch
  std::vector<std::string> api_keys{};
  std::string api_key_file{};
  bool protect_metrics = false;
  LogFormat log = LogFormat::text;
};

class Server {
 public:
  /// Loads the models, warms them up, and listens. Throws as ServedModel, IoError.
  explicit Server(const ServerOptions& options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  Server(Server&&) = delete;
  Server& operator=(Server&&) = delete;

  /// Where it listens: "http://127.0.0.1:3000".
  [[nodiscard]] const std::vector<std::string>& addresses() const;
  [[nodiscard]] int port() const;  ///< of the first TCP socket; 0: none
  /// What its user is to know: a model's doubtful settings, an open door.
  [[nodiscard]] const std::vector<std::string>& warnings() const;

  /// Serves until shutdown() or, with `signals`, SIGTERM or SIGINT. Whether all that was accepted is
  /// answered.
  bool run(bool signals);
  /// From any thread.
  void shutdown();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cloze::serve
