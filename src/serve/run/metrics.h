/// \file
/// What the server counts, as Prometheus reads it (text format 0.0.4). The names `te_...` are
/// text-embeddings-inference's, which dashboards know; all stand there from the start.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/http/server.h"
#include "serve/schedule/scheduler.h"

namespace cloze::serve {

/// Counts in buckets of growing bounds.
class Histogram {
 public:
  /// Bounds first, first·factor, ... of `count` buckets, and one more for all else.
  Histogram(double first, double factor, std::size_t count);
  void add(double value, std::uint64_t times = 1);
  /// Appends it as `name`.
  void append(std::string& out, std::string_view name) const;

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;
  double sum_ = 0;
};

/// A request that was answered.
struct Served {
  std::string_view route;  ///< from the table of routes
  int status = 200;
  std::size_t inputs = 0;
  std::int64_t tokens = 0;
  std::size_t truncated = 0;
  bool batch = false, computed = false;
  double total = 0, tokenization = 0, queue = 0, inference = 0;  ///< seconds
};

/// From any thread.
class Metrics {
 public:
  Metrics();
  void batch(std::size_t units, std::int64_t tokens);
  void served(const Served& request);
  /// Why a request failed: "overloaded", "validation", "inference", "model_type", "dropped", ...
  void failed(std::string_view reason);

  struct Facts {
    SchedulerState scheduler;
    ConnectionCounts connections;
    bool ready = true;
    std::vector<std::pair<std::string, std::string>> models;  ///< name and dtype
  };
  [[nodiscard]] std::string text(const Facts& facts) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> requests_, successes_, failures_;
  std::map<std::pair<std::string, int>, std::uint64_t> responses_;
  std::uint64_t embed_count_ = 0, embed_success_ = 0, predict_count_ = 0, predict_success_ = 0;
  std::uint64_t truncated_ = 0;
  using Durations = std::array<Histogram, 4>;  // total, tokenization, queue, inference
  Durations request_, embed_, predict_;
  Histogram input_length_, batch_size_, batch_tokens_;
};

}  // namespace cloze::serve
