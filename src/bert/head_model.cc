#include "bert/head_model.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bert/stored_model.h"
#include "checkpoint/finite.h"
#include "cloze/error.h"
#include "cloze/hub.h"
#include "core/strings.h"
#include "ops/pooling.h"
#include "ops/rows.h"
#include "ops/transfer.h"

namespace cloze::internal {
namespace {

std::string name_of(const std::variant<Checkpoint, std::uint64_t>& origin) {
  const auto* checkpoint = std::get_if<Checkpoint>(&origin);
  return checkpoint == nullptr ? "a random model" : checkpoint->path().string();
}

/// Throws ModelError where the weights lack a tensor that the head cannot be without.
void require_head(const WeightSource& weights, const BertConfig& config, const HeadKind& head,
                  const std::string& origin) {
  for (const auto& layer : head.layers()) {
    const auto tensor = key_tensor(layer);
    const auto family = family_of(config);
    if (!weights.contains(tensor)) {
      throw ModelError(fmt::format(
          "{} has no {} head ({} is not among its tensors); use a checkpoint saved as {}", origin,
          about_layer(head, layer), stored_name(tensor, head, family),
          fmt::join(architectures_with(head, family), " or ")));
    }
    if (layer.input == HeadInput::pooled && !pooler_in(weights, config)) {
      throw ModelError(fmt::format("{} has no pooler ({} is not among its tensors), which {} needs",
                                   origin, stored_name(pooler_shape(config).name, head, family),
                                   about_layer(head, layer)));
    }
  }
}

/// Throws ModelError where a result is no number: nothing that is made of it would be true.
void require_finite(const Tensor& result, const std::variant<Checkpoint, std::uint64_t>& origin) {
  if (all_finite(result)) return;
  if (const auto* checkpoint = std::get_if<Checkpoint>(&origin)) {
    for (const auto& name : checkpoint->names()) {
      require_finite_weight(checkpoint->tensor(name), excerpt_of_path(checkpoint->path()),
                            excerpt(name));
    }
  }
  throw ModelError(fmt::format(
      "{} gives results that are infinite or NaN, although its weights are not: what it "
      "computes is out of the range of numbers",
      name_of(origin)));
}

void require_positions(std::span<const std::int32_t> positions, const Batch& batch) {
  for (const auto position : positions) {
    if (position < 0 || position >= batch.total_tokens()) {
      throw ArgumentError(fmt::format("masked position {} is outside the batch's {} tokens",
                                      position, batch.total_tokens()));
    }
  }
}

/// x [rows, hidden] through a linear layer: [rows, outputs].
Tensor logits_of(ops::Context& context, ops::ConstMatrix x, const ops::LinearWeight& dense) {
  ops::Output logits(context, {x.rows, dense.out_features()});
  if (x.rows > 0) ops::linear(context, x, dense, ops::Epilogue::none, logits.matrix());
  return logits.take();
}

Tensor sequence_means(ops::Context& context, ops::ConstMatrix hidden_states, const Batch& batch) {
  ops::Output means(context, {batch.sequences(), hidden_states.cols});
  if (batch.sequences() > 0) {
    const auto in_f32 = context.matrix(DType::f32, hidden_states.rows, hidden_states.cols);
    ops::convert(context, hidden_states, in_f32);
    ops::mean_rows(context, in_f32, batch.cu_seqlens, means.matrix());
  }
  return means.take();
}

}  // namespace

std::shared_ptr<const HeadModel> HeadModel::from_pretrained(
    const std::filesystem::path& directory_or_name, const HeadKind& head,
    const LoadOptions& options, const ops::Device& device) {
  const auto directory = find_model(directory_or_name.string());
  auto config = BertConfig::from_pretrained(directory);
  const auto checkpoint = Checkpoint::open(directory);
  CheckpointWeights weights(checkpoint);
  return std::shared_ptr<const HeadModel>(
      new HeadModel(std::move(config), weights, head, options, device, checkpoint));
}

std::shared_ptr<const HeadModel> HeadModel::random(const BertConfig& config, const HeadKind& head,
                                                   std::uint64_t seed, const LoadOptions& options,
                                                   const ops::Device& device) {
  RandomWeights weights(config, seed);
  return std::shared_ptr<const HeadModel>(
      new HeadModel(config, weights, head, options, device, seed));
}

HeadModel::HeadModel(BertConfig config, WeightSource& weights, const HeadKind& head,
                     const LoadOptions& options, const ops::Device& device, Origin origin)
    : head_(&head),
      origin_(std::move(origin)),
      encoder_(
          [&] {
            require_head(weights, config, head, name_of(origin_));
            return std::move(config);
          }(),
          weights, options, device) {
  for (const auto& layer : head.layers()) layers_.push_back(load(weights, layer));
}

HeadModel::Layer HeadModel::load(WeightSource& weights, const HeadLayer& description) const {
  Layer layer{.description = description};
  const auto& device = encoder_.device();
  if (description.input != HeadInput::masked) {
    const bool pooled = description.input == HeadInput::pooled;
    if (description.input == HeadInput::transformed) {
      layer.transform =
          weights.linear(device, {transform_shape(description, config())}, encoder_.compute());
    }
    layer.dense = weights.linear(device, {linear_shape(description, config())},
                                 pooled ? DType::f32 : encoder_.compute());
    return layer;
  }
  const auto shapes = prediction_shapes(config());
  layer.transform = weights.linear(device, {shapes.transform}, encoder_.compute());
  layer.norm = weights.layer_norm(device, shapes.norm, config().layer_norm_eps);
  const auto decoder = decoder_tensors(weights, config(), encoder_.word_embeddings());
  layer.dense =
      ops::LinearWeight::pack(device, {&decoder.weight, 1}, {&decoder.bias, 1}, encoder_.compute());
  if (!decoder.tied) weights.release(shapes.decoder.name);
  return layer;
}

bool HeadModel::reads(HeadInput input) const {
  return std::any_of(layers_.begin(), layers_.end(),
                     [&](const Layer& layer) { return layer.description.input == input; });
}

std::vector<Tensor> HeadModel::run(const Batch& batch, std::span<const std::int32_t> positions,
                                   const ForwardOptions& options) const {
  require_positions(positions, batch);
  auto* output = options.encoder_output;
  if (output == nullptr && (options.output_hidden_states || options.output_attentions)) {
    throw ArgumentError(
        "hidden states and attentions of a model with a head go to "
        "ForwardOptions::encoder_output, which is null");
  }
  if (output != nullptr) *output = {};
  const bool every_token = output != nullptr || layers_.empty() || reads(HeadInput::tokens) ||
                           reads(HeadInput::transformed);
  const auto selected = every_token
                            ? TokenSelection()
                            : TokenSelection::of(batch, positions, reads(HeadInput::pooled));
  std::vector<Tensor> results;
  encoder_.run(batch, options, output, selected, [&](ops::Context& context, ops::Matrix hidden) {
    ops::Matrix pooled;
    const bool own_pooler = output != nullptr && encoder_.has_bert_pooler();
    if (own_pooler || reads(HeadInput::pooled)) {
      pooled = encoder_.pool(context, hidden, selected.rows_of_first(batch));
    }
    if (output != nullptr) output->last_hidden_state = to_tensor(context, hidden);
    if (own_pooler) output->pooler_output = to_tensor(context, pooled);
    if (head_->unit == HeadUnit::pair) results.push_back(sequence_means(context, hidden, batch));
    for (const auto& layer : layers_) {
      switch (layer.description.input) {
        case HeadInput::pooled:
          results.push_back(logits_of(context, pooled, layer.dense));
          break;
        case HeadInput::tokens:
          results.push_back(logits_of(context, hidden, layer.dense));
          break;
        case HeadInput::transformed: {
          const auto features = context.matrix(encoder_.compute(), hidden.rows, hidden.cols);
          if (hidden.rows > 0) {
            ops::linear(context, hidden, layer.transform, epilogue_of(config().hidden_act),
                        features);
          }
          results.push_back(logits_of(context, features, layer.dense));
          break;
        }
        case HeadInput::masked:
          results.push_back(decode(layer, context, hidden, selected.rows_of(positions)));
          break;
      }
    }
  });
  if (output != nullptr) {
    require_finite(output->last_hidden_state, origin_);
    if (output->pooler_output.numel() > 0) require_finite(output->pooler_output, origin_);
  }
  for (const auto& result : results) require_finite(result, origin_);
  return results;
}

/// The masked layer's logits [rows, vocab] of some rows of hidden_states.
Tensor HeadModel::decode(const Layer& layer, ops::Context& context, ops::ConstMatrix hidden_states,
                         std::span<const std::int32_t> rows) const {
  const auto count = static_cast<std::int64_t>(rows.size());
  if (count == 0) return Tensor::zeros(DType::f32, {0, layer.dense.out_features()});
  const auto masked = context.matrix(encoder_.compute(), count, hidden_states.cols);
  const auto transformed =
      context.matrix(encoder_.compute(), count, layer.transform.out_features());
  ops::gather_rows(context, hidden_states, rows, masked);
  ops::linear(context, masked, layer.transform, epilogue_of(prediction_activation(config())),
              transformed);
  ops::layer_norm(context, transformed, layer.norm, transformed);
  return logits_of(context, transformed, layer.dense);
}

Tensor HeadModel::decode(const Tensor& hidden_states) const {
  if (hidden_states.dtype() != DType::f32 || hidden_states.shape().size() != 2 ||
      hidden_states.dim(1) != config().hidden_size) {
    throw ArgumentError(fmt::format("hidden states are f32 [rows, {}], not {} {}",
                                    config().hidden_size, cloze::name_of(hidden_states.dtype()),
                                    to_string(hidden_states.shape())));
  }
  const auto layer = std::find_if(layers_.begin(), layers_.end(), [](const Layer& each) {
    return each.description.input == HeadInput::masked;
  });
  if (layer == layers_.end()) {
    throw ArgumentError(fmt::format("{} predicts no tokens", architecture_of(*head_)));
  }
  const auto lease = encoder_.borrow();
  std::vector<std::int32_t> rows(static_cast<std::size_t>(hidden_states.dim(0)));
  std::iota(rows.begin(), rows.end(), 0);
  auto& context = lease.context();
  return decode(*layer, context, ops::to_device(context, hidden_states), rows);
}

std::int64_t HeadModel::num_parameters() const {
  const auto hidden = config().hidden_size, width = config().embedding_width();
  const bool electra = family_of(config()) == Family::electra;
  auto count = encoder_.num_parameters();
  for (const auto& layer : layers_) {
    const auto outputs = layer.dense.out_features();
    if (layer.description.input != HeadInput::masked) {
      count += outputs * (hidden + 1);
      if (!layer.transform.empty()) count += hidden * (hidden + 1);
      continue;
    }
    // The transform, and the decoder's bias; BERT's decoder of its own has another.
    count += width * (hidden + 1) + 2 * width + outputs;
    if (!config().tie_word_embeddings) count += outputs * (width + (electra ? 0 : 1));
  }
  return count;
}

void HeadModel::save_pretrained(const std::filesystem::path& directory) const {
  const auto* checkpoint = std::get_if<Checkpoint>(&origin_);
  save(checkpoint != nullptr ? stored_model(*checkpoint, config(), *head_)
                             : random_model(config(), *head_, std::get<std::uint64_t>(origin_)),
       directory);
}

DecoderNames decoder_names(const WeightSource& weights, const BertConfig& config) {
  const std::string weight(kDecoderWeight), bias(kDecoderBias);
  const bool tied = config.tie_word_embeddings && !weights.contains(weight);
  return {.weight = tied ? std::string(kWordEmbeddings) : weight,
          .bias = weights.contains(bias) ? bias : std::string(kPredictionBias),
          .tied = tied};
}

DecoderTensors decoder_tensors(WeightSource& weights, const BertConfig& config,
                               const Tensor& word_embeddings) {
  const auto names = decoder_names(weights, config);
  const auto shape = prediction_shapes(config).decoder.shape();
  return {.weight = names.tied ? word_embeddings : weights.take(names.weight, shape),
          .bias = weights.take(names.bias, {config.vocab_size}),
          .tied = names.tied};
}

}  // namespace cloze::internal
