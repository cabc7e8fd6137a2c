#include "tasks/model_info.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "cloze/tokenizer.h"
#include "tasks/sentence_settings.h"

namespace cloze {
namespace {

constexpr std::string_view decoder_weight = "cls.predictions.decoder.weight";
constexpr std::string_view decoder_bias = "cls.predictions.decoder.bias";

/// The tensor's name as BertModel has it, or with its first dots prefix: "bert." or nothing.
std::string model_name(const Checkpoint& checkpoint, std::string_view name) {
  auto prefixed = "bert." + std::string(name);
  return checkpoint.contains(prefixed) ? prefixed : std::string(name);
}

std::int64_t numel(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

void count_tensors(const Checkpoint& checkpoint, ModelInfo& info) {
  for (const auto& name : checkpoint.names()) {
    const auto& tensor = checkpoint.info(name);
    const auto count = numel(tensor.shape);
    info.bytes += count * static_cast<std::int64_t>(size_of(tensor.dtype));
    ++info.dtypes[std::string(name_of(tensor.dtype))];
    // Buffers are not parameters, and a tied matrix or bias that is stored twice is one.
    if (name.ends_with("position_ids") || name.ends_with("embeddings.token_type_ids")) continue;
    const bool decoder = name == decoder_weight || name == decoder_bias;
    if (decoder && info.config.tie_word_embeddings) continue;
    info.parameters += count;
  }
}

/// The head that `classifier.weight` is: the tensors alone do not tell, the architecture does.
HeadInfo classifier_head(const ModelInfo& info, const Shape& shape) {
  const auto& architectures = info.config.architectures;
  const auto says = [&](std::string_view name) {
    return std::find(architectures.begin(), architectures.end(), name) != architectures.end();
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

void find_heads(const Checkpoint& checkpoint, ModelInfo& info) {
  info.pooler = checkpoint.contains(model_name(checkpoint, "pooler.dense.weight"));
  if (checkpoint.contains("cls.predictions.transform.dense.weight")) {
    info.heads.push_back({"masked language model", "BertForMaskedLM", "fill-mask"});
  }
  if (checkpoint.contains("cls.seq_relationship.weight")) {
    info.heads.push_back({"next sentence", "BertForNextSentencePrediction", "next-sentence"});
  }
  if (checkpoint.contains("classifier.weight")) {
    info.heads.push_back(classifier_head(info, checkpoint.info("classifier.weight").shape));
  }
  if (checkpoint.contains("qa_outputs.weight")) {
    info.heads.push_back({"question answering", "BertForQuestionAnswering", "answer"});
  }
}

void require_bert(const Checkpoint& checkpoint, const ModelInfo& info) {
  const auto name = model_name(checkpoint, "embeddings.word_embeddings.weight");
  if (!checkpoint.contains(name)) {
    throw ModelError(fmt::format("{} is not a BERT checkpoint: it has no tensor {}",
                                 checkpoint.path().string(), name));
  }
  const Shape expected{info.config.vocab_size, info.config.hidden_size};
  const auto& found = checkpoint.info(name).shape;
  if (found != expected) {
    throw ModelError(fmt::format("{} is {} in the checkpoint, but config.json says {}", name,
                                 to_string(found), to_string(expected)));
  }
}

TokenizerInfo tokenizer_info(const std::filesystem::path& directory) {
  TokenizerInfo info;
  std::error_code ignored;
  for (const char* name : {"tokenizer.json", "vocab.txt"}) {
    if (info.file.empty() && std::filesystem::exists(directory / name, ignored)) info.file = name;
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
  info.config = BertConfig::from_pretrained(directory);
  const auto checkpoint = Checkpoint::open(directory);
  require_bert(checkpoint, info);
  count_tensors(checkpoint, info);
  find_heads(checkpoint, info);
  info.tokenizer = tokenizer_info(directory);
  info.sentence_pooling = sentence_pooling(directory);
  return info;
}

std::string name_of(Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return "gelu";
    case Activation::gelu_tanh:
      return "gelu_new";
    case Activation::relu:
      return "relu";
    case Activation::silu:
      return "silu";
  }
  throw ArgumentError("not an activation");
}

}  // namespace cloze
