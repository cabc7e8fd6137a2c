#include "cloze/pipeline.h"

#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "bert/model_heads.h"
#include "cloze/hub.h"
#include "cloze/sentence_settings.h"
#include "datasets/batching.h"
#include "pipelines/warnings.h"
#include "tasks/task_predictor.h"

namespace cloze {

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
  constexpr const auto& head = internal::row_of_model<Model>();
  if (head.by_architecture()) {
    require_made_for(BertConfig::from_pretrained(directory), directory, head);
  }
  auto tokenizer = Tokenizer::from_pretrained(directory);
  *this = Pipeline(Model::from_pretrained(directory, options.load), std::move(tokenizer),
                   options.batch_tokens);
  warn(internal::model_warnings(config(), this->tokenizer(), directory));
}

template class Pipeline<BertModel>;
template class Pipeline<BertForMaskedLM>;
template class Pipeline<BertForNextSentencePrediction>;
template class Pipeline<BertForSequenceClassification>;
template class Pipeline<BertForTokenClassification>;
template class Pipeline<BertForQuestionAnswering>;
template class Pipeline<BertForMultipleChoice>;
template class Pipeline<ElectraForPreTraining>;

}  // namespace cloze
