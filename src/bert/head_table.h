/// \file
/// The table of heads: what can stand on the encoder, a row each. Everything that differs from head
/// to head is said here and nowhere else: loading, training, conversion, export, `cloze info`,
/// model cards and attributions read the table. Functions that look a head up take the rows to look
/// in, so that a head of one's own needs no change of this file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bert/layout.h"
#include "checkpoint/family.h"
#include "cloze/config.h"

namespace cloze {
class ModelNames;
}

namespace cloze::internal {

/// What a layer of a head reads.
enum class HeadInput : std::uint8_t {
  pooled,  ///< the pooler's output: a row a sequence
  tokens,  ///< the last hidden state: a row a token
  masked,  ///< the last hidden state of chosen tokens, through a transform: `cls.predictions`
  /// The last hidden state of each token through a linear layer of the head's own and the
  /// configuration's activation: `discriminator_predictions`.
  transformed,
};

/// What one answer of a head is about: how its rows belong to examples, and what a label is.
enum class HeadUnit : std::uint8_t {
  sequence,  ///< a row a sequence; a label (or values) for each
  token,     ///< a row a token; a label (or values) for each
  span,      ///< a row a token; each column chooses a token of the sequence
  choice,    ///< a row a sequence; neighbouring sequences are choices, of which one is right
  pair,      ///< a row a sequence, its vector; two neighbouring sequences are a pair
  position,  ///< a row a chosen token
};

/// Whether the head's result has a row for each token.
[[nodiscard]] constexpr bool row_per_token(HeadUnit unit) {
  return unit == HeadUnit::token || unit == HeadUnit::span;
}

/// What training makes small.
enum class TaskLoss : std::uint8_t {
  cross_entropy,         ///< one label of several
  binary_cross_entropy,  ///< any of several labels, or one score
  mean_squared_error,    ///< values
  in_batch_negatives,    ///< neighbouring sequences belong together
  cosine_error,          ///< and are alike by so much
};

/// "cross entropy", ...
[[nodiscard]] std::string_view name_of(TaskLoss loss);

/// Some of the losses.
class LossSet {
 public:
  constexpr LossSet() = default;
  constexpr LossSet(std::initializer_list<TaskLoss> losses) {
    for (const auto loss : losses) bits_ = static_cast<std::uint8_t>(bits_ | bit(loss));
  }
  [[nodiscard]] constexpr bool contains(TaskLoss loss) const { return (bits_ & bit(loss)) != 0; }

 private:
  [[nodiscard]] static constexpr unsigned bit(TaskLoss loss) {
    return 1U << static_cast<unsigned>(loss);
  }
  std::uint8_t bits_ = 0;
};

/// As many outputs as the configuration has labels.
inline constexpr std::int64_t kLabels = -1;
/// As many as the vocabulary has tokens.
inline constexpr std::int64_t kVocabulary = -2;

/// A layer of a head: the linear layer `NAME.weight` [outputs, hidden], `NAME.bias` [outputs]; for
/// HeadInput::masked what prediction_shapes lists; for HeadInput::transformed `NAME.dense` [hidden,
/// hidden] and `NAME.dense_prediction` [outputs, hidden].
struct HeadLayer {
  std::string_view name{};
  HeadInput input = HeadInput::tokens;
  std::int64_t outputs = kLabels;
  bool dropout = false;  ///< training drops out what it reads, by `classifier_dropout`
  /// What an exported model calls the logits; two names: of each column.
  std::array<std::string_view, 2> output_names{"logits"};

  friend constexpr bool operator==(const HeadLayer&, const HeadLayer&) = default;
};

/// A row of the table.
struct HeadKind {
  std::string_view class_name{};  ///< transformers' class without its family: "ForMaskedLM"
  std::string_view about{};       ///< for people: "masked language model"
  /// Transformers' and the Hub's name of the task, and that of export.
  std::string_view pipeline{};
  std::string_view task{};  ///< `cloze finetune --task` for it; empty: another command trains it
  HeadUnit unit = HeadUnit::sequence;
  LossSet losses{};     ///< that training may make small
  bool pooler = false;  ///< the class has BERT's pooler
  /// The families of models that have the class.
  FamilySet families{Family::bert, Family::distilbert, Family::electra};
  std::array<HeadLayer, 2> slots{};  ///< see layers()

