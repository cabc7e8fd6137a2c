#include "bert/training/input_gradients.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>

#include <fmt/format.h>

#include "bert/encoder.h"
#include "bert/head_model.h"
#include "bert/matrix_rows.h"
#include "bert/training/trainable_encoder.h"
#include "cloze/error.h"
#include "core/parallel.h"
#include "ops/rows.h"
#include "ops/transfer.h"

namespace cloze::internal {
namespace {

const HeadLayer& only_layer(const HeadKind& head) {
  if (head.layers().size() == 1) return head.layers().front();
  throw ArgumentError(fmt::format("{} has {} layers: a score is of a head that has one",
                                  architecture_of(head), head.layers().size()));
}

Pooler required_pooler(const WeightSource& weights, const BertConfig& config) {
  return pooler_in(weights, config).value_or(own_pooler(config));
}

/// What stands between the hidden states and the last linear layer is loaded as parameters of the
/// encoder are; of the last layer only the rows that are asked for are ever read.
std::vector<ParameterShape> parameters_of(const BertConfig& config, const HeadLayer& layer,
                                          const Pooler& pooler) {
  auto list = encoder_parameters(config, false);
  if (layer.input == HeadInput::pooled) append(list, pooler.shape);
  if (layer.input == HeadInput::transformed) append(list, transform_shape(layer, config));
  if (layer.input == HeadInput::masked) {
    const auto shapes = prediction_shapes(config);
    append(list, shapes.transform);
    append(list, shapes.norm);
  }
  return list;
}

}  // namespace

struct InputGradients::Parts {
  BertConfig config;
  const HeadLayer& layer;
  Pooler pooler;
  TrainingWeights weights;
  TrainableEncoder encoder;
  ops::Context context;
  nn::TrainableLinear dense;  ///< pooler or transform; without data for heads on the tokens
  ops::Epilogue activation = ops::Epilogue::none;  ///< that follows it
  nn::TrainableNorm norm;                          ///< of the transform
  Tensor outputs, biases;                          ///< the last layer: [outputs, hidden], [outputs]

  Parts(BertConfig configuration, WeightSource& source, const HeadKind& head,
        const ops::Device& device)
      : config(std::move(configuration)),
        layer(only_layer(head)),
        pooler(required_pooler(source, config)),
        weights(parameters_of(config, layer, pooler), DType::f32, false, device),
        encoder(config, weights, false),
        context(device) {
    weights.parameters().load(source);
    if (is_pooled()) {
      dense = weights.linear_f32(pooler.shape);
      activation = pooler.activation;
    }
    if (layer.input == HeadInput::transformed) {
      dense = weights.linear_f32(transform_shape(layer, config));
      activation = epilogue_of(config.hidden_act);
    }
    if (layer.input == HeadInput::masked) {
      const auto shapes = prediction_shapes(config);
      dense = weights.linear_f32(shapes.transform);
      activation = epilogue_of(prediction_activation(config));
      norm = weights.norm(shapes.norm, config.layer_norm_eps);
      const auto decoder =
          decoder_tensors(source, config, weights.parameters().tensor(kWordEmbeddings));
      outputs = decoder.weight;
      biases = decoder.bias.to(DType::f32);
    } else {
      const auto name = linear_shape(layer, config).name;
      outputs = source.take(name + ".weight", {-1, config.hidden_size});
      biases = source.take(name + ".bias", {outputs.dim(0)}).to(DType::f32);
    }
  }

  [[nodiscard]] bool is_pooled() const { return layer.input == HeadInput::pooled; }
  [[nodiscard]] bool has_norm() const { return layer.input == HeadInput::masked; }

  void require(const Batch& batch, const Tensor& sums, std::span<const ScoredLogit> logits) const {
    if (sums.shape() != Shape{batch.total_tokens(), config.embedding_width()}) {
      throw ArgumentError(fmt::format("embedding sums {} do not fit {} tokens of {}",
                                      to_string(sums.shape()), batch.total_tokens(),
                                      config.embedding_width()));
    }
    if (logits.empty()) throw ArgumentError("no logit was asked for");
    for (const auto& logit : logits) {
      if (logit.output < 0 || logit.output >= outputs.dim(0)) {
        throw ArgumentError(
            fmt::format("there is no output {}: the head has {}", logit.output, outputs.dim(0)));
      }
      for (std::int64_t s = 0; s < batch.sequences(); ++s) {
        if (logit.token < 0 || logit.token >= batch.length(s)) {
          throw ArgumentError(fmt::format("there is no token {} in a sequence of {}", logit.token,
                                          batch.length(s)));
        }
      }
    }
  }

  /// What the head's forward leaves for its backward; a row a logit, sequence by sequence.
  struct HeadForward {
    std::vector<std::int32_t> positions;
    ops::Matrix inner;     ///< before the activation
    ops::Matrix features;  ///< what the last layer reads
    ops::SavedNorm norm;
  };

