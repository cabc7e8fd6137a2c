#include "cloze/model_info.h"

#include <functional>
#include <numeric>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bert/head_table.h"
#include "bert/stored_model.h"
#include "checkpoint/model_names.h"
#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "cloze/hub.h"
#include "cloze/sentence_settings.h"
#include "cloze/tokenizer.h"
#include "core/io/files.h"
#include "core/json.h"
#include "inspect/heads.h"
#include "inspect/model_settings.h"
#include "text/files/tokenizer_class.h"

namespace cloze {
namespace {

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
        name == internal::kDecoderWeight ||
        (name == internal::kDecoderBias && names.contains(internal::kPredictionBias));
    if (twice && info.config.tie_word_embeddings) continue;
    info.parameters += numel(checkpoint.info(stored).shape);
  }
}

void find_heads(const Checkpoint& checkpoint, const ModelNames& names,
                std::span<const internal::HeadKind> heads, ModelInfo& info) {
  info.pooler = names.contains(std::string(internal::kBertPooler) + ".weight");
  for (const auto* head : internal::heads_in(names, info.config, heads)) {
    std::string name(head->about);
    if (head->by_label()) {
      const auto* stored = names.stored(internal::key_tensor(head->layers().front()));
      const auto& shape = checkpoint.info(*stored).shape;
      const auto labels = shape.empty() ? 0 : shape.front();
      name += fmt::format(", {} label{}", labels, labels == 1 ? "" : "s");
    }
    info.heads.push_back({std::move(name),
                          internal::architecture_of(*head, internal::family_of(info.config)),
                          std::string(head->pipeline)});
  }
}

void require_fitting(const Checkpoint& checkpoint, const ModelNames& names, const ModelInfo& info) {
  internal::require_bert(checkpoint, names);
  const auto words = internal::embedding_shapes(info.config).word;
  const auto& name = *names.stored(words.name);
  const auto& found = checkpoint.info(name).shape;
  if (found != words.shape()) {
    throw ModelError(fmt::format("{} is {} in the checkpoint, but config.json says {}", name,
                                 to_string(found), to_string(words.shape())));
  }
}

/// The class that the files name, and which of them decides how text is cut.
void read_tokenizer_class(const std::filesystem::path& directory, TokenizerInfo& info) {
  const auto read = [&](const char* name) {
    const auto path = directory / name;
    return files::exists(path) ? read_json_object(path) : nlohmann::json::object();
  };
  const auto tokenizer = read("tokenizer_config.json"), model = read("config.json");
  for (const auto* config : {&tokenizer, &model}) {
    const auto stated = config->find("tokenizer_class");
    if (!info.tokenizer_class.empty() || stated == config->end() || !stated->is_string()) continue;
    info.tokenizer_class = stated->get<std::string>();
  }
  const auto cls = text::tokenizer_class_of(tokenizer, model, directory.string());
  if (cls == text::TokenizerClass::file || cls == text::TokenizerClass::xlm_roberta) {
    info.switches_file = "tokenizer.json";
  } else if (files::exists(directory / "tokenizer_config.json")) {
    info.switches_file = "tokenizer_config.json";
  }
}

TokenizerInfo tokenizer_info(const std::filesystem::path& directory) {
  TokenizerInfo info;
  for (const char* name :
       {"tokenizer.json", "vocab.txt", "sentencepiece.bpe.model", "spiece.model"}) {
    if (info.file.empty() && files::exists(directory / name)) info.file = name;
  }
  try {
    const auto tokenizer = Tokenizer::from_pretrained(directory);
    info.vocab_size = tokenizer.vocab_size();
    info.do_lower_case = tokenizer.do_lower_case();
    info.model_max_length = tokenizer.model_max_length().value_or(0);
    read_tokenizer_class(directory, info);
    info.japanese = tokenizer.japanese();
    if (info.japanese) info.file = "vocab.txt";  // transformers does not look at tokenizer.json
  } catch (const Error& error) {
    info.problem = error.what();
  }
  return info;
}

}  // namespace

ModelInfo model_info(const std::string& directory_or_name, const ProgressCallback& progress) {
  return internal::model_info(directory_or_name, internal::kHeads, progress);
}

ModelInfo internal::model_info(const std::string& directory_or_name,
                               std::span<const HeadKind> heads, const ProgressCallback& progress) {
  ModelInfo info;
  info.directory = find_model(directory_or_name, progress);
  const auto transformer = transformer_directory(info.directory);
  info.config = BertConfig::from_pretrained(transformer);
  const auto checkpoint = Checkpoint::open(transformer);
  const ModelNames names(checkpoint);
  require_fitting(checkpoint, names, info);
  count_tensors(checkpoint, names, info);
  find_heads(checkpoint, names, heads, info);
  info.tokenizer = tokenizer_info(transformer);
  describe_settings(transformer, info);
  return info;
}

}  // namespace cloze
