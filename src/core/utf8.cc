#include "core/utf8.h"

#include <algorithm>
#include <cstring>

namespace cloze::utf8 {
namespace {

struct Sequence {
  std::size_t size;
  bool valid;
};

// The well-formed sequence at `at`, or the maximal subpart of an ill-formed one (Unicode 3.9,
// table 3-7: only the second byte has a range of its own).
Sequence sequence_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const auto lead = byte(0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const std::size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return {1, false};
  for (std::size_t i = 2; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {i, false};
  }
  return {size, true};
}

}  // namespace

std::size_t valid_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    std::uint64_t word = 0;
    if (at + sizeof word <= text.size()) {
      std::memcpy(&word, text.data() + at, sizeof word);
      if ((word & 0x8080808080808080U) == 0) {
        at += sizeof word;
        continue;
      }
    }
    const auto [size, valid] = sequence_at(text, at);
    if (!valid) return at;
    at += size;
  }
  return at;
}

std::int64_t count_code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), begins_code_point);
}

std::size_t byte_of_code_point(std::string_view text, std::int64_t index) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (begins_code_point(text[i]) && index-- == 0) return i;
  }
  return std::string_view::npos;
}

ValidText::ValidText(std::string_view original) : text_(original) {
  std::size_t at = valid_prefix(original);
  if (at == original.size()) return;
  static constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  storage_.reserve(original.size() + original.size() / 2);
  storage_.append(original.substr(0, at));
  while (at < original.size()) {
    const auto [size, valid] = sequence_at(original, at);
    storage_.append(valid ? original.substr(at, size) : kReplacement);
    at += size;
    if (!valid) {
      const auto end = static_cast<std::int32_t>(storage_.size());
      repairs_.push_back({end, static_cast<std::int32_t>(at) - end});
    }
  }
  text_ = storage_;
}

std::int32_t ValidText::original_byte(std::int32_t byte) const {
  const auto after = std::upper_bound(repairs_.begin(), repairs_.end(), byte,
                                      [](std::int32_t at, const Repair& r) { return at < r.end; });
  return after == repairs_.begin() ? byte : byte + std::prev(after)->shift;
}

}  // namespace cloze::utf8
