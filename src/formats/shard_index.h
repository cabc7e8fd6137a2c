/// \file
/// `model.safetensors.index.json`: which shard of a large checkpoint holds which tensor.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace cloze {

/// The index's `weight_map`: tensor name → file name beside the index. Throws FormatError, also for
/// a file name that is a path: a shard lies beside its index.
[[nodiscard]] std::map<std::string, std::string, std::less<>> read_shard_index(
    std::string_view json, const std::string& origin);

}  // namespace cloze
