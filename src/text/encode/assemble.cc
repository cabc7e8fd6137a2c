#include "text/encode/assemble.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/utf8.h"
#include "text/normalize/unicode_tables.h"

namespace cloze::text {
namespace {

struct Window {
  std::size_t begin, end;
};

// The windows of a sequence of `size` pieces that is cut to `kept` at `side`; the first is the one
// that stays.
std::vector<Window> windows(std::size_t size, std::size_t kept, std::size_t stride, Side side) {
  if (kept >= size) return {{0, size}};
  if (kept == 0) return {{0, 0}, {0, size}};
  if (stride >= kept) {
    throw ArgumentError(fmt::format(
        "stride {} must be less than the {} tokens that a window has room for; lower it or raise "
        "max_length",
        stride, kept));
  }
  std::vector<Window> result;
  if (side == Side::left) {
    for (std::size_t end = size;; end -= kept - stride) {
      result.push_back({end - std::min(kept, end), end});
      if (result.back().begin == 0) return result;
    }
  }
  for (std::size_t begin = 0;; begin += kept - stride) {
    result.push_back({begin, std::min(begin + kept, size)});
    if (result.back().end == size) return result;
  }
}

// Which window of each of the two sequences an Encoding shows.
using Combination = std::array<std::size_t, 2>;

// An Encoding to be: which windows it shows, and its overflowing Encodings.
struct Plan {
  Combination shown{};
  std::vector<Plan> overflowing;
};

// Lengthens `plan` by sequence `s` cut into `windows`: tokenizers' Encoding::merge_with, nesting
// included (an overflowing Encoding of a pair has overflowing ones of its own).
void merge(Plan& plan, std::size_t s, std::size_t windows) {
  const auto show = [s](Plan& part, std::size_t window) { part.shown[s] = window; };
  std::vector<Plan> overflowing;
  for (const Plan& before : plan.overflowing) {
    overflowing.push_back(before);
    merge(overflowing.back(), s, windows);
    for (std::size_t w = 1; w < windows; ++w) {
      overflowing.push_back(before);
      merge(overflowing.back(), s, 1);
      show(overflowing.back(), w);
      for (Plan& nested : overflowing.back().overflowing) show(nested, w);
    }
  }
  for (std::size_t w = 1; w < windows; ++w) {
    overflowing.push_back(plan);
    merge(overflowing.back(), s, 1);
    show(overflowing.back(), w);
    for (Plan& nested : overflowing.back().overflowing) show(nested, w);
  }
  plan.overflowing = std::move(overflowing);
}

// Byte-level tokenizers show a space so.
constexpr char32_t kVisibleSpace = 0x120;

bool is_trimmed(char32_t cp) {
  return cp == kVisibleSpace || (unicode_table_hf()[cp].flags & kWhite) != 0;
}

class Assembler {
 public:
  Assembler(const Vocabulary& vocabulary, const Templates& templates, const EncodeOptions& options,
            std::array<const Pieces*, 2> sequences, std::array<std::vector<Window>, 2> windows)
      : vocabulary_(vocabulary),
        pieces_(sequences[1] != nullptr ? templates.pair : templates.single),
        overflow_has_types_(templates.overflow_has_types),
        trim_offsets_(templates.trim_offsets),
        unit_(options.offsets),
        add_special_(options.add_special_tokens),
        sequences_(sequences),
        windows_(std::move(windows)) {}

  [[nodiscard]] Encoding operator()(const Plan& plan) const {
    const Combination& shown = plan.shown;
    Encoding out;
    std::size_t size = 0;
    for (const auto& piece : pieces_) {
      size += piece.sequence < 0 ? piece.ids.size() : length(window(piece, shown));
    }
    out.ids.reserve(size), out.type_ids.reserve(size), out.tokens.reserve(size);
    out.offsets.reserve(size), out.special_tokens_mask.reserve(size), out.word_ids.reserve(size);
    out.sequence_ids.reserve(size);
    for (const auto& piece : pieces_) {
      if (piece.sequence < 0) {
        if (add_special_) special(piece, out);
      } else {
        sequence(piece, shown, out);
      }
    }
    out.attention_mask.assign(out.ids.size(), 1);
    for (const Plan& window : plan.overflowing) out.overflowing.push_back((*this)(window));
    return out;
  }