  /// Its layers, in the order of their outputs; none: hidden states or sentence vectors.
  [[nodiscard]] constexpr std::span<const HeadLayer> layers() const {
    std::size_t count = 0;
    while (count < slots.size() && !slots[count].name.empty()) ++count;
    return std::span(slots).first(count);
  }
  /// Whether its outputs are the configuration's labels.
  [[nodiscard]] constexpr bool by_label() const {
    return !layers().empty() && layers().front().outputs == kLabels;
  }
  /// Whether the configuration's `architectures` alone says that a model has it: fine-tuning makes
  /// such heads, and they share the names of their tensors.
  [[nodiscard]] constexpr bool by_architecture() const {
    return !task.empty() && !layers().empty();
  }
};

/// Every head that Cloze knows. Two rows may share a class or the name of a layer: then the
/// configuration's `architectures` says which one a checkpoint is, or the first row is taken.
inline constexpr std::array<HeadKind, 10> kHeads{{
    {.class_name = "Model",
     .about = "encoder",
     .pipeline = "feature-extraction",
     .unit = HeadUnit::token,
     .pooler = true},
    {.class_name = "Model",
     .about = "sentence vectors",
     .pipeline = "sentence-similarity",
     .task = "sentence-embedding",
     .unit = HeadUnit::pair,
     .losses = {TaskLoss::in_batch_negatives, TaskLoss::cosine_error}},
    {.class_name = "ForMaskedLM",
     .about = "masked language model",
     .pipeline = "fill-mask",
     .unit = HeadUnit::position,
     .losses = {TaskLoss::cross_entropy},
     .slots = {{{kPredictions, HeadInput::masked, kVocabulary}}}},
    {.class_name = "ForNextSentencePrediction",
     .about = "next sentence",
     .pipeline = "next-sentence-prediction",
     .unit = HeadUnit::sequence,
     .losses = {TaskLoss::cross_entropy},
     .pooler = true,
     .families = {Family::bert},
     .slots = {{{"cls.seq_relationship", HeadInput::pooled, 2}}}},
    {.class_name = "ForPreTraining",
     .about = "pre-training",
     .pipeline = "pretraining",
     .unit = HeadUnit::position,
     .losses = {TaskLoss::cross_entropy},
     .pooler = true,
     .families = {Family::bert},
     .slots =
         {{{kPredictions, HeadInput::masked, kVocabulary, false, {"prediction_logits"}},
           {"cls.seq_relationship", HeadInput::pooled, 2, false, {"seq_relationship_logits"}}}}},
    {.class_name = "ForPreTraining",
     .about = "replaced token detection",
     .pipeline = "replaced-token-detection",
     .unit = HeadUnit::token,
     .losses = {TaskLoss::binary_cross_entropy},
     .families = {Family::electra},
     .slots = {{{kDiscriminator, HeadInput::transformed, 1}}}},
    {.class_name = "ForSequenceClassification",
     .about = "sequence classification",
     .pipeline = "text-classification",
     .task = "text-classification",
     .unit = HeadUnit::sequence,
     .losses = {TaskLoss::cross_entropy, TaskLoss::binary_cross_entropy,
                TaskLoss::mean_squared_error},
     .pooler = true,
     .slots = {{{"classifier", HeadInput::pooled, kLabels, true}}}},
    {.class_name = "ForTokenClassification",
     .about = "token classification",
     .pipeline = "token-classification",
     .task = "token-classification",
     .unit = HeadUnit::token,
     .losses = {TaskLoss::cross_entropy},
     .slots = {{{"classifier", HeadInput::tokens, kLabels, true}}}},
    {.class_name = "ForQuestionAnswering",
     .about = "question answering",
     .pipeline = "question-answering",
     .task = "question-answering",
     .unit = HeadUnit::span,
     .losses = {TaskLoss::cross_entropy},
     .slots = {{{"qa_outputs", HeadInput::tokens, 2, false, {"start_logits", "end_logits"}}}}},
    {.class_name = "ForMultipleChoice",
     .about = "multiple choice",
     .pipeline = "multiple-choice",
     .task = "multiple-choice",
     .unit = HeadUnit::choice,
     .losses = {TaskLoss::cross_entropy},
     .pooler = true,
     .slots = {{{"classifier", HeadInput::pooled, 1, true}}}},
}};

/// The rows by name.
namespace heads {

/// The row of `kHeads` with this pipeline.
consteval const HeadKind& with_pipeline(std::string_view pipeline) {
  for (const auto& head : kHeads) {
    if (head.pipeline == pipeline) return head;
  }
  throw "no row of the table has this pipeline";
}

inline constexpr const HeadKind& encoder = with_pipeline("feature-extraction");
inline constexpr const HeadKind& sentence_embedding = with_pipeline("sentence-similarity");
inline constexpr const HeadKind& masked_lm = with_pipeline("fill-mask");
inline constexpr const HeadKind& next_sentence = with_pipeline("next-sentence-prediction");
inline constexpr const HeadKind& pretraining = with_pipeline("pretraining");
inline constexpr const HeadKind& replaced_tokens = with_pipeline("replaced-token-detection");
inline constexpr const HeadKind& sequence_classification = with_pipeline("text-classification");
inline constexpr const HeadKind& token_classification = with_pipeline("token-classification");
inline constexpr const HeadKind& question_answering = with_pipeline("question-answering");
inline constexpr const HeadKind& multiple_choice = with_pipeline("multiple-choice");

}  // namespace heads

/// "BertForMaskedLM", or another family's "DistilBertForMaskedLM", "ElectraForMaskedLM". A class
/// that the family does not have is named as in one that has it.
[[nodiscard]] std::string architecture_of(const HeadKind& head, Family family = Family::bert);

/// Whether one of the configuration's `architectures` is the head's class, in any family.
[[nodiscard]] bool states(const BertConfig& config, const HeadKind& head);

/// Outputs of a layer by the configuration.
[[nodiscard]] std::int64_t outputs_of(const HeadLayer& layer, const BertConfig& config);

/// The linear layer that a head's layer is (of a masked one: the decoder, of a transformed one
/// `dense_prediction`). Where its outputs are
/// labels and the configuration states none, they are -1: what the checkpoint has.
[[nodiscard]] LinearShape linear_shape(const HeadLayer& layer, const BertConfig& config);
/// The linear layer before it in a transformed one.
[[nodiscard]] LinearShape transform_shape(const HeadLayer& layer, const BertConfig& config);

/// All tensors of the model: the encoder's, the pooler's, then the head's. A decoder that is tied
/// to the word embeddings is not among them.
[[nodiscard]] std::vector<ParameterShape> model_parameters(const BertConfig& config,
                                                           const HeadKind& head);

/// The tensor by which a layer is recognised: "classifier.weight".
[[nodiscard]] std::string key_tensor(const HeadLayer& layer);

/// What people call a layer of a head: of several, what the row calls it that has it alone.
[[nodiscard]] std::string_view about_layer(const HeadKind& head, const HeadLayer& layer);

/// The classes of a family whose checkpoints have all layers of the head: "BertForMaskedLM",
/// "BertForPreTraining".
[[nodiscard]] std::vector<std::string> architectures_with(const HeadKind& head,
                                                          Family family = Family::bert);

/// Whether the family's class has a tensor of this name (BERT's name of it).
[[nodiscard]] bool has_tensor(const HeadKind& head, std::string_view name, Family family);

/// The family's name for a tensor that BERT calls `name`, in its class for the head: as the class
/// stores it, without the prefix in the bare encoder.
[[nodiscard]] std::string stored_name(std::string_view name, const HeadKind& head, Family family);

/// The rows of one layer whose tensors the checkpoint has. Where several rows have the same layer,
/// the one whose class the configuration states, else the first.
[[nodiscard]] std::vector<const HeadKind*> heads_in(const ModelNames& names,
                                                    const BertConfig& config,
                                                    std::span<const HeadKind> heads = kHeads);

/// The class that a checkpoint is: the row with the most layers, all of which it has; rows whose
/// layers have a name of their own come before those that share it. The bare encoder if none fits.
[[nodiscard]] const HeadKind& class_of(const ModelNames& names, const BertConfig& config,
                                       std::span<const HeadKind> heads = kHeads);

}  // namespace cloze::internal
