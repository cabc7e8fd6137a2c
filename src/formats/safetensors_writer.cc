// Writing safetensors, byte for byte as the reference writer (the Rust crate behind Python's
// `safetensors`) lays them out.
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/io/atomic_file.h"
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

}  // namespace

std::string safetensors_header(const SafetensorsHeader& header, std::size_t size) {
  std::string json = "{";
  if (!header.metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : header.metadata) {
      if (json.back() != '{') json += ',';
      json += json_string(key) + ":" + json_string(value);
    }
    json += "}";
  }
  for (const auto& entry : header.tensors) {
    if (entry.name == "__metadata__") {
      throw ArgumentError("a tensor cannot be named __metadata__: safetensors use it otherwise");
    }
    if (json.size() > 1) json += ',';
    json += fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                        json_string(entry.name), safetensors_name(entry.dtype),
                        fmt::join(entry.shape, ","), entry.begin, entry.end);
  }
  json += "}";
  std::uint64_t length = (json.size() + 7) / 8 * 8;
  if (size > 0) {
    if (length + sizeof length > size) {
      throw ArgumentError(fmt::format("a safetensors header of {} bytes does not fit {}",
                                      json.size() + sizeof length, size));
    }
    length = size - sizeof length;
  }
  json.resize(length, ' ');
  std::string bytes;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    bytes += static_cast<char>((length >> shift) & 0xFFU);
  }
  return bytes + json;
}

void save_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                      const std::map<std::string, std::string>& metadata) {
  using Entry = TensorMap::value_type;
  std::vector<const Entry*> ordered;
  ordered.reserve(tensors.size());
  for (const auto& entry : tensors) ordered.push_back(&entry);  // by name already
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto* a, const auto* b) {
    return rank_of(a->second.dtype()) > rank_of(b->second.dtype());
  });
  SafetensorsHeader header{.tensors = {}, .metadata = metadata};
  std::uint64_t position = 0;
  for (const auto* entry : ordered) {
    const auto& [name, tensor] = *entry;
    const auto end = position + tensor.bytes().size();
    header.tensors.push_back({name, tensor.dtype(), tensor.shape(), position, end});
    position = end;
  }

  AtomicFile file(path);
  file.write(safetensors_header(header));
  for (const auto* entry : ordered) file.write(entry->second.bytes());
  file.commit();
}

}  // namespace cloze