 private:
  static std::size_t length(const Window& window) { return window.end - window.begin; }

  [[nodiscard]] const Window& window(const TemplatePiece& piece, const Combination& shown) const {
    const auto s = static_cast<std::size_t>(piece.sequence);
    return windows_[s][shown[s]];
  }

  static void special(const TemplatePiece& piece, Encoding& out) {
    for (std::size_t i = 0; i < piece.ids.size(); ++i) {
      out.ids.push_back(piece.ids[i]);
      out.type_ids.push_back(piece.type_id);
      out.tokens.push_back(piece.tokens[i]);
      out.offsets.push_back({0, 0});
      out.special_tokens_mask.push_back(1);
      out.word_ids.push_back(-1);
      out.sequence_ids.push_back(-1);
    }
  }

  void sequence(const TemplatePiece& piece, const Combination& shown, Encoding& out) const {
    const auto s = static_cast<std::size_t>(piece.sequence);
    const Pieces& from = *sequences_[s];
    const auto [begin, end] = window(piece, shown);
    const auto n = end - begin;
    // Named again in the capture: clang 14 does not capture a structured binding by itself.
    const auto copy = [&, begin = begin](const auto& source, auto& target) {
      const auto at = source.begin() + static_cast<std::ptrdiff_t>(begin);
      target.insert(target.end(), at, at + static_cast<std::ptrdiff_t>(n));
    };
    copy(from.ids, out.ids);
    copy(from.offsets, out.offsets);
    if (trim_offsets_) {
      trim_offsets(vocabulary_, *trim_offsets_, unit_, std::span(from.ids).subspan(begin, n),
                   from.texts, begin, std::span(out.offsets).last(n));
    }
    copy(from.words, out.word_ids);
    const bool of_template = shown[s] == 0 || overflow_has_types_;
    out.type_ids.insert(out.type_ids.end(), n, of_template ? piece.type_id : piece.sequence);
    out.special_tokens_mask.insert(out.special_tokens_mask.end(), n, 0);
    out.sequence_ids.insert(out.sequence_ids.end(), n, piece.sequence);
    auto text = std::lower_bound(from.texts.begin(), from.texts.end(), begin,
                                 [](const auto& t, std::size_t index) { return t.first < index; });
    for (auto i = begin; i < end; ++i) {
      if (text != from.texts.end() && text->first == i) {
        out.tokens.push_back((text++)->second);
      } else {
        out.tokens.emplace_back(vocabulary_.token(from.ids[i]));
      }
    }
  }

