#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "checkpoint/model_files.h"
#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/io/files.h"
#include "core/io/whole_directory.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSingle = "model.safetensors", kIndex = "model.safetensors.index.json";

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

/// The weights that an earlier save left in a directory, but for the file `kept`.
std::vector<std::string> earlier_weights(const fs::path& directory, std::string_view kept = "") {
  std::vector<std::string> names;
  for (const auto& path : files::list(directory)) {
    auto name = path.filename().string();
    if (is_saved_weights(name) && name != kept) names.push_back(std::move(name));
  }
  return names;
}

/// The shards and their index.
void save_shards(const fs::path& directory, const std::vector<TensorMap>& shards) {
  std::int64_t total_size = 0, total_parameters = 0;
  auto weight_map = nlohmann::json::object();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const auto file = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    save_safetensors(directory / file, shards[i]);
    for (const auto& [name, tensor] : shards[i]) {
      weight_map[name] = file;
      total_size += static_cast<std::int64_t>(tensor.bytes().size());
      total_parameters += tensor.numel();
    }
  }
  const nlohmann::json index = {
      {"metadata", {{"total_parameters", total_parameters}, {"total_size", total_size}}},
      {"weight_map", weight_map}};
  files::write_text(directory / kIndex, index.dump(2, ' ', true) + "\n");
}

}  // namespace

void save_checkpoint(const fs::path& directory, const TensorMap& tensors,
                     std::int64_t max_shard_bytes) {
  if (max_shard_bytes <= 0) {
    throw ArgumentError(fmt::format(
        "a shard of at most {} bytes holds nothing; give a positive size", max_shard_bytes));
  }
  make_directory(directory);
  const auto shards = divide(tensors, max_shard_bytes);
  if (shards.size() == 1) {
    save_safetensors(directory / kSingle, shards[0]);  // from here on readers take this file
    for (const auto& name : earlier_weights(directory, kSingle)) files::remove(directory / name);
    return;
  }
  WholeDirectory whole(directory);
  whole.fill([&](const fs::path& made) { save_shards(made, shards); });
  whole.commit({std::string(kIndex)}, earlier_weights(directory));
}

}  // namespace cloze
