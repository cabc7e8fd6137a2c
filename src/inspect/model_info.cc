#include "inspect/model_info.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "checkpoint/model_names.h"
#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "cloze/sentence_settings.h"
#include "cloze/tokenizer.h"
#include "core/files.h"

namespace cloze {
namespace {

constexpr std::string_view decoder_weight = "cls.predictions.decoder.weight";
constexpr std::string_view decoder_bias = "cls.predictions.decoder.bias";

std::int64_t numel(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

void count_tensors(const Checkpoint& checkpoint, const ModelNames& names, ModelInfo& info) {
  for (const auto& name : checkpoint.names()) {
    const auto& tensor = checkpoint.info(name);
    info.bytes += numel(tensor.shape) * static_cast<std::int64_t>(size_of(tensor.dtype));
    ++info.dtypes[std::string(name_of(tensor.dtype))];
  }
  // Buffers are not parameters, and a tied matrix or bias that is stored twice is one.
  for (const auto& [name, stored] : names.all()) {
    const bool twice =
        name == decoder_weight || (name == decoder_bias && names.contains("cls.predictions.bias"));
    if (twice && info.config.tie_word_embeddings) continue;
    info.parameters += numel(checkpoint.info(stored).shape);
  }
  for (const auto& name : names.unknown()) info.parameters += numel(checkpoint.info(name).shape);
}

/// The head that `classifier.weight` is: the tensors alone do not tell, the architecture does.
HeadInfo classifier_head(const ModelInfo& info, const Shape& shape) {
  const auto& architectures = info.config.architectures;
  const auto says = [&](std::string_view name) {
    return std::any_of(architectures.begin(), architectures.end(),
                       [&](const auto& stated) { return stated.ends_with(name); });
  };
  const auto labels = shape.empty() ? 0 : shape.front();
  if (says("BertForTokenClassification")) {
    return {fmt::format("token classification, {} labels", labels), "BertForTokenClassification",
            "tag"};
  }
  if (says("BertForMultipleChoice")) return {"multiple choice", "BertForMultipleChoice", "choose"};
  return {fmt::format("sequence classification, {} label{}", labels, labels == 1 ? "" : "s"),
          "BertForSequenceClassification", "classify"};
}

void find_heads(const Checkpoint& checkpoint, const ModelNames& names, ModelInfo& info) {
  info.pooler = names.contains("bert.pooler.dense.weight");
  if (names.contains("cls.predictions.transform.dense.weight")) {
    info.heads.push_back({"masked language model", "BertForMaskedLM", "fill-mask"});
  }
  if (names.contains("cls.seq_relationship.weight")) {
    info.heads.push_back({"next sentence", "BertForNextSentencePrediction", "next-sentence"});
  }
  if (const auto* classifier = names.stored("classifier.weight")) {
    info.heads.push_back(classifier_head(info, checkpoint.info(*classifier).shape));
  }
  if (names.contains("qa_outputs.weight")) {
    info.heads.push_back({"question answering", "BertForQuestionAnswering", "answer"});
  }
  if (info.config.model_type != "distilbert") return;
  for (auto& head : info.heads) head.architecture = "Distil" + head.architecture;
}

void require_bert(const Checkpoint& checkpoint, const ModelNames& names, const ModelInfo& info) {
  constexpr std::string_view words = "bert.embeddings.word_embeddings.weight";
  const auto* name = names.stored(words);
  if (name == nullptr) {
    throw ModelError(fmt::format("{} is not a BERT checkpoint: it has no tensor {}",
                                 checkpoint.path().string(), words));
  }
  const Shape expected{info.config.vocab_size, info.config.hidden_size};
  const auto& found = checkpoint.info(*name).shape;
  if (found != expected) {
    throw ModelError(fmt::format("{} is {} in the checkpoint, but config.json says {}", *name,
                                 to_string(found), to_string(expected)));
  }
}

TokenizerInfo tokenizer_info(const std::filesystem::path& directory) {
  TokenizerInfo info;
  for (const char* name : {"tokenizer.json", "vocab.txt"}) {
    if (info.file.empty() && files::exists(directory / name)) info.file = name;
  }
  try {
    const auto tokenizer = Tokenizer::from_pretrained(directory);
    info.vocab_size = tokenizer.vocab_size();
    info.do_lower_case = tokenizer.do_lower_case();
    info.model_max_length = tokenizer.model_max_length().value_or(0);
  } catch (const Error& error) {
    info.problem = error.what();
  }
  return info;
}

/// "mean, normalized, at most 256 tokens".
std::string sentence_pooling(const std::filesystem::path& directory) {
  try {
    const auto settings = sentence_settings(directory);
    if (!settings) return {};
    auto text = std::string(name_of(settings->pooling));
    if (!settings->dense.empty()) text += fmt::format(", {} dense", settings->dense.size());
    if (settings->normalize) text += ", normalized";
    if (settings->max_seq_length) {
      text += fmt::format(", at most {} tokens", *settings->max_seq_length);
    }
    return text;
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

ModelInfo model_info(const std::filesystem::path& directory) {
  ModelInfo info;
  info.directory = directory;
  const auto transformer = transformer_directory(directory);
  info.config = BertConfig::from_pretrained(transformer);
  const auto checkpoint = Checkpoint::open(transformer);
  const ModelNames names(checkpoint);
  require_bert(checkpoint, names, info);
  count_tensors(checkpoint, names, info);
  find_heads(checkpoint, names, info);
  info.tokenizer = tokenizer_info(transformer);
  info.sentence_pooling = sentence_pooling(directory);
  return info;
}

}  // namespace cloze
