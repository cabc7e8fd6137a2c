#include "sentence/embedder.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze {

Embedder::Embedder(BertModel model, EmbedOptions options)
    : model_(std::move(model)), options_(std::move(options)) {
  const auto states = model_.config().num_hidden_layers + 1;
  if (options_.layers.empty()) throw ArgumentError("no layer was chosen");
  for (const auto layer : options_.layers) {
    if (layer < -states || layer >= states) {
      throw ArgumentError(fmt::format(
          "there is no layer {}: this model's hidden states are 0 (the embeddings) to {}, or -{} "
          "to -1",
          layer, states - 1, states));
    }
    layers_.push_back(static_cast<std::size_t>(layer < 0 ? layer + states : layer));
  }
  if (layers_ == std::vector<std::size_t>{static_cast<std::size_t>(states - 1)}) layers_.clear();
  auto width = state_columns();
  for (const auto& dense : options_.dense) {
    if (dense.in_features() != width) {
      throw ModelError(
          fmt::format("a dense layer reads vectors of {} values, and those before it have {}",
                      dense.in_features(), width));
    }
    width = dense.out_features();
  }
  if (options_.pooling == Pooling::pooler) {
    if (!model_.has_pooler()) {
      throw ModelError(
          "this checkpoint has no pooler (pooler.dense): choose the pooling cls or mean");
    }
    if (!layers_.empty()) {
      throw ArgumentError(
          "the pooler reads the last layer only: give other layers with the "
          "pooling none, cls, mean or max");
    }
  }
}

std::int64_t Embedder::columns() const {
  return options_.dense.empty() ? state_columns() : options_.dense.back().out_features();
}

std::int64_t Embedder::state_columns() const {
  return model_.config().hidden_size *
         std::max<std::int64_t>(1, static_cast<std::int64_t>(layers_.size()));
}

Tensor Embedder::selected(const BertOutput& output) const {
  if (layers_.empty()) return output.last_hidden_state;
  if (layers_.size() == 1) return output.hidden_states.at(layers_.front());
  const auto rows = output.last_hidden_state.dim(0);
  const auto hidden = static_cast<std::size_t>(model_.config().hidden_size);
  auto joined = Tensor::zeros(DType::f32, {rows, state_columns()});
  const auto target = joined.mutable_values<float>();
  const auto stride = static_cast<std::size_t>(state_columns());
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const auto source = output.hidden_states.at(layers_[l]).values<float>();
    for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
      const auto from = source.subspan(row * hidden, hidden);
      std::copy(from.begin(), from.end(), target.subspan(row * stride + l * hidden).begin());
    }
  }
  return joined;
}

Tensor Embedder::run(const Batch& batch) const {
  const auto output = model_(batch, {.output_hidden_states = !layers_.empty()});
  auto result = output.pooler_output;
  if (options_.pooling != Pooling::pooler) {
    const auto hidden = selected(output);
    result = options_.pooling == Pooling::none ? hidden : pool(hidden, batch, options_.pooling);
  }
  for (const auto& dense : options_.dense) result = dense(result);
  if (options_.normalize) normalize_rows(result);
  return result;
}

Tensor Embedder::embed(std::span<const TokenizedText> texts, const OnBatch& on_batch) const {
  if (options_.pooling == Pooling::none) {
    throw ArgumentError("a vector a text needs a pooling: cls, mean, max or pooler");
  }
  const auto width = static_cast<std::size_t>(columns());
  auto vectors = Tensor::zeros(DType::f32, {static_cast<std::int64_t>(texts.size()), columns()});
  const auto target = vectors.mutable_values<float>();
  for (const auto& indices : plan_batches(texts, options_.batch_tokens)) {
    const auto rows = run(pack(texts, indices));
    const auto source = rows.values<float>();
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const auto from = source.subspan(i * width, width);
      std::copy(from.begin(), from.end(), target.subspan(indices[i] * width).begin());
    }
    if (on_batch) on_batch(indices);
  }
  return vectors;
}

std::vector<Tensor> Embedder::embed_tokens(std::span<const TokenizedText> texts,
                                           const OnBatch& on_batch) const {
  if (options_.pooling != Pooling::none) {
    throw ArgumentError(fmt::format("vectors of tokens and the pooling {} exclude each other",
                                    name_of(options_.pooling)));
  }
  std::vector<Tensor> result(texts.size());
  for (const auto& indices : plan_batches(texts, options_.batch_tokens)) {
    const auto batch = pack(texts, indices);
    const auto rows = run(batch);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      result[indices[i]] = rows.rows(batch.cu_seqlens[i], batch.cu_seqlens[i + 1]);
    }
    if (on_batch) on_batch(indices);
  }
  return result;
}

}  // namespace cloze
