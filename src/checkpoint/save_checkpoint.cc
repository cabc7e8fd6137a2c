#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/io/files.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

/// Divides the tensors in the order of their names, as transformers does in the order of its
/// dictionary: a shard is full when the next tensor would pass the limit, and a tensor over the
/// limit gets a shard of its own (before the one that is being filled).
std::vector<TensorMap> divide(const TensorMap& tensors, std::int64_t max_shard_bytes) {
  std::vector<TensorMap> shards;
  TensorMap current;
  std::int64_t current_bytes = 0;
  for (const auto& [name, tensor] : tensors) {
    const auto size = static_cast<std::int64_t>(tensor.bytes().size());
    if (size > max_shard_bytes) {
      shards.push_back({{name, tensor}});
      continue;
    }
    if (current_bytes + size > max_shard_bytes) {
      shards.push_back(std::exchange(current, {}));
      current_bytes = 0;
    }
    current.emplace(name, tensor);
    current_bytes += size;
  }
  if (!current.empty() || shards.empty()) shards.push_back(std::move(current));
  return shards;
}

/// Whether a file is a shard by its name: model-00001-of-00002.safetensors.
bool is_shard(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }, '#');
  return name == "model-#####-of-#####.safetensors";
}

/// Removes an earlier save's shards that are not among `kept`.
void remove_shards(const fs::path& directory, const std::set<std::string>& kept) {
  for (const auto& path : files::list(directory)) {
    const auto name = path.filename().string();
    if (is_shard(name) && !kept.contains(name)) files::remove(path);
  }
}

}  // namespace

void save_checkpoint(const fs::path& directory, const TensorMap& tensors,
                     std::int64_t max_shard_bytes) {
  if (max_shard_bytes <= 0) {
    throw ArgumentError(fmt::format(
        "a shard of at most {} bytes holds nothing; give a positive size", max_shard_bytes));
  }
  make_directory(directory);
  const auto single = directory / "model.safetensors";
  const auto index_path = directory / "model.safetensors.index.json";
  const auto shards = divide(tensors, max_shard_bytes);
  if (shards.size() == 1) {
    save_safetensors(single, shards[0]);  // from here on readers take this file
    files::remove(index_path);
    remove_shards(directory, {});
    return;
  }

  // Without its index an earlier save cannot be read, so nobody mixes its shards with the new ones.
  files::remove(index_path);
  std::set<std::string> names;
  std::int64_t total_size = 0, total_parameters = 0;
  auto weight_map = nlohmann::json::object();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const auto file = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    save_safetensors(directory / file, shards[i]);
    names.insert(file);
    for (const auto& [name, tensor] : shards[i]) {
      weight_map[name] = file;
      total_size += static_cast<std::int64_t>(tensor.bytes().size());
      total_parameters += tensor.numel();
    }
  }
  const nlohmann::json index = {
      {"metadata", {{"total_parameters", total_parameters}, {"total_size", total_size}}},
      {"weight_map", weight_map}};
  files::write_text(index_path, index.dump(2, ' ', true) + "\n");
  files::remove(single);  // readers would prefer it to the index
  remove_shards(directory, names);
}

}  // namespace cloze
