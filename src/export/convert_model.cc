#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bert/head_table.h"
#include "bert/stored_model.h"
#include "checkpoint/model_files.h"
#include "checkpoint/model_names.h"
#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "cloze/convert.h"
#include "cloze/error.h"
#include "cloze/hub.h"
#include "cloze/sentence_settings.h"
#include "cloze/tokenizer.h"
#include "core/io/files.h"
#include "core/io/whole_directory.h"
#include "core/json.h"
#include "core/strings.h"
#include "export/heads.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f64;
}

/// The tokenizer's files; false where the source has none.
bool write_tokenizer(const fs::path& source, const BertConfig& config, bool distilbert,
                     const fs::path& directory) {
  const auto has = [&source](const char* name) { return files::exists(source / name); };
  if (!has("tokenizer.json") && !has("vocab.txt") && !has("sentencepiece.bpe.model") &&
      !has("spiece.model")) {
    return false;
  }
  const auto tokenizer = Tokenizer::from_pretrained(source);
  tokenizer.save_pretrained(directory);
  const auto path = directory / "tokenizer_config.json";
  auto settings = parse_json_object(files::read_text(path), path.string());
  if (!tokenizer.model_max_length()) settings["model_max_length"] = config.max_position_embeddings;
  if (distilbert) settings["tokenizer_class"] = "DistilBertTokenizer";
  files::write_text(path, settings.dump(2) + "\n");
  return true;
}

/// sentence-transformers' settings, with the transformer at the top; a Dense module's weights as
/// safetensors.
void write_modules(const fs::path& source, const fs::path& transformer, const fs::path& directory) {
  if (!files::exists(source / "modules.json")) return;
  const auto settings = sentence_settings(source);  // refuses what is none
  auto modules =
      parse_json(files::read_text(source / "modules.json"), (source / "modules.json").string());
  const auto copy = [](const fs::path& from, const fs::path& to) {
    if (!files::exists(from)) return;
    make_directory(to.parent_path());
    files::copy(from, to);
  };
  for (auto& module : modules) {
    const auto path = module.value("path", "");
    if (source / path == transformer ||
        module.at("type").get<std::string>().ends_with(".Transformer")) {
      module["path"] = "";
      continue;
    }
    if (!path.empty()) copy(source / path / "config.json", directory / path / "config.json");
  }
  for (const auto& dense : settings->dense) {
    TensorMap tensors;
    const auto weights = Checkpoint::open(dense);
    for (const auto& name : weights.names()) tensors.emplace(name, weights.tensor(name));
    // By the names alone: links, as the Hub's cache has them, would lead outside of the directory.
    save_checkpoint(directory / dense.lexically_relative(source), tensors);
  }
  copy(transformer / "sentence_bert_config.json", directory / "sentence_bert_config.json");
  copy(source / "config_sentence_transformers.json",
       directory / "config_sentence_transformers.json");
  files::write_text(directory / "modules.json", modules.dump(2) + "\n");
}

/// Throws ArgumentError where the destination is, or lies in, what is converted.
void require_elsewhere(const fs::path& destination, const fs::path& source) {
  std::error_code error;
  const auto from = fs::weakly_canonical(source, error);
  const auto to = fs::weakly_canonical(destination, error);
  const auto differ = std::mismatch(from.begin(), from.end(), to.begin(), to.end());
  if (error || differ.first != from.end()) return;
  throw ArgumentError(fmt::format("{} {} what is converted: name another directory to write to",
                                  excerpt_of_path(destination),
                                  differ.second == to.end() ? "is" : "lies in"));
}

/// Whether a directory's configuration or weights say that a model is in it.
bool holds_model(const fs::path& directory) {
  if (!files::exists(directory / "config.json")) {
    const auto names = saved_model_files(directory);
    return std::any_of(names.begin(), names.end(), is_saved_weights);
  }
  try {
    const auto config = read_json_object(directory / "config.json");
    constexpr std::array kKeys{"model_type", "architectures", "hidden_size", "__version__"};
    return std::any_of(kKeys.begin(), kKeys.end(),
                       [&](const char* key) { return config.contains(key); });
  } catch (const Error&) {
    return false;
  }
}

/// Throws ArgumentError where something is in the directory that is not to be replaced.
void require_free(const fs::path& directory, bool overwrite) {
  if (!files::is_directory(directory)) return;  // where it is a file, making it fails
  auto entries = files::list(directory);
  std::erase_if(entries, WholeDirectory::is_temporary);
  if (entries.empty()) return;
  const auto name = excerpt_of_path(directory);
  for (const auto& entry : entries) {
    const auto file = entry.filename().string();
    if (file == "run.json" || file == ".run-begun" || file.starts_with("checkpoint-")) {
      throw ArgumentError(fmt::format(
          "{} holds a training run ({}), which is not overwritten: give another directory", name,
          excerpt(file)));
    }
  }
  if (!overwrite) {
    throw ArgumentError(
        fmt::format("{} is not empty: overwrite the model in it, or give another directory", name));
  }
  if (!holds_model(directory)) {
    throw ArgumentError(
        fmt::format("{} is not empty and holds no model, and overwriting replaces nothing else: "
                    "give another directory",
                    name));
  }
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
  const auto source = find_model(source_name, progress);
  const auto transformer = transformer_directory(source);
  for (const auto& read : {source, transformer}) require_elsewhere(destination, read);
  require_free(destination, options.overwrite);
  const auto config = BertConfig::from_pretrained(transformer);
  const auto checkpoint = Checkpoint::open(transformer);
  const ModelNames names(checkpoint);
  const bool distilbert = config.model_type == "distilbert";
  const auto& head = class_of(names, config, heads);
  const auto model = stored_model(checkpoint, config, head, options.dtype, progress);
  WholeDirectory whole(destination);
  ConvertedModel converted{.architecture = architecture_of(head, distilbert),
                           .tensors = static_cast<std::int64_t>(model.tensors.size()),
                           .left_out = model.left_out};
  for (const auto& [name, tensor] : model.tensors) {
    converted.bytes += static_cast<std::int64_t>(tensor.bytes().size());
  }
  whole.fill([&](const fs::path& made) {
    save(model, made, options.max_shard_bytes);
    converted.tokenizer = write_tokenizer(transformer, config, distilbert, made);
    write_modules(source, transformer, made);
  });
  require_free(destination, options.overwrite);  // and still is
  std::vector<std::string> earlier;
  if (files::is_directory(destination)) earlier = saved_model_files(destination);
  whole.commit({"config.json"}, earlier);
  return converted;
}

ConvertedModel convert_model(const std::string& source, const fs::path& destination,
                             const ConvertOptions& options, const ProgressCallback& progress) {
  return internal::convert_model(source, destination, options, internal::kHeads, progress);
}

}  // namespace cloze
