#include "checkpoint/model_files.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <system_error>

#include "cloze/checkpoint.h"
#include "core/io/files.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 12> kModelFiles{
    "config.json",       "bert_config.json",        "vocab.txt",
    "tokenizer.json",    "tokenizer_config.json",   "special_tokens_map.json",
    "added_tokens.json", "sentencepiece.bpe.model", "spiece.model",
    "modules.json",      "pytorch_model.bin",       "config_sentence_transformers.json"};

bool is_model_file(const std::string& name) {
  if (is_saved_weights(name)) return true;
  if (std::find(kModelFiles.begin(), kModelFiles.end(), name) != kModelFiles.end()) return true;
  if (name.starts_with("sentence_") && name.ends_with("_config.json")) return true;
  const auto begins = [&](std::string_view text) { return name.starts_with(text); };
  return begins("pytorch_model") || name == "checkpoint" || name.find(".ckpt") != std::string::npos;
}

/// Adds what a directory has of a model. One that may not be listed has nothing to add.
void add_model_files(const fs::path& directory, bool below, std::vector<fs::path>& found) {
  std::error_code none;
  for (fs::directory_iterator item(directory, none), end; !none && item != end;
       item.increment(none)) {
    const auto& entry = item->path();
    if (is_model_file(entry.filename().string()) && files::is_regular(entry)) {
      found.push_back(entry);
    }
    if (below) add_model_files(entry, false, found);
  }
}

}  // namespace

bool is_weight_shard(std::string_view name) {
  std::string pattern(name);
  std::replace_if(
      pattern.begin(), pattern.end(), [](char c) { return c >= '0' && c <= '9'; }, '#');
  return pattern == "model-#####-of-#####.safetensors";
}

bool is_saved_weights(std::string_view name) {
  return name == "model.safetensors" || name == "model.safetensors.index.json" ||
         is_weight_shard(name);
}

std::vector<std::string> saved_model_files(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : files::list(directory)) {
    const auto name = entry.filename().string();
    const bool foreign = name.starts_with("pytorch_model") || name == "checkpoint" ||
                         name == "bert_config.json" || name.find(".ckpt") != std::string::npos;
    if (is_model_file(name) && !foreign) names.push_back(name);
  }
  return names;
}

std::vector<fs::path> model_files(const fs::path& directory) {
  std::vector<fs::path> found;
  add_model_files(directory, true, found);
  return found;
}

}  // namespace cloze
