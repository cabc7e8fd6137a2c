#include "cloze/pipeline.h"

#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "bert/head_table.h"
#include "cloze/hub.h"
#include "cloze/sentence_settings.h"
#include "datasets/batching.h"
#include "tasks/task_predictor.h"

namespace cloze {
namespace {

/// The head of a model whose config alone says that it has it, because others share the names of
/// its tensors; null where any model's weights may have the head.
template <class Model>
constexpr const internal::HeadKind* kStatedHead = nullptr;
template <>
constexpr const internal::HeadKind* kStatedHead<BertForSequenceClassification> =
    &internal::heads::sequence_classification;
template <>
constexpr const internal::HeadKind* kStatedHead<BertForTokenClassification> =
    &internal::heads::token_classification;
template <>
constexpr const internal::HeadKind* kStatedHead<BertForQuestionAnswering> =
    &internal::heads::question_answering;
template <>
constexpr const internal::HeadKind* kStatedHead<BertForMultipleChoice> =
    &internal::heads::multiple_choice;

}  // namespace

TextTooLong::TextTooLong(const std::string& name, std::int64_t tokens, std::int64_t limit)
    : ArgumentError(
          fmt::format("{} has {} tokens and the limit is {}: shorten it, or let it be truncated",
                      name, tokens, limit)),
      name_(name),
      tokens_(tokens),
      limit_(limit) {}

template <class Model>
Pipeline<Model>::Pipeline(Model model, Tokenizer tokenizer, std::int64_t batch_tokens) {
  if (batch_tokens < 1) {
    throw ArgumentError(fmt::format("batch_tokens is {}: it must be at least 1", batch_tokens));
  }
  require_same_vocabulary(tokenizer, model.config());
  state_ =
      std::make_shared<const State>(State{std::move(model), std::move(tokenizer), batch_tokens});
}

template <class Model>
Pipeline<Model>::Pipeline(const std::filesystem::path& directory_or_name,
                          const PipelineOptions& options) {
  const auto directory =
      transformer_directory(find_model(directory_or_name.string(), options.progress));
  if (kStatedHead<Model> != nullptr) {
    require_made_for(BertConfig::from_pretrained(directory), directory, *kStatedHead<Model>);
  }
  auto tokenizer = Tokenizer::from_pretrained(directory);
  *this = Pipeline(Model::from_pretrained(directory, options.load), std::move(tokenizer),
                   options.batch_tokens);
}

template class Pipeline<BertModel>;
template class Pipeline<BertForMaskedLM>;
template class Pipeline<BertForNextSentencePrediction>;
template class Pipeline<BertForSequenceClassification>;
template class Pipeline<BertForTokenClassification>;
template class Pipeline<BertForQuestionAnswering>;
template class Pipeline<BertForMultipleChoice>;

}  // namespace cloze
