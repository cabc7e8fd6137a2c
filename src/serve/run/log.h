/// \file
/// The log of requests, on standard error: never their texts, nor keys.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "serve/run/metrics.h"

namespace cloze::serve {

enum class LogFormat : std::uint8_t { none, text, json };

/// From any thread; each line is written whole.
class Log {
 public:
  explicit Log(LogFormat format) : format_(format) {}

  /// A request that was answered. `id` is printable.
  void request(std::string_view method, const Served& served, std::string_view id,
               std::string_view peer);
  /// What happens to the server.
  void event(std::string_view what);

 private:
  void write(std::string line);

  LogFormat format_;
  std::mutex mutex_;
};

}  // namespace cloze::serve
