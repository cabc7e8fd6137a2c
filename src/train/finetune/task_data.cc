#include "train/finetune/task_data.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/fingerprint.h"
#include "core/progress_counter.h"
#include "datasets/batching.h"

namespace cloze {
namespace {

/// Calls `body` with all units' batches, a few hundred units at a time.
void for_each_batch(const TaskData& data,
                    const std::function<void(const internal::TaskBatch&)>& body) {
  constexpr std::size_t kUnits = 256;
  for (std::size_t begin = 0; begin < data.size(); begin += kUnits) {
    std::vector<std::size_t> units(std::min(kUnits, data.size() - begin));
    std::iota(units.begin(), units.end(), begin);
    body(data.batch(units));
  }
}

}  // namespace

std::vector<std::span<const std::size_t>> divide_by_tokens(const TaskData& data,
                                                           std::span<const std::size_t> units,
                                                           std::int64_t tokens) {
  std::vector<std::span<const std::size_t>> parts;
  std::size_t begin = 0;
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < units.size(); ++i) {
    const std::int64_t count = data.tokens(units[i]);
    if (i > begin && sum + count > tokens) {
      parts.push_back(units.subspan(begin, i - begin));
      begin = i;
      sum = 0;
    }
    sum += count;
  }
  if (begin < units.size()) parts.push_back(units.subspan(begin));
  return parts;
}

std::vector<Tensor> predict_units(internal::TaskModel& model, const TaskData& data,
                                  std::int64_t batch_tokens, internal::TaskLossSum* loss,
                                  const ProgressCallback& progress) {
  std::vector<std::int64_t> lengths(data.size());
  for (std::size_t i = 0; i < lengths.size(); ++i) lengths[i] = data.tokens(i);
  std::vector<Tensor> logits(data.size());
  if (loss != nullptr) *loss = {};
  ProgressCounter counter(progress, "evaluating", static_cast<std::int64_t>(data.size()), "units");
  for (const auto& units : plan_batches(lengths, batch_tokens)) {
    const auto batch = data.batch(units);
    internal::TaskLossSum part;
    const auto found = model.predict(batch, loss == nullptr ? nullptr : &part);
    if (loss != nullptr) *loss += part;
    const auto rows = internal::rows_of_units(*model.options().head, batch);
    std::int64_t at = 0;
    for (std::size_t i = 0; i < units.size(); ++i) {
      logits[units[i]] = found.rows(at, at + rows.at(i));
      at += rows[i];
    }
    counter.advance(static_cast<std::int64_t>(units.size()));
  }
  return logits;
}

std::vector<std::int64_t> label_counts(const TaskData& data, std::int64_t labels) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(labels));
  for_each_batch(data, [&](const internal::TaskBatch& batch) {
    for (const auto label : batch.labels) {
      if (label != internal::kIgnoredLabel) ++counts.at(static_cast<std::size_t>(label));
    }
  });
  return counts;
}

std::vector<float> balanced_class_weights(std::span<const std::int64_t> counts) {
  const auto total = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  std::vector<float> weights;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) {
      throw ArgumentError(
          fmt::format("label {} never occurs in the training data, so it has no balanced weight: "
                      "give the weights as numbers",
                      i));
    }
    weights.push_back(
        static_cast<float>(static_cast<double>(total) / static_cast<double>(counts.size()) /
                           static_cast<double>(counts[i])));
  }
  return weights;
}

std::uint64_t fingerprint_of(const TaskData& data) {
  Fingerprint sum;
  const auto add = [&]<class T>(const std::vector<T>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    sum.add(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  };
  for_each_batch(data, [&](const internal::TaskBatch& batch) {
    add(batch.inputs.input_ids);
    add(batch.inputs.cu_seqlens);
    add(batch.labels);
    add(batch.targets);
    add(batch.start_positions);
    add(batch.end_positions);
    add(batch.choices);
  });
  return sum.value();
}

}  // namespace cloze
