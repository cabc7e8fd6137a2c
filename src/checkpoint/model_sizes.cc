#include "cloze/model_sizes.h"

#include <array>
#include <cstdint>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/strings.h"

namespace cloze {
namespace {

struct Size {
  std::string_view name;
  std::int64_t layers, hidden;
};

// The head is 64 wide and the feed-forward layer four times the hidden size in all of them.
constexpr std::array<Size, 6> sizes{{{"tiny", 2, 128},
                                     {"mini", 4, 256},
                                     {"small", 4, 512},
                                     {"medium", 8, 512},
                                     {"base", 12, 768},
                                     {"large", 24, 1024}}};

}  // namespace

BertConfig named_config(std::string_view name) {
  for (const auto& size : sizes) {
    if (size.name != name) continue;
    BertConfig config;
    config.num_hidden_layers = size.layers;
    config.hidden_size = size.hidden;
    config.num_attention_heads = size.hidden / 64;
    config.intermediate_size = 4 * size.hidden;
    return config;
  }
  throw ArgumentError(fmt::format("there is no size {}: it is {}", in_quotes(name), known_sizes()));
}

std::string known_sizes() {
  std::string names;
  for (const auto& size : sizes) {
    if (!names.empty()) names += ", ";
    names += size.name;
  }
  return names;
}

}  // namespace cloze
