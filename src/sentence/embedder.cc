#include "sentence/embedder.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "checkpoint/finite.h"
#include "cloze/error.h"
#include "core/vectors.h"

namespace cloze {
namespace {

/// The first `count` columns of each row.
Tensor first_columns(const Tensor& rows, std::int64_t count) {
  auto kept = Tensor::zeros(DType::f32, {rows.dim(0), count});
  const auto target = kept.mutable_values<float>();
  const auto width = static_cast<std::size_t>(count);
  for (std::int64_t row = 0; row < rows.dim(0); ++row) {
    const auto from = row_of(rows, row).first(width);
    std::copy(from.begin(), from.end(),
              target.subspan(static_cast<std::size_t>(row) * width).begin());
  }
  return kept;
}

}  // namespace

std::vector<EmbedStep> embed_steps(const std::vector<SentenceStep>& steps, std::int64_t width) {
  std::vector<EmbedStep> made;
  for (const auto& step : steps) {
    auto& last = made.emplace_back();
    if (!step.linear()) continue;
    last.dense = Dense::of_step(step);
    require_in_features(step, last.dense->in_features(), width);
    width = last.dense->out_features();
  }
  return made;
}

std::int64_t width_after(const std::vector<EmbedStep>& steps, std::int64_t width) {
  for (const auto& step : steps) {
    if (step.dense) width = step.dense->out_features();
  }
  return width;
}

void apply_steps(const std::vector<EmbedStep>& steps, Tensor& vectors) {
  for (const auto& step : steps) {
    if (step.dense) {
      vectors = (*step.dense)(vectors);
    } else {
      normalize_rows(vectors);
    }
  }
}

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
  if (options_.poolings.empty()) throw ArgumentError("no pooling was chosen");
  for (const auto pooling : options_.poolings) {
    const bool alone = pooling == Pooling::none || pooling == Pooling::pooler;
    if (!alone || options_.poolings.size() == 1) continue;
    throw ArgumentError(
        fmt::format("the pooling {} stands alone: it has no others beside it", name_of(pooling)));
  }
  if (options_.truncate_dim && *options_.truncate_dim < 1) {
    throw ArgumentError(fmt::format("vectors cannot be cut to {} columns: keep at least 1",
                                    *options_.truncate_dim));
  }
  steps_ = embed_steps(options_.steps, pooled_columns());
  if (options_.poolings.front() == Pooling::pooler) {
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
  const auto width = whole_columns();
  return std::min(width, options_.truncate_dim.value_or(width));
}

std::int64_t Embedder::whole_columns() const { return width_after(steps_, pooled_columns()); }

std::int64_t Embedder::pooled_columns() const {
  return state_columns() * static_cast<std::int64_t>(options_.poolings.size());
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

Tensor Embedder::run(const Batch& batch, std::int64_t skipped) const {
  const auto output = model_(batch, {.output_hidden_states = !layers_.empty()});
  auto result = output.pooler_output;
  if (options_.poolings.front() != Pooling::pooler) {
    const auto hidden = selected(output);
    result = pools() ? pool(hidden, batch, options_.poolings, skipped) : hidden;
  }
  apply_steps(steps_, result);
  if (!steps_.empty() && !all_finite(result)) {
    throw ModelError(
        "the modules after the pooling give results that are infinite or NaN: what they compute is "
        "out of the range of numbers");
  }
  if (result.dim(1) > columns()) result = first_columns(result, columns());
  if (options_.normalize) normalize_rows(result);
  return result;
}

Tensor Embedder::embed(std::span<const TokenizedText> texts, const OnBatch& on_batch,
                       std::int64_t skipped) const {
  if (!pools()) {
    throw ArgumentError("a vector a text needs a pooling: cls, mean, max or pooler");
  }
  const auto width = static_cast<std::size_t>(columns());
  auto vectors = Tensor::zeros(DType::f32, {static_cast<std::int64_t>(texts.size()), columns()});
  const auto target = vectors.mutable_values<float>();
  for (const auto& indices : plan_batches(texts, options_.batch_tokens)) {
    const auto rows = run(pack(texts, indices), skipped);
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
  if (pools()) {
    throw ArgumentError(fmt::format("vectors of tokens and the pooling {} exclude each other",
                                    name_of(options_.poolings.front())));
  }
  std::vector<Tensor> result(texts.size());
  for (const auto& indices : plan_batches(texts, options_.batch_tokens)) {
    const auto batch = pack(texts, indices);
    const auto rows = run(batch, 0);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      result[indices[i]] = rows.rows(batch.cu_seqlens[i], batch.cu_seqlens[i + 1]);
    }
    if (on_batch) on_batch(indices);
  }
  return result;
}

}  // namespace cloze
