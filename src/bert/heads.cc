#include "bert/heads.h"

#include <numeric>

#include <fmt/format.h>

#include "cloze/bert.h"
#include "cloze/error.h"

namespace cloze {

using internal::BertEncoder;
using internal::CheckpointWeights;
using internal::Head;
using internal::TokenSelection;

namespace {

using HeadPointer = std::shared_ptr<const Head>;

constexpr std::string_view kNextSentence = "cls.seq_relationship";
constexpr std::string_view kDecoder = "cls.predictions.decoder.";

HeadPointer load_linear(CheckpointWeights& weights, const std::string& name, std::int64_t outputs,
                        std::int64_t hidden, DType compute) {
  Head head;
  head.dense = weights.linear({name}, outputs, hidden, compute);
  return std::make_shared<const Head>(std::move(head));
}

/// Outputs that a classifier must have: as many as the labels, or what the tensor has if the
/// configuration states none.
std::int64_t stated_labels(const BertConfig& config) {
  return config.id2label.empty() ? -1 : config.num_labels();
}

/// Dense, activation and layer norm: `cls.predictions.transform`.
HeadPointer load_transform(CheckpointWeights& weights, const BertEncoder& encoder,
                           const std::filesystem::path& directory) {
  const std::string name = "cls.predictions.transform.";
  internal::require_head(weights, name + "dense.weight", "masked language model head",
                         "BertForMaskedLM or BertForPreTraining", directory);
  const auto& config = encoder.config();
  Head head;
  head.dense =
      weights.linear({name + "dense"}, config.hidden_size, config.hidden_size, encoder.compute());
  head.norm = weights.layer_norm(name + "LayerNorm", config.hidden_size, config.layer_norm_eps);
  return std::make_shared<const Head>(std::move(head));
}

HeadPointer load_decoder(CheckpointWeights& weights, const BertEncoder& encoder) {
  const auto decoder =
      internal::decoder_tensors(weights, encoder.config(), encoder.word_embeddings());
  Head head;
  head.dense = ops::LinearWeight::pack({&decoder.weight, 1}, {&decoder.bias, 1}, encoder.compute());
  if (!decoder.tied) weights.release(std::string(kDecoder) + "weight");
  return std::make_shared<const Head>(std::move(head));
}

HeadPointer load_next_sentence(CheckpointWeights& weights, const BertEncoder& encoder,
                               const std::filesystem::path& directory) {
  const std::string name(kNextSentence);
  internal::require_head(weights, name + ".weight", "next sentence head",
                         "BertForNextSentencePrediction or BertForPreTraining", directory);
  internal::require_pooler(encoder, "next sentence prediction", directory);
  return load_linear(weights, name, 2, encoder.config().hidden_size, DType::f32);
}

/// classifier(pooled output): [sequences, outputs].
Tensor classify_pooled(const BertEncoder& encoder, const Head& head, ops::Context& context,
                       ops::Matrix hidden_states, std::span<const std::int32_t> starts) {
  const auto sequences = static_cast<std::int64_t>(starts.size());
  auto logits = Tensor::zeros(DType::f32, {sequences, head.dense.out_features()});
  if (!logits.empty()) {
    ops::linear(context, encoder.pool(context, hidden_states, starts), head.dense,
                ops::Epilogue::none, ops::matrix_of(logits));
  }
  return logits;
}

Tensor classify_pooled(const BertEncoder& encoder, const Head& head, const Batch& batch) {
  Tensor logits;
  const auto selected = TokenSelection::first_tokens(batch);
  encoder.run(batch, selected, [&](ops::Context& context, ops::Matrix hidden_states) {
    logits = classify_pooled(encoder, head, context, hidden_states, selected.rows_of_first(batch));
  });
  return logits;
}

/// classifier(last hidden state): [total_tokens, outputs].
Tensor classify_tokens(const BertEncoder& encoder, const Head& head, const Batch& batch) {
  auto logits = Tensor::zeros(DType::f32, {batch.total_tokens(), head.dense.out_features()});
  encoder.run(batch, TokenSelection(), [&](ops::Context& context, ops::Matrix hidden_states) {
    if (!logits.empty()) {
      ops::linear(context, hidden_states, head.dense, ops::Epilogue::none, ops::matrix_of(logits));
    }
  });
  return logits;
}

void require_positions(std::span<const std::int32_t> positions, const Batch& batch) {
  for (const auto position : positions) {
    if (position < 0 || position >= batch.total_tokens()) {
      throw ArgumentError(fmt::format("masked position {} is outside the batch's {} tokens",
                                      position, batch.total_tokens()));
    }
  }
}

/// Logits [positions, vocab] of the masked-LM head over the rows that `positions` name.
Tensor predict_tokens(const BertEncoder& encoder, const Head& transform, const Head& decoder,
                      ops::Context& context, ops::ConstMatrix hidden_states,
                      std::span<const std::int32_t> positions) {
  const auto count = static_cast<std::int64_t>(positions.size());
  auto logits = Tensor::zeros(DType::f32, {count, decoder.dense.out_features()});
  if (count == 0) return logits;
  const auto masked = context.matrix(encoder.compute(), count, hidden_states.cols);
  const auto transformed = context.matrix(encoder.compute(), count, hidden_states.cols);
  ops::gather_rows(context, hidden_states, positions, masked);
  ops::linear(context, masked, transform.dense, internal::epilogue_of(encoder.config().hidden_act),
              transformed);
  ops::layer_norm(context, transformed, transform.norm, transformed);
  ops::linear(context, transformed, decoder.dense, ops::Epilogue::none, ops::matrix_of(logits));
  return logits;
}

}  // namespace

internal::DecoderNames internal::decoder_names(const internal::WeightSource& weights,
                                               const BertConfig& config) {
  const std::string decoder(kDecoder);
  const bool tied = config.tie_word_embeddings && !weights.contains(decoder + "weight");
  const bool own_bias = weights.contains(decoder + "bias");
  return {.weight = tied ? "bert.embeddings.word_embeddings.weight" : decoder + "weight",
          .bias = own_bias ? decoder + "bias" : "cls.predictions.bias",
          .tied = tied};
}

internal::DecoderTensors internal::decoder_tensors(internal::WeightSource& weights,
                                                   const BertConfig& config,
                                                   const Tensor& word_embeddings) {
  const auto names = decoder_names(weights, config);
  return {.weight = names.tied
                        ? word_embeddings
                        : weights.take(names.weight, {config.vocab_size, config.hidden_size}),
          .bias = weights.take(names.bias, {config.vocab_size}),
          .tied = names.tied};
}

BertForMaskedLM BertForMaskedLM::from_pretrained(const std::filesystem::path& directory,
                                                 const LoadOptions& options) {
  auto [weights, encoder] = internal::load_encoder(directory, options);
  BertForMaskedLM model;
  model.transform_ = load_transform(weights, *encoder, directory);
  model.decoder_ = load_decoder(weights, *encoder);
  model.encoder_ = std::move(encoder);
  return model;
}

Tensor BertForMaskedLM::operator()(const Batch& batch,
                                   std::span<const std::int32_t> positions) const {
  require_positions(positions, batch);
  Tensor logits;
  const auto selected = TokenSelection::of(batch, positions, false);
  encoder_->run(batch, selected, [&](ops::Context& context, ops::Matrix hidden_states) {
    logits = predict_tokens(*encoder_, *transform_, *decoder_, context, hidden_states,
                            selected.rows_of(positions));
  });
  return logits;
}

Tensor BertForMaskedLM::decode(const Tensor& hidden_states) const {
  if (hidden_states.dtype() != DType::f32 || hidden_states.shape().size() != 2 ||
      hidden_states.dim(1) != config().hidden_size) {
    throw ArgumentError(fmt::format("hidden states are f32 [rows, {}], not {} {}",
                                    config().hidden_size, name_of(hidden_states.dtype()),
                                    to_string(hidden_states.shape())));
  }
  const auto lease = encoder_->borrow();
  auto& context = lease.context();
  std::vector<std::int32_t> rows(static_cast<std::size_t>(hidden_states.dim(0)));
  std::iota(rows.begin(), rows.end(), 0);
  return predict_tokens(*encoder_, *transform_, *decoder_, context, ops::matrix_of(hidden_states),
                        rows);
}

const BertConfig& BertForMaskedLM::config() const { return encoder_->config(); }

BertForNextSentencePrediction BertForNextSentencePrediction::from_pretrained(
    const std::filesystem::path& directory, const LoadOptions& options) {
  auto [weights, encoder] = internal::load_encoder(directory, options);
  BertForNextSentencePrediction model;
  model.classifier_ = load_next_sentence(weights, *encoder, directory);
  model.encoder_ = std::move(encoder);
  return model;
}

Tensor BertForNextSentencePrediction::operator()(const Batch& batch) const {
  return classify_pooled(*encoder_, *classifier_, batch);
}

const BertConfig& BertForNextSentencePrediction::config() const { return encoder_->config(); }

BertForPreTraining BertForPreTraining::from_pretrained(const std::filesystem::path& directory,
                                                       const LoadOptions& options) {
  auto [weights, encoder] = internal::load_encoder(directory, options);
  BertForPreTraining model;
  model.transform_ = load_transform(weights, *encoder, directory);
  model.decoder_ = load_decoder(weights, *encoder);
  model.classifier_ = load_next_sentence(weights, *encoder, directory);
  model.encoder_ = std::move(encoder);
  return model;
}

BertForPreTraining::Output BertForPreTraining::operator()(
    const Batch& batch, std::span<const std::int32_t> positions) const {
  require_positions(positions, batch);
  Output output;
  const auto selected = TokenSelection::of(batch, positions, true);
  encoder_->run(batch, selected, [&](ops::Context& context, ops::Matrix hidden_states) {
    output.prediction_logits = predict_tokens(*encoder_, *transform_, *decoder_, context,
                                              hidden_states, selected.rows_of(positions));
    output.seq_relationship_logits = classify_pooled(*encoder_, *classifier_, context,
                                                     hidden_states, selected.rows_of_first(batch));
  });
  return output;
}

const BertConfig& BertForPreTraining::config() const { return encoder_->config(); }

BertForSequenceClassification BertForSequenceClassification::from_pretrained(
    const std::filesystem::path& directory, const LoadOptions& options) {
  auto [weights, encoder] = internal::load_encoder(directory, options);
  internal::require_head(weights, "classifier.weight", "classification head",
                         "BertForSequenceClassification", directory);
  internal::require_pooler(*encoder, "sequence classification", directory);
  BertForSequenceClassification model;
  model.classifier_ = load_linear(weights, "classifier", stated_labels(encoder->config()),
                                  encoder->config().hidden_size, DType::f32);
  model.encoder_ = std::move(encoder);
  return model;
}

Tensor BertForSequenceClassification::operator()(const Batch& batch) const {
  return classify_pooled(*encoder_, *classifier_, batch);
}

const BertConfig& BertForSequenceClassification::config() const { return encoder_->config(); }

BertForTokenClassification BertForTokenClassification::from_pretrained(
    const std::filesystem::path& directory, const LoadOptions& options) {
  auto [weights, encoder] = internal::load_encoder(directory, options);
  internal::require_head(weights, "classifier.weight", "token classification head",
                         "BertForTokenClassification", directory);
  BertForTokenClassification model;
  model.classifier_ = load_linear(weights, "classifier", stated_labels(encoder->config()),
                                  encoder->config().hidden_size, encoder->compute());
  model.encoder_ = std::move(encoder);
  return model;
}

Tensor BertForTokenClassification::operator()(const Batch& batch) const {
  return classify_tokens(*encoder_, *classifier_, batch);
}

const BertConfig& BertForTokenClassification::config() const { return encoder_->config(); }

BertForQuestionAnswering BertForQuestionAnswering::from_pretrained(
    const std::filesystem::path& directory, const LoadOptions& options) {
  auto [weights, encoder] = internal::load_encoder(directory, options);
  internal::require_head(weights, "qa_outputs.weight", "question answering head",
                         "BertForQuestionAnswering", directory);
  BertForQuestionAnswering model;
  model.classifier_ =
      load_linear(weights, "qa_outputs", 2, encoder->config().hidden_size, encoder->compute());
  model.encoder_ = std::move(encoder);
  return model;
}

BertForQuestionAnswering::Output BertForQuestionAnswering::operator()(const Batch& batch) const {
  const auto logits = classify_tokens(*encoder_, *classifier_, batch);
  const auto both = logits.values<float>();
  const std::int64_t tokens = batch.total_tokens();
  Output output{Tensor::zeros(DType::f32, {tokens}), Tensor::zeros(DType::f32, {tokens})};
  const auto start = output.start_logits.mutable_values<float>();
  const auto end = output.end_logits.mutable_values<float>();
  for (std::size_t i = 0; i < start.size(); ++i) {
    start[i] = both[2 * i];
    end[i] = both[2 * i + 1];
  }
  return output;
}

const BertConfig& BertForQuestionAnswering::config() const { return encoder_->config(); }

BertForMultipleChoice BertForMultipleChoice::from_pretrained(const std::filesystem::path& directory,
                                                             const LoadOptions& options) {
  auto [weights, encoder] = internal::load_encoder(directory, options);
  internal::require_head(weights, "classifier.weight", "multiple choice head",
                         "BertForMultipleChoice", directory);
  internal::require_pooler(*encoder, "multiple choice", directory);
  BertForMultipleChoice model;
  model.classifier_ =
      load_linear(weights, "classifier", 1, encoder->config().hidden_size, DType::f32);
  model.encoder_ = std::move(encoder);
  return model;
}

Tensor BertForMultipleChoice::operator()(const Batch& batch, std::int64_t num_choices) const {
  if (num_choices < 1 || batch.sequences() % num_choices != 0) {
    throw ArgumentError(fmt::format("{} sequences cannot be questions of {} choices each",
                                    batch.sequences(), num_choices));
  }
  return classify_pooled(*encoder_, *classifier_, batch)
      .reshaped({batch.sequences() / num_choices, num_choices});
}

const BertConfig& BertForMultipleChoice::config() const { return encoder_->config(); }

}  // namespace cloze
