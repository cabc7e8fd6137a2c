#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bert/head_table.h"
#include "bert/stored_model.h"
#include "checkpoint/model_names.h"
#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "cloze/convert.h"
#include "cloze/error.h"
#include "cloze/hub.h"
#include "cloze/sentence_settings.h"
#include "cloze/tokenizer.h"
#include "core/io/files.h"
#include "core/json.h"
#include "core/strings.h"
#include "export/convert_gguf.h"
#include "export/destination.h"
#include "export/heads.h"
#include "sentence/model_settings.h"
#include "sentence/ranking_settings.h"
#include "sentence/search/search_settings.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using internal::Family;
using internal::StoredModel;

bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f64;
}

/// The tokenizer class that transformers has for a family, and BERT's code behind all of them.
std::string_view tokenizer_class_of(const StoredModel& model) {
  switch (internal::family_of(model.config)) {
    case Family::bert:
      break;
    case Family::distilbert:
      return "DistilBertTokenizer";
    case Family::electra:
      return "ElectraTokenizer";
    case Family::dpr:
      return model.config.architectures.front() == "DPRContextEncoder"
                 ? "DPRContextEncoderTokenizer"
                 : "DPRQuestionEncoderTokenizer";
  }
  return "BertTokenizer";
}

/// The tokenizer's files; false where the source has none.
bool write_tokenizer(const fs::path& source, const StoredModel& model, const fs::path& directory) {
  const auto has = [&source](const char* name) { return files::exists(source / name); };
  if (!has("tokenizer.json") && !has("vocab.txt") && !has("sentencepiece.bpe.model") &&
      !has("spiece.model")) {
    return false;
  }
  const auto tokenizer = Tokenizer::from_pretrained(source);
  tokenizer.save_pretrained(directory);
  const auto path = directory / "tokenizer_config.json";
  auto settings = parse_json_object(files::read_text(path), path.string());
  if (!tokenizer.model_max_length()) {
    settings["model_max_length"] = model.config.max_position_embeddings;
  }
  // PreTrainedTokenizerFast stays: it takes more from tokenizer.json than the families' classes do.
  if (settings["tokenizer_class"] == "BertTokenizer") {
    settings["tokenizer_class"] = tokenizer_class_of(model);
  }
  files::write_text(path, settings.dump(2) + "\n");
  return true;
}

/// What a directory with modules.json says of its layers and its file of settings; of a CrossEncoder,
/// which has no more than a transformer, the file alone.
SentenceSettings modules_settings(const fs::path& source) {
  switch (vector_kind(source)) {
    case VectorKind::sparse:
      return {.transformer_file = sparse_settings(source).transformer_file};
    case VectorKind::multi_vector: {
      auto settings = multi_vector_settings(source);
      return {.steps = std::move(settings.steps),
              .transformer_file = std::move(settings.transformer_file)};
    }
    case VectorKind::sentence:
    case VectorKind::tokens:
      break;
  }
  std::vector<std::string> warnings;
  if (read_model_settings(source, warnings).model_type != "CrossEncoder") {
    return sentence_settings(source).value();
  }
  SentenceSettings settings;
  settings.transformer_file =
      ranking_settings(source, BertConfig::from_pretrained(transformer_directory(source)))
          .transformer_file;
  return settings;
}

/// sentence-transformers' settings, with the transformer at the top; a Dense module's weights as
/// safetensors.
void write_modules(const fs::path& source, const fs::path& transformer, const fs::path& directory) {
  const auto copy = [](const fs::path& from, const fs::path& to) {
    if (!files::exists(from)) return;
    make_directory(to.parent_path());
    files::copy(from, to);
  };
  copy(source / kModelSettingsFile, directory / kModelSettingsFile);
  copy(source / "artifact.metadata", directory / "artifact.metadata");  // Stanford's ColBERT
  if (!files::exists(source / "modules.json")) return;
  const auto settings = modules_settings(source);  // refuses what is none
  auto modules =
      parse_json(files::read_text(source / "modules.json"), (source / "modules.json").string());
  for (auto& module : modules) {
    const auto path = module.value("path", "");
    if (source / path == transformer ||
        module.at("type").get<std::string>().ends_with("Transformer")) {
      module["path"] = "";
      continue;
    }
    if (!path.empty()) copy(source / path / "config.json", directory / path / "config.json");
  }
  for (const auto& step : settings.steps) {
    if (step.kind != SentenceStep::Kind::dense) continue;
    TensorMap tensors;
    const auto weights = Checkpoint::open(step.directory);
    for (const auto& name : weights.names()) tensors.emplace(name, weights.tensor(name));
    // By the names alone: links, as the Hub's cache has them, would lead outside of the directory.
    save_checkpoint(directory / step.directory.lexically_relative(source), tensors);
  }
  if (const auto& file = settings.transformer_file; !file.empty()) {
    copy(transformer / file, directory / file);
  }
  files::write_text(directory / "modules.json", modules.dump(2) + "\n");
}

}  // namespace

ConvertedModel internal::convert_model(const std::string& source_name, const fs::path& destination,
                                       const ConvertOptions& options,
                                       std::span<const HeadKind> heads,
                                       const ProgressCallback& progress) {
  if (options.dtype && !is_float(*options.dtype)) {
    throw ArgumentError(
        fmt::format("weights cannot be stored as {}: f32, f16 or bf16", name_of(*options.dtype)));
  }
  if (is_gguf_file(source_name)) return convert_gguf(source_name, destination, options, progress);
  const auto source = find_model(source_name, progress);
  const auto transformer = transformer_directory(source);
  for (const auto& read : {source, transformer}) require_elsewhere(destination, read);
  require_free(destination, options.overwrite);
  const auto config = BertConfig::from_pretrained(transformer);
  const auto checkpoint = Checkpoint::open(transformer);
  const ModelNames names(checkpoint);
  const auto& head = class_of(names, config, heads);
  const auto model = stored_model(checkpoint, config, head, options.dtype, progress);
  ConvertedModel converted{.architecture = model.config.architectures.front(),
                           .tensors = static_cast<std::int64_t>(model.tensors.size()),
                           .left_out = model.left_out};
  for (const auto& [name, tensor] : model.tensors) {
    converted.bytes += static_cast<std::int64_t>(tensor.bytes().size());
  }
  write_whole(destination, options.overwrite, [&](const fs::path& made) {
    save(model, made, options.max_shard_bytes);
    converted.tokenizer = write_tokenizer(transformer, model, made);
    write_modules(source, transformer, made);
  });
  return converted;
}

ConvertedModel convert_model(const std::string& source, const fs::path& destination,
                             const ConvertOptions& options, const ProgressCallback& progress) {
  return internal::convert_model(source, destination, options, internal::kHeads, progress);
}

}  // namespace cloze
