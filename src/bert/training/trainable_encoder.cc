#include "bert/training/trainable_encoder.h"

#include <fmt/format.h>

#include "bert/encoder.h"
#include "cloze/error.h"
#include "core/numbers.h"
#include "ops/rows.h"

namespace cloze::internal {
namespace {

ops::EmbeddingIndices indices_of(const Batch& batch) {
  return {.input_ids = batch.input_ids,
          .position_ids = batch.position_ids,
          .token_type_ids = batch.token_type_ids};
}

/// Streams of a pass: a few for places outside of the layers, then four a layer.
ops::Dropout dropout_stream(const DropoutKey& key, std::uint64_t place, double probability) {
  constexpr std::uint64_t kPlaces = 1U << 16U;
  return {.probability = key.active ? static_cast<float>(probability) : 0.0F,
          .seed = key.seed,
          .stream = key.pass * kPlaces + place};
}

}  // namespace

bool FrozenPart::contains(std::string_view parameter) const {
  if (!has_embeddings()) return false;
  if (parameter.starts_with("bert.embeddings")) return true;  // and bert.embeddings_project
  constexpr std::string_view kLayer = "bert.encoder.layer.";
  if (!parameter.starts_with(kLayer)) return false;
  const auto number = parameter.substr(kLayer.size());
  const auto layer = whole_number(number.substr(0, number.find('.')));
  return layer && *layer < layers;
}

TrainableEncoder::TrainableEncoder(const BertConfig& config, TrainingWeights& weights,
                                   bool recompute, const FrozenPart& frozen)
    : config_(config), compute_(weights.compute()), recompute_(recompute), frozen_(frozen) {
  if (frozen_.layers < 0 || frozen_.layers > config.num_hidden_layers) {
    throw ArgumentError(fmt::format("{} frozen layers of a model that has {}", frozen_.layers,
                                    config.num_hidden_layers));
  }
  const auto embeddings = embedding_shapes(config);
  tables_ = {.word = weights.matrix_f32(embeddings.word.name),
             .position = weights.matrix_f32(embeddings.position.name),
             .token_type = weights.matrix_f32(embeddings.token_type.name)};
  table_gradients_ = {.word = weights.gradient(embeddings.word.name),
                      .position = weights.gradient(embeddings.position.name),
                      .token_type = weights.gradient(embeddings.token_type.name),
                      .padding = config.pad_token_id};
  embedding_norm_ = weights.norm(embeddings.norm, config.layer_norm_eps);
  if (const auto shape = projection_shape(config)) projection_ = weights.linear({*shape});
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const auto shape = layer_shapes(config, i);
    layers_.push_back({.qkv = weights.linear({shape.query, shape.key, shape.value}),
                       .attention_output = weights.linear({shape.attention_output}),
                       .attention_norm = weights.norm(shape.attention_norm, config.layer_norm_eps),
                       .intermediate = weights.linear({shape.intermediate}),
                       .output = weights.linear({shape.output}),
                       .output_norm = weights.norm(shape.output_norm, config.layer_norm_eps),
                       .activation = epilogue_of(config.hidden_act),
                       .heads = config.num_attention_heads});
  }
}

ops::Dropout TrainableEncoder::dropout_at(const DropoutKey& key, DropoutSite site,
                                          double probability) {
  return dropout_stream(key, static_cast<std::uint64_t>(site), probability);
}

nn::LayerDropout TrainableEncoder::dropout_of(std::size_t layer) const {
  const std::uint64_t place = 4 * (layer + 1);
  return {.attention = dropout_stream(key_, place, config_.attention_probs_dropout_prob),
          .attention_output = dropout_stream(key_, place + 1, config_.hidden_dropout_prob),
          .output = dropout_stream(key_, place + 2, config_.hidden_dropout_prob)};
}

void TrainableEncoder::embedding_sums(ops::Context& context, const Batch& batch,
                                      ops::Matrix sums) const {
  check_batch(batch, config_);
  ops::embedding_sum(context, tables_, indices_of(batch), sums);
}

ops::Matrix TrainableEncoder::forward(ops::Context& context, const Batch& batch,
                                      const DropoutKey& dropout, bool keep,
                                      const TokenSelection& last, ops::ConstMatrix sums) {
  check_batch(batch, config_);
  key_ = dropout;
  last_ = last;
  const std::int64_t tokens = batch.total_tokens(), hidden = config_.hidden_size;
  const std::int64_t width = config_.embedding_width();
  buffers_ = nn::make_training_buffers(context, layers_.front(), compute_, tokens, keep);
  saved_embeddings_ = {.normalized = context.matrix(compute_, tokens, width),
                       .inverse = context.floats(tokens)};
  auto input = context.matrix(compute_, tokens, width);
  if (sums.data == nullptr) {
    const auto own = projects() ? context.matrix(DType::f32, tokens, width) : buffers_.product;
    ops::embedding_sum(context, tables_, indices_of(batch), own);
    sums = own;
  }
  ops::residual_norm(context, {.x = sums,
                               .parameters = embedding_norm_.parameters,
                               .saved = saved_embeddings_,
                               .y = input});
  const auto site = dropout_at(key_, DropoutSite::embeddings, config_.hidden_dropout_prob);
  if (site.probability > 0) ops::apply_dropout(context, input, site, input);
  if (projects()) {
    embedded_ = input;
    input = context.matrix(compute_, tokens, hidden);
    ops::multiply(context, {embedded_}, {projection_.weight, true}, input, projection_.bias);
  }

  // A layer that no backward comes to writes where the one before the last did; what the others
  // got and made is kept.
  saved_.clear();
  const auto frozen = static_cast<std::size_t>(frozen_.layers);
  const bool keep_all = keep && !recompute_;
  const bool share = !keep_all || frozen > 0;
  ops::Matrix x = input, other;
  if (!keep || frozen > 0) other = context.matrix(compute_, tokens, hidden);
  nn::SavedLayer shared;
  if (share) shared = nn::make_saved(context, layers_.front(), compute_, tokens, tokens);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const bool kept = keep && i >= frozen;
    const bool some = !last_.all() && i + 1 == layers_.size();
    const std::int64_t rows = some ? last_.rows(batch) : tokens;
    auto saved = some || (kept && keep_all)
                     ? nn::make_saved(context, layers_[i], compute_, tokens, rows)
                     : shared;
    saved.x = x;
    if (some) saved.queries = {last_.tokens(), last_.cu_seqlens()};
    const auto y = kept ? context.matrix(compute_, rows, hidden) : other.rows_from(0, rows);
    nn::forward(context, layers_[i], {batch.cu_seqlens, dropout_of(i), buffers_}, saved, y);
    other = x;
    x = y;
    if (keep) saved_.push_back(saved);
  }
  return x;
}

