#include "text/normalize/nfkc.h"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

#include "core/utf8.h"
#include "text/normalize/compatibility_table.h"
#include "text/normalize/decompose.h"
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
  CanonicalOrder<Counted> all;
  char32_t jamo[3], itself = 0;
  for (const char *p = text.data(), *const end = p + text.size(); p < end;) {
    int change = 0;
    for (const char32_t cp : decomposition(utf8::decode(p), true, jamo, itself)) {
      all.add({cp, change, table[cp].combining_class});
      change = 1;
    }
  }
  return all.take();
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
  Rewriter out(from, to);
  compose(
      decompose(from.bytes),
      [](Counted& starter, const Counted& c, char32_t composed) {
        starter = {composed, starter.change + c.change - 1, 0};
      },
      [&out](const Counted& c) { put(out, c); });
}

}  // namespace cloze::text
