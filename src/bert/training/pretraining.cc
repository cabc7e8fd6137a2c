#include "bert/training/pretraining.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "bert/encoder.h"
#include "bert/head_table.h"
#include "bert/training/trainable_encoder.h"
#include "bert/training/trainable_heads.h"
#include "cloze/error.h"
#include "core/parallel.h"
#include "ops/loss.h"
#include "ops/transfer.h"

namespace cloze::internal {
namespace {

// Masked positions whose logits exist at once: what a vocabulary of 30,522 makes of them stays
// below 250 MB in f32.
constexpr std::int64_t kMostPositions = 2048;

void require_labels(const PretrainingBatch& batch, const BertConfig& config) {
  if (batch.masked_labels.size() != batch.masked_positions.size()) {
    throw ArgumentError(fmt::format("a batch has {} masked positions and {} labels",
                                    batch.masked_positions.size(), batch.masked_labels.size()));
  }
  for (const auto position : batch.masked_positions) {
    if (position < 0 || position >= batch.inputs.total_tokens()) {
      throw ArgumentError(fmt::format("masked position {} is outside the batch's {} tokens",
                                      position, batch.inputs.total_tokens()));
    }
  }
  for (const auto label : batch.masked_labels) {
    if (label < 0 || label >= config.vocab_size) {
      throw ArgumentError(
          fmt::format("masked label {} is outside the vocabulary of {}", label, config.vocab_size));
    }
  }
  const auto sequences = static_cast<std::size_t>(batch.inputs.sequences());
  if (!batch.next_sentence_labels.empty() && batch.next_sentence_labels.size() != sequences) {
    throw ArgumentError(fmt::format("a batch of {} sequences has {} next-sentence labels",
                                    sequences, batch.next_sentence_labels.size()));
  }
}

/// `cls.predictions` with its decoder tied to the word embeddings.
struct MaskedLmHead {
  nn::TrainableLinear transform;
  nn::TrainableNorm norm;
  ops::ConstMatrix decoder;
  ops::Matrix decoder_gradient;
  std::span<const float> bias;
  std::span<float> bias_gradient;
  ops::Epilogue activation = ops::Epilogue::gelu;
  DType compute = DType::f32;

  MaskedLmHead(TrainingWeights& weights, const BertConfig& config)
      : transform(weights.linear({prediction_shapes(config).transform})),
        norm(weights.norm(prediction_shapes(config).norm, config.layer_norm_eps)),
        decoder(weights.matrix(std::string(kWordEmbeddings))),
        decoder_gradient(weights.gradient(std::string(kWordEmbeddings))),
        bias(weights.parameters().at(kPredictionBias).value),
        bias_gradient(weights.parameters().at(kPredictionBias).gradient),
        activation(epilogue_of(config.hidden_act)),
        compute(weights.compute()) {}

  /// What the forward leaves for the backward.
  struct Forward {
    ops::Matrix masked, inner, transformed, logits;
    ops::SavedNorm norm;
  };

  /// Logits of the hidden states at `positions`.
  [[nodiscard]] Forward forward(ops::Context& context, ops::ConstMatrix hidden,
                                std::span<const std::int32_t> positions) const {
    const auto count = static_cast<std::int64_t>(positions.size()), width = hidden.cols;
    Forward saved{.masked = context.matrix(compute, count, width),
                  .inner = context.matrix(compute, count, width),
                  .transformed = context.matrix(compute, count, width),
                  .logits = context.matrix(DType::f32, count, decoder.rows),
                  .norm = {.normalized = context.matrix(compute, count, width),
                           .inverse = context.floats(count)}};
    const auto activated = context.matrix(compute, count, width);
    ops::gather_rows(context, hidden, positions, saved.masked);
    ops::multiply(context, {saved.masked}, {transform.weight, true}, saved.inner, transform.bias);
    ops::activate(context, saved.inner, activation, activated);
    ops::residual_norm(context, {.x = activated,
                                 .parameters = norm.parameters,
                                 .saved = saved.norm,
                                 .y = saved.transformed});
    ops::multiply(context, {saved.transformed}, {decoder, true}, saved.logits, bias);
    return saved;
  }

