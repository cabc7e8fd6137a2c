// Writing safetensors, byte for byte as the reference writer (the Rust crate behind Python's
// `safetensors`) lays them out.
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/atomic_file.h"
#include "core/json.h"
#include "formats/safetensors.h"

namespace cloze {
namespace {

/// The reference orders tensors by falling rank of dtype, which is falling alignment, then name.
int rank_of(DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return 0;
    case DType::u8:
      return 1;
    case DType::i8:
      return 2;
    case DType::i16:
      return 3;
    case DType::f16:
      return 4;
    case DType::bf16:
      return 5;
    case DType::i32:
      return 6;
    case DType::f32:
      return 7;
    case DType::f64:
      return 8;
    case DType::i64:
      return 9;
  }
  throw ArgumentError("not a dtype");
}

/// A JSON string. Throws ArgumentError for bytes that are not UTF-8.
std::string json_string(const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::type_error&) {
    throw ArgumentError(fmt::format("{} is not UTF-8, which safetensors need", in_quotes(text)));
  }
}

using Entry = std::pair<const std::string, Tensor>;

std::string header_of(const std::vector<const Entry*>& ordered,
                      const std::map<std::string, std::string>& metadata) {
  std::string header = "{";
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      if (header.back() != '{') header += ',';
      header += json_string(key) + ":" + json_string(value);
    }
    header += "}";
  }
  std::size_t position = 0;
  for (const auto* entry : ordered) {
    const auto& [name, tensor] = *entry;
    if (name == "__metadata__") {
      throw ArgumentError("a tensor cannot be named __metadata__: safetensors use it otherwise");
    }
    if (header.size() > 1) header += ',';
    std::string shape = "[";
    for (const auto size : tensor.shape()) {
      if (shape.size() > 1) shape += ',';
      shape += std::to_string(size);
    }
    const auto end = position + tensor.bytes().size();
    header +=
        fmt::format(R"({}:{{"dtype":"{}","shape":{}],"data_offsets":[{},{}]}})", json_string(name),
                    safetensors_name(tensor.dtype()), shape, position, end);
    position = end;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

}  // namespace

void save_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                      const std::map<std::string, std::string>& metadata) {
  std::vector<const Entry*> ordered;
  ordered.reserve(tensors.size());
  for (const auto& entry : tensors) ordered.push_back(&entry);  // by name already
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto* a, const auto* b) {
    return rank_of(a->second.dtype()) > rank_of(b->second.dtype());
  });
  const auto header = header_of(ordered, metadata);
  const std::uint64_t length = header.size();

  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  for (const auto* entry : ordered) file.write(entry->second.bytes());
  file.commit();
}

}  // namespace cloze
