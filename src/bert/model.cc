#include <utility>

#include <fmt/format.h>

#include "bert/head_model.h"
#include "bert/model_heads.h"
#include "cloze/bert.h"
#include "cloze/error.h"
#include "core/strings.h"

namespace cloze {

using internal::HeadModel;
using internal::row_of_model;

Precision precision_from(std::string_view name) {
  if (name == "f32") return Precision::f32;
  if (name == "bf16") return Precision::bf16;
  if (name == "int8") return Precision::int8;
  if (name == "auto") return Precision::best;
  throw ArgumentError(fmt::format("dtype {} is not one of f32, bf16, int8, auto", in_quotes(name)));
}

std::string_view name_of(Precision precision) {
  switch (precision) {
    case Precision::f32:
      return "f32";
    case Precision::bf16:
      return "bf16";
    case Precision::int8:
      return "int8";
    case Precision::best:
      return "auto";
  }
  throw ArgumentError("not a precision");
}

Precision resolve(Precision wanted) { return internal::resolve_on(ops::cpu(), wanted); }

BertPreTrainedModel::BertPreTrainedModel(std::shared_ptr<const HeadModel> model)
    : model_(std::move(model)) {}

const BertConfig& BertPreTrainedModel::config() const { return model_->config(); }
Precision BertPreTrainedModel::precision() const { return model_->encoder().precision(); }
std::int64_t BertPreTrainedModel::num_parameters() const { return model_->num_parameters(); }

void BertPreTrainedModel::save_pretrained(const std::filesystem::path& directory) const {
  model_->save_pretrained(directory);
}

BertModel::BertModel(std::shared_ptr<const HeadModel> model)
    : BertPreTrainedModel(std::move(model)) {}

BertModel BertModel::from_pretrained(const std::filesystem::path& directory_or_name,
                                     const LoadOptions& options) {
  return BertModel(
      HeadModel::from_pretrained(directory_or_name, row_of_model<BertModel>(), options));
}

BertModel BertModel::random(const BertConfig& config, std::uint64_t seed,
                            const LoadOptions& options) {
  return BertModel(HeadModel::random(config, row_of_model<BertModel>(), seed, options));
}

BertOutput BertModel::operator()(const Batch& batch, const ForwardOptions& options) const {
  BertOutput output;
  auto wanted = options;
  wanted.encoder_output = &output;
  static_cast<void>(model().run(batch, {}, wanted));
  return output;
}

bool BertModel::has_pooler() const { return model().encoder().has_bert_pooler(); }

BertForMaskedLM::BertForMaskedLM(std::shared_ptr<const HeadModel> model)
    : BertPreTrainedModel(std::move(model)) {}

BertForMaskedLM BertForMaskedLM::from_pretrained(const std::filesystem::path& directory_or_name,
                                                 const LoadOptions& options) {
  return BertForMaskedLM(
      HeadModel::from_pretrained(directory_or_name, row_of_model<BertForMaskedLM>(), options));
}

BertForMaskedLM BertForMaskedLM::random(const BertConfig& config, std::uint64_t seed,
                                        const LoadOptions& options) {
  return BertForMaskedLM(HeadModel::random(config, row_of_model<BertForMaskedLM>(), seed, options));
}

Tensor BertForMaskedLM::operator()(const Batch& batch, std::span<const std::int32_t> positions,
                                   const ForwardOptions& options) const {
  return model().run(batch, positions, options).front();
}

Tensor BertForMaskedLM::decode(const Tensor& hidden_states) const {
  return model().decode(hidden_states);
}

BertForNextSentencePrediction::BertForNextSentencePrediction(std::shared_ptr<const HeadModel> model)
    : BertPreTrainedModel(std::move(model)) {}

BertForNextSentencePrediction BertForNextSentencePrediction::from_pretrained(
    const std::filesystem::path& directory_or_name, const LoadOptions& options) {
  return BertForNextSentencePrediction(HeadModel::from_pretrained(
      directory_or_name, row_of_model<BertForNextSentencePrediction>(), options));
}

BertForNextSentencePrediction BertForNextSentencePrediction::random(const BertConfig& config,
                                                                    std::uint64_t seed,
                                                                    const LoadOptions& options) {
  return BertForNextSentencePrediction(
      HeadModel::random(config, row_of_model<BertForNextSentencePrediction>(), seed, options));
}

Tensor BertForNextSentencePrediction::operator()(const Batch& batch,
                                                 const ForwardOptions& options) const {
  return model().logits(batch, options);
}

BertForPreTraining::BertForPreTraining(std::shared_ptr<const HeadModel> model)
    : BertPreTrainedModel(std::move(model)) {}

BertForPreTraining BertForPreTraining::from_pretrained(
    const std::filesystem::path& directory_or_name, const LoadOptions& options) {
  return BertForPreTraining(
      HeadModel::from_pretrained(directory_or_name, row_of_model<BertForPreTraining>(), options));
}

BertForPreTraining BertForPreTraining::random(const BertConfig& config, std::uint64_t seed,
                                              const LoadOptions& options) {
  return BertForPreTraining(
      HeadModel::random(config, row_of_model<BertForPreTraining>(), seed, options));
}

BertForPreTraining::Output BertForPreTraining::operator()(const Batch& batch,
                                                          std::span<const std::int32_t> positions,
                                                          const ForwardOptions& options) const {
  auto results = model().run(batch, positions, options);
  return {std::move(results[0]), std::move(results[1])};
}

BertForSequenceClassification::BertForSequenceClassification(std::shared_ptr<const HeadModel> model)
    : BertPreTrainedModel(std::move(model)) {}

BertForSequenceClassification BertForSequenceClassification::from_pretrained(
    const std::filesystem::path& directory_or_name, const LoadOptions& options) {
  return BertForSequenceClassification(HeadModel::from_pretrained(
      directory_or_name, row_of_model<BertForSequenceClassification>(), options));
}

BertForSequenceClassification BertForSequenceClassification::random(const BertConfig& config,
                                                                    std::uint64_t seed,
                                                                    const LoadOptions& options) {
  return BertForSequenceClassification(
      HeadModel::random(config, row_of_model<BertForSequenceClassification>(), seed, options));
}

Tensor BertForSequenceClassification::operator()(const Batch& batch,
                                                 const ForwardOptions& options) const {
  return model().logits(batch, options);
}

BertForTokenClassification::BertForTokenClassification(std::shared_ptr<const HeadModel> model)
    : BertPreTrainedModel(std::move(model)) {}

BertForTokenClassification BertForTokenClassification::from_pretrained(
    const std::filesystem::path& directory_or_name, const LoadOptions& options) {
  return BertForTokenClassification(HeadModel::from_pretrained(
      directory_or_name, row_of_model<BertForTokenClassification>(), options));
}

BertForTokenClassification BertForTokenClassification::random(const BertConfig& config,
                                                              std::uint64_t seed,
                                                              const LoadOptions& options) {
  return BertForTokenClassification(
      HeadModel::random(config, row_of_model<BertForTokenClassification>(), seed, options));
}

Tensor BertForTokenClassification::operator()(const Batch& batch,
                                              const ForwardOptions& options) const {
  return model().logits(batch, options);
}

BertForQuestionAnswering::BertForQuestionAnswering(std::shared_ptr<const HeadModel> model)
    : BertPreTrainedModel(std::move(model)) {}

BertForQuestionAnswering BertForQuestionAnswering::from_pretrained(
    const std::filesystem::path& directory_or_name, const LoadOptions& options) {
  return BertForQuestionAnswering(HeadModel::from_pretrained(
      directory_or_name, row_of_model<BertForQuestionAnswering>(), options));
}

BertForQuestionAnswering BertForQuestionAnswering::random(const BertConfig& config,
                                                          std::uint64_t seed,
                                                          const LoadOptions& options) {
  return BertForQuestionAnswering(
      HeadModel::random(config, row_of_model<BertForQuestionAnswering>(), seed, options));
}

BertForQuestionAnswering::Output BertForQuestionAnswering::operator()(
    const Batch& batch, const ForwardOptions& options) const {
  const auto logits = model().logits(batch, options);
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

ElectraForPreTraining::ElectraForPreTraining(std::shared_ptr<const HeadModel> model)
    : BertPreTrainedModel(std::move(model)) {}

ElectraForPreTraining ElectraForPreTraining::from_pretrained(
    const std::filesystem::path& directory_or_name, const LoadOptions& options) {
  return ElectraForPreTraining(HeadModel::from_pretrained(
      directory_or_name, row_of_model<ElectraForPreTraining>(), options));
}

ElectraForPreTraining ElectraForPreTraining::random(const BertConfig& config, std::uint64_t seed,
                                                    const LoadOptions& options) {
  return ElectraForPreTraining(
      HeadModel::random(config, row_of_model<ElectraForPreTraining>(), seed, options));
}

Tensor ElectraForPreTraining::operator()(const Batch& batch, const ForwardOptions& options) const {
  return model().logits(batch, options).reshaped({batch.total_tokens()});
}

BertForMultipleChoice::BertForMultipleChoice(std::shared_ptr<const HeadModel> model)
    : BertPreTrainedModel(std::move(model)) {}

BertForMultipleChoice BertForMultipleChoice::from_pretrained(
    const std::filesystem::path& directory_or_name, const LoadOptions& options) {
  return BertForMultipleChoice(HeadModel::from_pretrained(
      directory_or_name, row_of_model<BertForMultipleChoice>(), options));
}

BertForMultipleChoice BertForMultipleChoice::random(const BertConfig& config, std::uint64_t seed,
                                                    const LoadOptions& options) {
  return BertForMultipleChoice(
      HeadModel::random(config, row_of_model<BertForMultipleChoice>(), seed, options));
}

Tensor BertForMultipleChoice::operator()(const Batch& batch, std::int64_t num_choices,
                                         const ForwardOptions& options) const {
  if (num_choices < 1 || batch.sequences() % num_choices != 0) {
    throw ArgumentError(fmt::format("{} sequences cannot be questions of {} choices each",
                                    batch.sequences(), num_choices));
  }
  return model().logits(batch, options).reshaped({batch.sequences() / num_choices, num_choices});
}

}  // namespace cloze
