/// \file
/// What a trainer wants to know of a split of a task: predictions in batches, how often each label
/// occurs, and whether it is still the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "bert/training/task_model.h"
#include "cloze/progress.h"
#include "cloze/tensor.h"
#include "tasks/task.h"

namespace cloze {

/// Divides units, in their order, into runs of at most `tokens` tokens (a longer unit is alone).
[[nodiscard]] std::vector<std::span<const std::size_t>> divide_by_tokens(
    const TaskData& data, std::span<const std::size_t> units, std::int64_t tokens);

/// The logits of every unit, as TaskData::evaluate takes them, by batches of at most `batch_tokens`
/// tokens, like lengths together. With `loss` (the split must have labels) their loss. `progress`
/// is told of the units done.
[[nodiscard]] std::vector<Tensor> predict_units(internal::TaskModel& model, const TaskData& data,
                                                std::int64_t batch_tokens,
                                                internal::TaskLossSum* loss,
                                                const ProgressCallback& progress = {});

/// How often each of `labels` labels occurs (cross entropy over labels).
[[nodiscard]] std::vector<std::int64_t> label_counts(const TaskData& data, std::int64_t labels);

/// scikit-learn's class_weight="balanced": n / (labels · count). Throws ArgumentError for a label
/// that never occurs.
[[nodiscard]] std::vector<float> balanced_class_weights(std::span<const std::int64_t> counts);

/// A number that other texts, labels, or another order change.
[[nodiscard]] std::uint64_t fingerprint_of(const TaskData& data);

}  // namespace cloze