  const Vocabulary& vocabulary_;
  const Template& pieces_;
  bool overflow_has_types_;
  std::optional<bool> trim_offsets_;
  OffsetUnit unit_;
  bool add_special_;
  std::array<const Pieces*, 2> sequences_;
  std::array<std::vector<Window>, 2> windows_;
};

}  // namespace

void trim_offsets(const Vocabulary& vocabulary, bool add_prefix_space, OffsetUnit unit,
                  std::span<const std::int32_t> ids, const PieceTexts& texts, std::size_t first,
                  std::span<Span> offsets) {
  auto text = std::lower_bound(texts.begin(), texts.end(), first,
                               [](const auto& t, std::size_t index) { return t.first < index; });
  const auto size = [unit](const char* from, const char* to) {
    return unit == OffsetUnit::bytes ? static_cast<std::int32_t>(to - from) : 1;
  };
  for (std::size_t i = 0; i < ids.size(); ++i) {
    std::string_view token = vocabulary.token(ids[i]);
    if (text != texts.end() && text->first == first + i) token = (text++)->second;
    auto& [begin, end] = offsets[i];
    std::int32_t leading = 0, trailing = 0;
    int leading_characters = 0;
    for (const char *p = token.data(), *const last = p + token.size(); p < last;) {
      const char* const from = p;
      if (!is_trimmed(utf8::decode(p))) break;
      leading += size(from, p);
      ++leading_characters;
    }
    for (const char* p = token.data() + token.size(); p > token.data();) {
      const char* const to = p;
      if (!is_trimmed(utf8::decode_before(p))) break;
      trailing += size(p, to);
    }
    // A single one before the first may be what the tokenizer has put there.
    if (leading_characters == 1 && add_prefix_space && (i == 0 || begin == 0)) leading = 0;
    begin = std::min(begin + leading, end);
    if (trailing > 0 && end >= trailing) end = std::max(end - trailing, begin);
  }
}

std::int32_t special_tokens(const Template& pieces) {
  std::size_t count = 0;
  for (const auto& piece : pieces) count += piece.ids.size();
  return static_cast<std::int32_t>(count);
}

KeptLengths truncate(const EncodeOptions& options, std::size_t first, std::size_t second, bool pair,
                     std::int32_t added, bool odd_to_first) {
  if (options.truncation == Truncation::none) return {first, second};
  if (options.max_length < added || options.stride < 0) {
    throw ArgumentError(
        fmt::format("max_length {} with stride {} leaves no room: the template alone has {} tokens",
                    options.max_length, options.stride, added));
  }
  const auto room = static_cast<std::size_t>(options.max_length - added);
  if (first + second <= room) return {first, second};
  if (room == 0) return {0, 0};
  const auto excess = first + second - room;
  switch (options.truncation) {
    case Truncation::longest_first: {
      if (!pair) return {room, 0};
      // The shorter keeps what it has while the longer alone can give way; else they share.
      auto shorter = std::min(first, second);
      auto longer = shorter > room ? shorter : std::max(shorter, room - shorter);
      if (shorter + longer > room) {
        shorter = room / 2;
        longer = shorter + room % 2;
        if (odd_to_first) return {longer, shorter};
      }
      return first > second ? KeptLengths{longer, shorter} : KeptLengths{shorter, longer};
    }
    case Truncation::only_first:
      if (first > excess) return {first - excess, second};
      break;
    default:
      if (!pair) {
        throw ArgumentError("truncation only_second needs a pair; there is one text only");
      }
      if (second > excess) return {first, second - excess};
  }
  throw ArgumentError(fmt::format(
      "the text to truncate has too few tokens to come down to max_length {}: {} must go; truncate "
      "the other text or both (longest_first)",
      options.max_length, excess));
}

Encoding assemble(const Vocabulary& vocabulary, const Templates& templates,
                  const EncodeOptions& options, const Pieces& first, const Pieces* second) {
  const bool pair = second != nullptr;
  const Template& pieces = pair ? templates.pair : templates.single;
  const auto added = options.add_special_tokens ? special_tokens(pieces) : 0;
  const auto second_size = pair ? second->ids.size() : 0;
  const auto kept =
      truncate(options, first.ids.size(), second_size, pair, added, templates.odd_to_first);
  const auto stride = static_cast<std::size_t>(std::max(options.stride, 0));
  const auto side = options.truncation_side;
  const auto windows_of = [&](std::size_t size, std::size_t kept_size) -> std::vector<Window> {
    if (options.overflowing) return windows(size, kept_size, stride, side);
    const auto length = std::min(kept_size, size);
    const auto begin = side == Side::left ? size - length : 0;
    return {{begin, begin + length}};
  };
  std::array<std::vector<Window>, 2> all{windows_of(first.ids.size(), kept.first),
                                         windows_of(second_size, kept.second)};
  const std::array<std::size_t, 2> counts{all[0].size(), all[1].size()};
  const Assembler assembler(vocabulary, templates, options, {&first, second}, std::move(all));
  Plan plan;
  for (const auto& piece : pieces) {
    if (piece.sequence < 0) continue;
    const auto s = static_cast<std::size_t>(piece.sequence);
    merge(plan, s, counts[s]);
  }
  return assembler(plan);
}

}  // namespace cloze::text