  /// Loss of the hidden states at `positions`. Where d_hidden has data, the gradients of the
  /// parameters and of the hidden states are added.
  [[nodiscard]] ops::Pending<ops::LossSum> run(ops::Context& context, ops::ConstMatrix hidden,
                                               std::span<const std::int32_t> positions,
                                               std::span<const std::int32_t> labels, double scale,
                                               ops::Matrix d_hidden) const {
    const auto [masked, inner, transformed, logits, saved] = forward(context, hidden, positions);
    if (d_hidden.data == nullptr) return ops::cross_entropy(context, logits, labels, {});

    // The gradient takes the logits' place, row by row; in bf16 it is half as wide.
    const auto stride = logits.stride * static_cast<std::int64_t>(sizeof(float) / size_of(compute));
    const ops::Matrix d_logits{logits.data, compute, logits.rows, logits.cols, stride};
    auto loss = ops::cross_entropy(context, logits, labels, {scale, d_logits});
    const auto d_transformed = context.matrix(DType::f32, masked.rows, masked.cols);
    ops::add_column_sums(context, d_logits, bias_gradient);
    ops::multiply_add(context, {d_logits, true}, {transformed}, decoder_gradient);
    ops::multiply(context, {d_logits}, {decoder}, d_transformed);
    ops::residual_norm_backward(
        context,
        {.d_y = d_transformed,
         .saved = saved,
         .gamma = norm.parameters.gamma,
         .d_z = d_transformed,
         .gradients = {.gamma = norm.gamma_gradient, .beta = norm.beta_gradient, .bias = {}}});
    ops::activate_backward(context, {.x = inner,
                                     .activation = activation,
                                     .d_y = d_transformed,
                                     .d_x = inner,
                                     .bias_gradient = transform.bias_gradient});
    ops::multiply_add(context, {inner, true}, {masked}, transform.weight_gradient);
    ops::multiply(context, {inner}, {transform.weight}, d_transformed);
    ops::scatter_add_rows(context, d_transformed, positions, d_hidden);
    return loss;
  }
};

/// The pooler and `cls.seq_relationship`, in f32: they see one token a sequence.
struct NextSentenceHead {
  TrainablePooler pooler;
  nn::TrainableLinear classifier;

  NextSentenceHead(TrainingWeights& weights, const BertConfig& config)
      : pooler(weights, config),
        classifier(
            weights.linear_f32(linear_shape(heads::next_sentence.layers().front(), config))) {}

  [[nodiscard]] ops::Pending<ops::LossSum> run(ops::Context& context, ops::ConstMatrix hidden,
                                               std::vector<std::int32_t> starts,
                                               std::span<const std::int32_t> labels, double scale,
                                               ops::Matrix d_hidden) const {
    const auto forward = pooler.forward(context, hidden, std::move(starts));
    const auto logits = head_logits(context, classifier, forward.pooled);
    if (d_hidden.data == nullptr) return ops::cross_entropy(context, logits, labels, {});

    auto loss = ops::cross_entropy(context, logits, labels, {scale, logits});
    head_logits_backward(context, classifier, forward.pooled, logits, forward.pooled);
    pooler.backward(context, forward, forward.pooled, d_hidden);
    return loss;
  }
};

}  // namespace

double PretrainingLoss::masked_lm_loss() const {
  return masked == 0 ? 0 : masked_lm_sum / static_cast<double>(masked);
}

double PretrainingLoss::next_sentence_loss() const {
  return sequences == 0 ? 0 : next_sentence_sum / static_cast<double>(sequences);
}

PretrainingLoss& PretrainingLoss::operator+=(const PretrainingLoss& other) {
  masked_lm_sum += other.masked_lm_sum;
  masked += other.masked;
  masked_correct += other.masked_correct;
  next_sentence_sum += other.next_sentence_sum;
  sequences += other.sequences;
  next_sentence_correct += other.next_sentence_correct;
  return *this;
}

struct PretrainingModel::Parts {
  BertConfig config;
  TrainingOptions options;
  TrainingWeights weights;
  TrainableEncoder encoder;
  MaskedLmHead masked_lm;
  std::unique_ptr<NextSentenceHead> next_sentence;
  ops::Context context;

  Parts(BertConfig configuration, const TrainingOptions& training)
      : config(std::move(configuration)),
        options(training),
        weights(model_parameters(config, options.head()), options.compute, true, *options.device),
        encoder(config, weights, options.recompute),
        masked_lm(weights, config),
        next_sentence(options.next_sentence ? std::make_unique<NextSentenceHead>(weights, config)
                                            : nullptr),
        context(*options.device) {}

  /// The tokens that the heads look at.
  [[nodiscard]] TokenSelection selection(const PretrainingBatch& batch) const {
    return TokenSelection::of(batch.inputs, batch.masked_positions, predicts_next(batch));
  }

  [[nodiscard]] bool predicts_next(const PretrainingBatch& batch) const {
    return next_sentence != nullptr && !batch.next_sentence_labels.empty();
  }

