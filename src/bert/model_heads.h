/// \file
/// Which row of the table of heads each model class of cloze/bert.h is.
#pragma once

#include "bert/head_table.h"
#include "cloze/bert.h"

namespace cloze::internal {

template <class Model>
inline constexpr const HeadKind* kRowOf = nullptr;
template <>
inline constexpr const HeadKind* kRowOf<BertModel> = &heads::encoder;
template <>
inline constexpr const HeadKind* kRowOf<BertForMaskedLM> = &heads::masked_lm;
template <>
inline constexpr const HeadKind* kRowOf<BertForNextSentencePrediction> = &heads::next_sentence;
template <>
inline constexpr const HeadKind* kRowOf<BertForPreTraining> = &heads::pretraining;
template <>
inline constexpr const HeadKind* kRowOf<BertForSequenceClassification> =
    &heads::sequence_classification;
template <>
inline constexpr const HeadKind* kRowOf<BertForTokenClassification> = &heads::token_classification;
template <>
inline constexpr const HeadKind* kRowOf<BertForQuestionAnswering> = &heads::question_answering;
template <>
inline constexpr const HeadKind* kRowOf<ElectraForPreTraining> = &heads::replaced_tokens;
template <>
inline constexpr const HeadKind* kRowOf<BertForMultipleChoice> = &heads::multiple_choice;

/// The row of a model class.
template <class Model>
[[nodiscard]] constexpr const HeadKind& row_of_model() {
  static_assert(kRowOf<Model> != nullptr, "this class has no row");
  return *kRowOf<Model>;
}

}  // namespace cloze::internal