ops::Matrix TrainableEncoder::project_backward(ops::Context& context,
                                               ops::ConstMatrix d_hidden) const {
  if (!projection_.bias_gradient.empty()) {
    ops::add_column_sums(context, d_hidden, projection_.bias_gradient);
  }
  auto d_output = d_hidden;
  if (compute_ != DType::f32) {
    const auto rounded = context.matrix(compute_, d_hidden.rows, d_hidden.cols);
    ops::convert(context, d_hidden, rounded);
    d_output = rounded;
  }
  if (projection_.weight_gradient.data != nullptr) {
    ops::multiply_add(context, {d_output, true}, {embedded_}, projection_.weight_gradient);
  }
  const auto d_embedded = context.matrix(DType::f32, d_hidden.rows, embedded_.cols);
  ops::multiply(context, {d_output}, {projection_.weight}, d_embedded);
  return d_embedded;
}

ops::Matrix TrainableEncoder::backward(ops::Context& context, const Batch& batch,
                                       ops::Matrix d_hidden) {
  const auto frozen = static_cast<std::size_t>(frozen_.layers);
  const std::int64_t tokens = batch.total_tokens();
  for (std::size_t i = layers_.size(); i-- > frozen;) {
    auto& saved = saved_.at(i);
    const auto dropout = dropout_of(i);
    const nn::LayerPass pass{batch.cu_seqlens, dropout, buffers_};
    if (recompute_) {
      // The layer's output is not needed again; it goes where the backward writes later.
      nn::forward(context, layers_[i], pass, saved, buffers_.d_dropped.rows_from(0, d_hidden.rows));
    }
    const bool input_wanted = i > frozen || !frozen_.has_embeddings();
    auto d_x = input_wanted ? d_hidden : ops::Matrix{};
    if (input_wanted && d_hidden.rows != tokens) {
      d_x = context.matrix(DType::f32, tokens, d_hidden.cols);
    }
    nn::backward(context, layers_[i], pass, saved, {d_hidden, d_x});
    d_hidden = d_x;
  }
  if (frozen_.has_embeddings()) return {};
  if (projects()) d_hidden = project_backward(context, d_hidden);
  const auto site = dropout_at(key_, DropoutSite::embeddings, config_.hidden_dropout_prob);
  if (site.probability > 0) ops::apply_dropout(context, d_hidden, site, d_hidden);
  ops::residual_norm_backward(context, {.d_y = d_hidden,
                                        .saved = saved_embeddings_,
                                        .gamma = embedding_norm_.parameters.gamma,
                                        .d_z = d_hidden,
                                        .gradients = {.gamma = embedding_norm_.gamma_gradient,
                                                      .beta = embedding_norm_.beta_gradient,
                                                      .bias = {}}});
  if (table_gradients_.word.data != nullptr) {
    ops::embedding_sum_backward(context, d_hidden, indices_of(batch), table_gradients_);
  }
  return d_hidden;
}

double TrainableEncoder::operations(const Batch& batch, const TokenSelection& last) const {
  const auto hidden = static_cast<double>(config_.hidden_size);
  const auto inner = static_cast<double>(config_.intermediate_size);
  const auto tokens = static_cast<double>(batch.total_tokens());
  // A layer of whose tokens `queries` go on from attention, forward.
  const auto layer = [&](const TokenSelection& queries) {
    const auto rows = static_cast<double>(queries.rows(batch));
    double sum = 4 * tokens * hidden * hidden + 4 * rows * hidden * (hidden + inner);
    for (std::int64_t i = 0; i < batch.sequences(); ++i) {
      const auto length = static_cast<double>(batch.length(i));
      sum += 4 * length * static_cast<double>(queries.rows(batch, i)) * hidden;
    }
    return sum;
  };
  const auto layers = static_cast<double>(config_.num_hidden_layers);
  const auto frozen = static_cast<double>(frozen_.layers);
  const double whole = layer({}), top = layer(last);
  const double projection =
      projects() ? 2 * tokens * hidden * static_cast<double>(config_.embedding_width()) : 0;
  return frozen < layers ? whole * (3 * (layers - 1) - 2 * frozen) + 3 * top +
                               projection * (frozen_.has_embeddings() ? 1 : 3)
                         : whole * (layers - 1) + top + projection;
}

}  // namespace cloze::internal