  HeadForward head_forward(const Batch& batch, ops::ConstMatrix hidden,
                           std::span<const ScoredLogit> logits) {
    HeadForward saved;
    for (std::int64_t s = 0; s < batch.sequences(); ++s) {
      const auto start = batch.cu_seqlens[static_cast<std::size_t>(s)];
      for (const auto& logit : logits) {
        saved.positions.push_back(start + (is_pooled() ? 0 : logit.token));
      }
    }
    const auto rows = static_cast<std::int64_t>(saved.positions.size()), width = hidden.cols;
    const auto own = context.matrix(DType::f32, rows, width);
    ops::gather_rows(context, hidden, saved.positions, own);
    saved.features = own;
    if (dense.weight.data == nullptr) return saved;
    const auto made = dense.weight.rows;
    saved.inner = context.matrix(DType::f32, rows, made);
    saved.features = context.matrix(DType::f32, rows, made);
    ops::multiply(context, {own}, {dense.weight, true}, saved.inner, dense.bias);
    ops::activate(context, saved.inner, activation, saved.features);
    if (!has_norm()) return saved;
    saved.norm = {.normalized = context.matrix(DType::f32, rows, made),
                  .inverse = context.floats(rows)};
    const auto activated = saved.features;
    saved.features = context.matrix(DType::f32, rows, made);
    ops::residual_norm(
        context,
        {.x = activated, .parameters = norm.parameters, .saved = saved.norm, .y = saved.features});
    return saved;
  }

  /// d_features, like the features, overwritten, becomes a part of d_hidden.
  void head_backward(const HeadForward& saved, ops::Matrix d_features, ops::Matrix d_hidden) {
    auto d_own = d_features;
    if (dense.weight.data != nullptr) {
      if (has_norm()) {
        ops::residual_norm_backward(context, {.d_y = d_features,
                                              .saved = saved.norm,
                                              .gamma = norm.parameters.gamma,
                                              .d_z = d_features});
      }
      ops::activate_backward(
          context,
          {.x = saved.inner, .activation = activation, .d_y = d_features, .d_x = saved.inner});
      d_own = context.matrix(DType::f32, d_features.rows, d_hidden.cols);
      ops::multiply(context, {saved.inner}, {dense.weight}, d_own);
    }
    ops::scatter_add_rows(context, d_own, saved.positions, d_hidden);
  }

  Result run(const Batch& batch, const Tensor& sums, std::span<const ScoredLogit> logits,
             bool gradients) {
    check_batch(batch, config);
    require(batch, sums, logits);
    const Computation computation;
    context.begin();
    const auto hidden = encoder.forward(context, batch, {.active = false}, gradients, {},
                                        ops::to_device(context, sums));
    const auto saved = head_forward(batch, hidden, logits);
    const auto d_features = context.matrix(DType::f32, saved.features.rows, saved.features.cols);
    // A row for each logit: the host takes the scores from them, and begins the backward.
    const ops::HostMatrix features(context, saved.features);
    ops::HostMatrix first(context, d_features);
    Result result;
    result.scores.resize(static_cast<std::size_t>(batch.sequences()));
    const auto bias = biases.values<float>();
    for (std::size_t l = 0; l < logits.size(); ++l) {
      const auto output = logits[l].output;
      const auto weight = outputs.rows(output, output + 1).to(DType::f32);
      std::vector<float> row(static_cast<std::size_t>(saved.features.cols));
      std::memcpy(row.data(), weight.bytes().data(), weight.bytes().size());
      for (std::size_t s = 0; s < result.scores.size(); ++s) {
        const auto at = static_cast<std::int64_t>(s * logits.size() + l);
        const auto values = row_of(features.matrix(), at);
        result.scores[s] +=
            std::inner_product(values.begin(), values.end(), row.begin(),
                               static_cast<double>(bias[static_cast<std::size_t>(output)]));
        std::copy(row.begin(), row.end(), row_of(first.matrix(), at).begin());
      }
    }
    if (!gradients) return result;
    first.store();
    ops::Output d_hidden(context, {hidden.rows, hidden.cols});
    ops::fill_zero(context, d_hidden.matrix());
    head_backward(saved, d_features, d_hidden.matrix());
    const auto d_sums = encoder.backward(context, batch, d_hidden.matrix());
    const bool in_place = d_sums.data == d_hidden.matrix().data;
    result.gradients = in_place ? d_hidden.take() : to_tensor(context, d_sums);
    return result;
  }
};

InputGradients::InputGradients(BertConfig config, WeightSource& weights, const HeadKind& head,
                               const ops::Device& device)
    : parts_(std::make_unique<Parts>(std::move(config), weights, head, device)) {}
InputGradients::InputGradients(InputGradients&&) noexcept = default;
InputGradients& InputGradients::operator=(InputGradients&&) noexcept = default;
InputGradients::~InputGradients() = default;

const BertConfig& InputGradients::config() const { return parts_->config; }

Tensor InputGradients::embedding_sums(const Batch& batch) {
  auto& context = parts_->context;
  const Computation computation;
  context.begin();
  ops::Output sums(context, {batch.total_tokens(), parts_->config.embedding_width()});
  if (batch.total_tokens() > 0) parts_->encoder.embedding_sums(context, batch, sums.matrix());
  return sums.take();
}

Tensor InputGradients::word_embeddings(std::span<const std::int32_t> ids) {
  auto& context = parts_->context;
  const Computation computation;
  context.begin();
  ops::Output rows(context, {static_cast<std::int64_t>(ids.size()), config().embedding_width()});
  if (!ids.empty()) {
    const auto table = parts_->weights.matrix_f32(std::string(kWordEmbeddings));
    ops::gather_rows(context, table, ids, rows.matrix());
  }
  return rows.take();
}

InputGradients::Result InputGradients::run(const Batch& batch, const Tensor& sums,
                                           std::span<const ScoredLogit> logits, bool gradients) {
  return parts_->run(batch, sums, logits, gradients);
}

}  // namespace cloze::internal
