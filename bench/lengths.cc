#include "bench/lengths.h"

#include <charconv>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze {
namespace {

std::optional<std::int64_t> whole_number(const std::string& text) {
  std::int64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || parsed != end || value < 1) return std::nullopt;
  return value;
}

}  // namespace

std::vector<std::int64_t> read_lengths(TextReader& reader) {
  std::vector<std::int64_t> lengths;
  while (const auto item = reader.next()) {
    const auto length = whole_number(item->text);
    if (!length && lengths.empty()) return {};
    if (!length) {
      throw FormatError(fmt::format("{} is not a length, a whole number of 1 or more",
                                    reader.place(item->number)));
    }
    lengths.push_back(*length);
  }
  return lengths;
}

}  // namespace cloze
