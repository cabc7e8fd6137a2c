/// \file
/// The CPU's part of a context: a worker a thread, each with its own compiled products and scratch
/// memory, so that nothing is shared while computing.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/arena.h"
#include "core/function_ref.h"
#include "ops/activation.h"
#include "ops/context.h"
#include "ops/cpu/onednn.h"

namespace cloze::ops {

/// What a piece of work was: entries of a worker's profile, named only when they are read.
struct OperationKey {
  enum class Kind : std::uint8_t {
    linear,
    multiply,
    weight_gradient,
    attention,
    attention_backward,
    layer_norm,
    activation,
    embed,
    copy,
    loss,
  };
  Kind kind = Kind::linear;
  std::int64_t k = 0, n = 0;  ///< of a linear layer; heads and head_dim of attention
  Epilogue epilogue = Epilogue::none;
  friend bool operator==(const OperationKey&, const OperationKey&) = default;
};

struct OperationRecord {
  OperationKey key;
  OperationCost cost;
};

struct Worker {
  Products products;
  Arena scratch;  ///< reset at the start of each operation that uses it
  std::vector<OperationRecord> records;
};

struct CpuState final : Context::State {
  CpuState();

  void begin() override;
  void start_profile() override;
  [[nodiscard]] Profile take_profile() override;

  /// The calling thread's worker. Threads of one team have different ones.
  [[nodiscard]] Worker& worker();

  /// Makes sure that every thread of a team that starts here will find its worker. Called outside
  /// parallel regions.
  void prepare();

  [[nodiscard]] const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }

  bool profiling = false;
  Arena sums;  ///< partial sums of the operation that is under way

 private:
  std::vector<std::unique_ptr<Worker>> workers_;
};

/// The context's state, and in it the calling thread's worker; the context must be the processor's.
[[nodiscard]] CpuState& state_of(Context& context);
[[nodiscard]] Worker& worker_of(Context& context);

/// Records the calling worker's time from here to the end of the scope, when profiling.
class Timed {
 public:
  Timed(Context& context, const OperationKey& key, double operations, double bytes);
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;
  ~Timed();

 private:
  Worker* worker_ = nullptr;
  OperationRecord record_;
  std::chrono::steady_clock::time_point start_;
};

/// Calls `body(index)` for [0, count) over the team, or on the calling thread alone when that is a
/// worker of a team already.
void parallel_tasks(Context& context, std::int64_t count, FunctionRef<void(std::int64_t)> body);

}  // namespace cloze::ops