  PretrainingLoss run(const PretrainingBatch& batch, const TrainingPass& pass,
                      const DropoutKey& dropout, bool backward) {
    require_labels(batch, config);
    const Computation computation;
    context.begin();
    if (pass.profile != nullptr) context.start_profile();
    PretrainingLoss loss;
    if (batch.inputs.total_tokens() == 0) return loss;
    const auto selected = selection(batch);
    const auto hidden = encoder.forward(context, batch.inputs, dropout, backward, selected);
    ops::Matrix d_hidden;
    if (backward) {
      d_hidden = context.matrix(DType::f32, hidden.rows, hidden.cols);
      ops::fill_zero(context, d_hidden);
    }
    const auto rows = selected.rows_of(batch.masked_positions);
    const std::span<const std::int32_t> positions = rows;
    const std::span<const std::int32_t> labels = batch.masked_labels;
    // Read when everything was started, so that a device need not stop for them in between.
    std::vector<ops::Pending<ops::LossSum>> masked_losses, next_losses;
    for (std::size_t at = 0; at < positions.size(); at += kMostPositions) {
      const std::size_t count = std::min<std::size_t>(kMostPositions, positions.size() - at);
      masked_losses.push_back(masked_lm.run(context, hidden, positions.subspan(at, count),
                                            labels.subspan(at, count), pass.masked_lm_scale,
                                            d_hidden));
    }
    if (predicts_next(batch)) {
      next_losses.push_back(
          next_sentence->run(context, hidden, selected.rows_of_first(batch.inputs),
                             batch.next_sentence_labels, pass.next_sentence_scale, d_hidden));
      loss.sequences = batch.inputs.sequences();
    }
    if (backward) encoder.backward(context, batch.inputs, d_hidden);
    loss.masked = batch.masked();
    for (const auto& pending : masked_losses) {
      const auto part = pending.get();
      loss.masked_lm_sum += part.sum;
      loss.masked_correct += part.correct;
    }
    for (const auto& pending : next_losses) {
      const auto part = pending.get();
      loss.next_sentence_sum += part.sum;
      loss.next_sentence_correct += part.correct;
    }
    if (pass.profile != nullptr) {
      for (const auto& cost : context.take_profile()) accumulate(*pass.profile, cost);
    }
    return loss;
  }
};

PretrainingModel::PretrainingModel(BertConfig config, WeightSource& weights,
                                   const TrainingOptions& options) {
  config.validate();
  if (family_of(config) == Family::electra) {
    throw ModelError(
        "this config.json is an ELECTRA's, and pre-training makes BERTs (masked language model and "
        "next sentence): begin with a BERT, or fine-tune the ELECTRA for a task (cloze finetune)");
  }
  if (!config.tie_word_embeddings) {
    throw ModelError(
        "this config.json unties the masked-LM decoder from the word embeddings "
        "(tie_word_embeddings: false): set it to true to pre-train");
  }
  parts_ = std::make_unique<Parts>(std::move(config), options);
  parameters().load(weights);
  parameters_changed();
}

PretrainingModel::PretrainingModel(PretrainingModel&&) noexcept = default;
PretrainingModel& PretrainingModel::operator=(PretrainingModel&&) noexcept = default;
PretrainingModel::~PretrainingModel() = default;

const BertConfig& PretrainingModel::config() const { return parts_->config; }
const TrainingOptions& PretrainingModel::options() const { return parts_->options; }
Parameters& PretrainingModel::parameters() { return parts_->weights.parameters(); }
void PretrainingModel::parameters_changed() { parts_->weights.refresh(); }

PretrainingLoss PretrainingModel::forward_backward(const PretrainingBatch& batch,
                                                   const TrainingPass& pass) {
  return parts_->run(batch, pass, {.seed = pass.seed, .pass = pass.pass, .active = pass.dropout},
                     true);
}

PretrainingLoss PretrainingModel::evaluate(const PretrainingBatch& batch) {
  return parts_->run(batch, {}, {.active = false}, false);
}

Tensor PretrainingModel::predict(const Batch& batch, std::span<const std::int32_t> positions) {
  auto& context = parts_->context;
  for (const auto position : positions) {
    if (position < 0 || position >= batch.total_tokens()) {
      throw ArgumentError(fmt::format("position {} is outside the batch's {} tokens", position,
                                      batch.total_tokens()));
    }
  }
  if (positions.empty()) return Tensor::zeros(DType::f32, {0, parts_->config.vocab_size});
  const Computation computation;
  context.begin();
  const auto selected = TokenSelection::of(batch, positions, false);
  const auto hidden = parts_->encoder.forward(context, batch, {.active = false}, false, selected);
  const auto rows = selected.rows_of(positions);
  return to_tensor(context, parts_->masked_lm.forward(context, hidden, rows).logits);
}

double PretrainingModel::operations(const PretrainingBatch& batch) const {
  const auto& config = parts_->config;
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto vocabulary = static_cast<double>(config.vocab_size);
  const double masked = 6 * static_cast<double>(batch.masked()) * hidden * (hidden + vocabulary);
  const double pooled = parts_->next_sentence == nullptr
                            ? 0
                            : 6 * static_cast<double>(batch.inputs.sequences()) * hidden * hidden;
  return parts_->encoder.operations(batch.inputs, parts_->selection(batch)) + masked + pooled;
}

std::size_t PretrainingModel::activation_bytes() const { return parts_->context.capacity(); }

}  // namespace cloze::internal
