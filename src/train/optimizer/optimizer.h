/// \file
/// An optimizer over a model's parameters: moments, clipping, and its state for checkpoints.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "bert/training/parameters.h"
#include "cloze/checkpoint.h"
#include "cloze/training.h"
#include "ops/optimizer.h"
#include "ops/transfer.h"
#include "train/optimizer/lazy_rows.h"

namespace cloze {

class Optimizer {
 public:
  /// Moments zero. The parameters must outlive it. Frozen ones (`rate` 0) are left alone and have
  /// no moments.
  /// `sparse` names a table (empty: none) whose rows have gradients only where `read` was told of
  /// them: AdamW then leaves the others for later, and values and moments are up to date after
  /// `catch_up` alone. To the same bits; only the gradients' norm is summed in another order.
  Optimizer(internal::Parameters& parameters, const OptimizerSettings& settings,
            std::string_view sparse = {});

  /// The sparse table's rows that the next pass reads; before each pass.
  void read(std::span<const std::int32_t> rows);
  /// Before anything else looks at the parameters or at `state`.
  void catch_up();

  struct Step {
    double gradient_norm = 0;  ///< before clipping
    bool finite = true;  ///< otherwise nothing was changed but the gradients, which are not zero
  };

  /// One step at this learning rate; the gradients are zero afterwards, and the parameters' rounded
  /// values up to date.
  [[nodiscard]] Step step(double learning_rate);

  [[nodiscard]] std::int64_t steps() const { return steps_; }

  /// The moments, `NAME.exp_avg` and `NAME.exp_avg_sq`, and `step`, for the host: views that are
  /// valid as long as this object, or copies from the device.
  [[nodiscard]] TensorMap state() const;
  /// Takes up a state that `state` gave. Throws ModelError for one of other parameters: which.
  void load_state(const Checkpoint& state);

 private:
  [[nodiscard]] double sum_of_squares();

  internal::Parameters& parameters_;
  OptimizerSettings settings_;
  std::vector<const internal::Parameter*> trained_;  ///< those that are not frozen
  ops::Context context_;
  ops::Block<float> exp_avg_, exp_avg_sq_;
  std::vector<ops::OptimizedArrays> arrays_;  ///< of trained_, in its order
  std::vector<ops::OptimizedArrays> dense_;   ///< those that each step changes wholly
  std::optional<LazyRows> lazy_;
  std::int64_t steps_ = 0;
};

}  // namespace cloze
