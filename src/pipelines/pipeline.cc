#include "cloze/pipeline.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "cloze/hub.h"
#include "cloze/sentence_settings.h"
#include "datasets/batching.h"

namespace cloze {
namespace {

/// Heads share the names of their tensors: what a model was fine-tuned for stands in its config
/// alone.
struct FineTuned {
  std::string_view architecture, pipeline, command;
};
constexpr std::array<FineTuned, 4> kFineTuned{{
    {"BertForSequenceClassification", "TextClassificationPipeline", "classify"},
    {"BertForTokenClassification", "TokenClassificationPipeline", "tag"},
    {"BertForQuestionAnswering", "QuestionAnsweringPipeline", "answer"},
    {"BertForMultipleChoice", "MultipleChoicePipeline", "choose"},
}};

template <class Model>
constexpr std::string_view kArchitecture;  // empty: any model's weights may have this head
template <>
constexpr std::string_view kArchitecture<BertForSequenceClassification> =
    kFineTuned[0].architecture;
template <>
constexpr std::string_view kArchitecture<BertForTokenClassification> = kFineTuned[1].architecture;
template <>
constexpr std::string_view kArchitecture<BertForQuestionAnswering> = kFineTuned[2].architecture;
template <>
constexpr std::string_view kArchitecture<BertForMultipleChoice> = kFineTuned[3].architecture;

void require_made_for(std::string_view architecture, const std::filesystem::path& directory) {
  const auto stated = BertConfig::from_pretrained(directory).architectures;
  const auto has = [&](std::string_view name) {
    return std::find(stated.begin(), stated.end(), name) != stated.end();
  };
  if (has(architecture)) return;
  for (const auto& other : kFineTuned) {
    if (!has(other.architecture)) continue;
    throw ModelError(fmt::format("{} is a {}, which answers by cloze {} ({}); this needs a {}",
                                 directory.string(), other.architecture, other.command,
                                 other.pipeline, architecture));
  }
}

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
  if (!kArchitecture<Model>.empty()) require_made_for(kArchitecture<Model>, directory);
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
