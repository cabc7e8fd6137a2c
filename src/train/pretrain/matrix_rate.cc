#include "train/pretrain/matrix_rate.h"

#include <cstdint>
#include <vector>

#include "bert/token_selection.h"
#include "ops/gemm_rate.h"

namespace cloze {
namespace {

/// Every product of a step: forward [m, k]·[k, n], and the two of its backward.
std::vector<ops::GemmShape> gemm_shapes(const BertConfig& config,
                                        const internal::PretrainingBatch& batch) {
  std::vector<ops::GemmShape> shapes;
  const auto add = [&](std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t count) {
    shapes.push_back({.m = m, .n = n, .k = k, .count = count});
    shapes.push_back({.m = m, .n = k, .k = n, .count = count});
    shapes.push_back({.m = n, .n = k, .k = m, .count = count});
  };
  const auto hidden = config.hidden_size, inner = config.intermediate_size;
  const auto tokens = batch.inputs.total_tokens(), layers = config.num_hidden_layers;
  const auto after_attention = [&](std::int64_t rows, std::int64_t count) {
    add(rows, hidden, hidden, count);
    add(rows, inner, hidden, count);
    add(rows, hidden, inner, count);
  };
  add(tokens, 3 * hidden, hidden, layers - 1);
  after_attention(tokens, layers - 1);
  // The last layer goes on for the tokens that the heads look at.
  const auto selected = internal::TokenSelection::of(batch.inputs, batch.masked_positions, true);
  const std::int64_t rows = selected.rows(batch.inputs);
  add(tokens, 2 * hidden, hidden, 1);
  add(rows, hidden, hidden, 1);
  after_attention(rows, 1);
  if (batch.masked() > 0) {
    add(batch.masked(), hidden, hidden, 1);
    add(batch.masked(), config.vocab_size, hidden, 1);
  }
  return shapes;
}

}  // namespace

double training_gemm_rate(const BertConfig& config, const internal::TrainingOptions& options,
                          const internal::PretrainingBatch& batch, int repeats) {
  return ops::gemm_rate(*options.device, gemm_shapes(config, batch), options.compute, repeats);
}

}  // namespace cloze
