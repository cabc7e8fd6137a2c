#include "bench/lengths.h"

#include <string>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/numbers.h"

namespace cloze {
std::vector<std::int64_t> read_lengths(TextReader& reader) {
  std::vector<std::int64_t> lengths;
  while (const auto item = reader.next()) {
    const auto length = whole_number(item->text);
    const bool valid = length && *length >= 1;
    if (!valid && lengths.empty()) return {};
    if (!valid) {
      throw FormatError(fmt::format("{} is not a length, a whole number of 1 or more",
                                    reader.place(item->number)));
    }
    lengths.push_back(*length);
  }
  return lengths;
}

}  // namespace cloze
