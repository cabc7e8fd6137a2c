#include "text/normalize/nfkc.h"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

#include "core/utf8.h"
#include "text/normalize/char_actions.h"
#include "text/normalize/compatibility_table.h"
#include "text/normalize/rewriter.h"
#include "text/normalize/unicode_tables.h"

namespace cloze::text {
namespace {

constexpr char32_t kLBase = 0x1100, kVBase = 0x1161, kTBase = 0x11A7, kSBase = 0xAC00;
constexpr char32_t kLCount = 19, kVCount = 21, kTCount = 28;

char32_t compose_hangul(char32_t first, char32_t second) {
  if (first - kLBase < kLCount && second - kVBase < kVCount) {
    return kSBase + ((first - kLBase) * kVCount + (second - kVBase)) * kTCount;
  }
  if (first - kSBase < kLCount * kVCount * kTCount && (first - kSBase) % kTCount == 0 &&
      second > kTBase && second - kTBase < kTCount) {
    return first + (second - kTBase);
  }
  return 0;
}

// A character of the result, and by how many the text has grown with it: 1 for one in addition, 0
// for one in place of another, -n where n more have gone into it.
struct Counted {
  char32_t cp;
  int change;
  std::uint8_t combining_class;
};

void put(Rewriter& out, const Counted& c) {
  char bytes[4];
  const std::string_view character(bytes, static_cast<std::size_t>(utf8::encode(c.cp, bytes)));
  if (c.change > 0) {
    out.insert(character);
    return;
  }
  out.replace(character);
  out.remove(static_cast<std::size_t>(-c.change));
}

// Decomposed characters in canonical order.
std::vector<Counted> decompose(std::string_view text) {
  const auto& table = unicode_table_hf();
  const auto& compatibility = compatibility_table();
  std::vector<Counted> all;
  std::size_t marks = 0;  // where those begin that are to be sorted
  const auto sort = [&] {
    std::stable_sort(
        all.begin() + static_cast<std::ptrdiff_t>(marks), all.end(),
        [](const Counted& a, const Counted& b) { return a.combining_class < b.combining_class; });
  };
  for (const char *p = text.data(), *const end = p + text.size(); p < end;) {
    const char32_t cp = utf8::decode(p);
    char32_t jamo[3];
    auto parts = compatibility.decomposition(cp);
    if (parts.empty()) parts = table.nfd(table[cp]);
    if ((table[cp].flags & kHangul) != 0) {
      parts = std::span<const char32_t>(jamo, static_cast<std::size_t>(decompose_hangul(cp, jamo)));
    }
    if (parts.empty()) parts = {&cp, 1};
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Counted part{parts[i], i == 0 ? 0 : 1, table[parts[i]].combining_class};
      if (part.combining_class == 0) {
        sort();
        all.push_back(part);
        marks = all.size();
      } else {
        all.push_back(part);
      }
    }
  }
  sort();
  return all;
}

}  // namespace

std::span<const char32_t> CompatibilityTable::decomposition(char32_t cp) const {
  if (cp < 0x80) return {};
  const auto at =
      std::lower_bound(characters.begin(), characters.end(), cp,
                       [](const Compatible& c, char32_t wanted) { return c.cp < wanted; });
  if (at == characters.end() || at->cp != cp) return {};
  return pool.subspan(at->begin, at->size);
}

char32_t CompatibilityTable::compose(char32_t first, char32_t second) const {
  if (second < 0x300) return 0;
  if (const auto syllable = compose_hangul(first, second); syllable != 0) return syllable;
  const auto at = std::lower_bound(pairs.begin(), pairs.end(), std::tuple(first, second),
                                   [](const ComposedPair& pair, const auto& wanted) {
                                     return std::tuple(pair.first, pair.second) < wanted;
                                   });
  return at != pairs.end() && at->first == first && at->second == second ? at->composed : 0;
}

void nfkc(const NormalizedText& from, NormalizedText& to) {
  const auto& table = compatibility_table();
  Rewriter out(from, to);
  const auto all = decompose(from.bytes);
  std::vector<Counted> marks;  // since the last starter, not composed with it
  for (std::size_t i = 0; i < all.size();) {
    Counted starter = all[i++];
    if (starter.combining_class != 0) {  // only before the first starter
      put(out, starter);
      continue;
    }
    marks.clear();
    for (; i < all.size(); ++i) {
      const Counted& c = all[i];
      // A mark of the same class or a higher one stands between.
      const bool blocked = !marks.empty() && marks.back().combining_class >= c.combining_class;
      const char32_t composed = blocked ? 0 : table.compose(starter.cp, c.cp);
      if (composed != 0) {
        starter = {composed, starter.change + c.change - 1, 0};
      } else if (c.combining_class == 0) {
        break;
      } else {
        marks.push_back(c);
      }
    }
    put(out, starter);
    for (const Counted& mark : marks) put(out, mark);
  }
}

}  // namespace cloze::text
