#include "inspect/token_predictions.h"

#include <algorithm>
#include <cmath>

#include "cloze/error.h"
#include "core/parallel.h"
#include "core/progress_counter.h"
#include "tasks/top_tokens.h"

namespace cloze {
namespace {

/// Rows of logits that exist at once: 32 MB of them for a vocabulary of 30,522.
constexpr std::int64_t kMostRows = 256;

/// Writes the likeliest tokens of each row of `logits` to rows [first, ...) of ids and
/// probabilities.
void put_top(const Tensor& logits, const TokenPredictionOptions& options, std::int64_t first,
             std::span<std::int32_t> ids, std::span<float> probabilities) {
  const auto width = static_cast<std::size_t>(logits.dim(1));
  const auto words = static_cast<std::size_t>(options.words);
  const auto top = static_cast<std::size_t>(options.top);
  const auto values = logits.values<float>();
  parallel_for(logits.dim(0), 1, [&](std::int64_t row) {
    const auto best =
        top_tokens(values.subspan(static_cast<std::size_t>(row) * width, width), words, top);
    auto at = static_cast<std::size_t>(first + row) * top;
    for (const auto& [id, probability] : best) {
      ids[at] = id;
      probabilities[at] = static_cast<float>(probability);
      ++at;
    }
  });
}

void require(const TokenPredictionOptions& options, const BertConfig& config) {
  if (options.words < 1 || options.words > config.vocab_size || options.top < 1 ||
      options.top > options.words) {
    throw ArgumentError("the likeliest tokens are at least one, and no more than the vocabulary");
  }
}

}  // namespace

LayerPredictions predict_by_layer(const BertForMaskedLM& model,
                                  std::span<const Tensor> hidden_states,
                                  const TokenPredictionOptions& options,
                                  const ProgressCallback& progress) {
  require(options, model.config());
  const auto layers = static_cast<std::int64_t>(hidden_states.size());
  ProgressCounter counter(progress, "layers", layers, "layers");
  const std::int64_t tokens = layers == 0 ? 0 : hidden_states.front().dim(0);
  LayerPredictions result{
      .ids = Tensor::zeros(DType::i32, {layers, tokens, options.top}),
      .probabilities = Tensor::zeros(DType::f32, {layers, tokens, options.top})};
  const auto ids = result.ids.mutable_values<std::int32_t>();
  const auto probabilities = result.probabilities.mutable_values<float>();
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const auto& hidden = hidden_states[static_cast<std::size_t>(layer)];
    for (std::int64_t begin = 0; begin < tokens; begin += kMostRows) {
      const auto logits = model.decode(hidden.rows(begin, std::min(tokens, begin + kMostRows)));
      put_top(logits, options, layer * tokens + begin, ids, probabilities);
    }
    counter.advance();
  }
  return result;
}

MaskedPredictions predict_masked(const BertForMaskedLM& model, const Batch& batch,
                                 std::span<const std::int32_t> positions, std::int32_t mask_id,
                                 const TokenPredictionOptions& options,
                                 const ProgressCallback& progress) {
  require(options, model.config());
  if (batch.sequences() != 1) throw ArgumentError("one sequence is masked at a time");
  const auto count = static_cast<std::int64_t>(positions.size());
  const std::int64_t tokens = batch.total_tokens();
  for (const auto position : positions) {
    if (position < 0 || position >= tokens)
      throw ArgumentError("a masked position outside the text");
  }
  MaskedPredictions result{.positions = {positions.begin(), positions.end()},
                           .surprise = Tensor::zeros(DType::f32, {count}),
                           .ids = Tensor::zeros(DType::i32, {count, options.top}),
                           .probabilities = Tensor::zeros(DType::f32, {count, options.top})};
  const auto surprise = result.surprise.mutable_values<float>();
  const std::int64_t most = std::clamp<std::int64_t>(options.batch_tokens / tokens, 1, kMostRows);
  ProgressCounter counter(progress, "masks", count, "tokens");
  double total = 0;
  for (std::int64_t first = 0; first < count; first += most) {
    const std::int64_t copies = std::min(most, count - first);
    Batch masked;
    std::vector<std::int32_t> at;
    for (std::int64_t i = 0; i < copies; ++i) {
      const auto position = positions[static_cast<std::size_t>(first + i)];
      auto ids = batch.input_ids;
      ids[static_cast<std::size_t>(position)] = mask_id;
      at.push_back(static_cast<std::int32_t>(i * tokens) + position);
      masked.append(ids, batch.token_type_ids);
    }
    const auto logits = model(masked, at);
    put_top(logits, options, first, result.ids.mutable_values<std::int32_t>(),
            result.probabilities.mutable_values<float>());
    const auto words = static_cast<std::size_t>(options.words);
    for (std::int64_t i = 0; i < copies; ++i) {
      const auto row =
          logits.values<float>().subspan(static_cast<std::size_t>(i * logits.dim(1)), words);
      const auto index = static_cast<std::size_t>(first + i);
      const auto token =
          static_cast<std::size_t>(batch.input_ids[static_cast<std::size_t>(positions[index])]);
      const double nats = log_sum_exp(row) - static_cast<double>(row[token]);
      surprise[index] = static_cast<float>(nats);
      total += nats;
    }
    counter.advance(copies);
  }
  if (count > 0) result.pseudo_perplexity = std::exp(total / static_cast<double>(count));
  return result;
}

}  // namespace cloze
