#include "text/normalize/reorder.h"

#include <algorithm>
#include <iterator>

#include "core/utf8.h"

namespace cloze::text {
namespace {

struct Item {
  char32_t cp;
  std::uint8_t combining_class;
  bool added;  // a further code point of a decomposition: it consumes no original
};

// The first code point that canonical reordering sees for `cp`.
char32_t first_decomposed(const CharActions& actions, char32_t cp) {
  const auto& table = actions.table();
  if (actions.rules().google && actions.rules().lowercase) {
    const auto lower = table.lower(table[cp]);
    if (!lower.empty()) cp = lower[0];
  }
  const auto nfd = table.nfd(table[cp]);
  return nfd.empty() ? cp : nfd[0];
}

void decompose_chars(const CharActions& actions, char32_t cp, std::vector<Item>& items) {
  const auto& table = actions.table();
  bool added = false;
  const auto add = [&](char32_t c) {
    items.push_back({c, table[c].combining_class, added});
    added = true;
  };
  const auto canonical = [&](char32_t c) {
    const CharRecord& record = table[c];
    if ((record.flags & kHangul) != 0) {
      char32_t jamo[3];
      std::for_each_n(jamo, decompose_hangul(c, jamo), add);
      return;
    }
    const auto nfd = table.nfd(record);
    if (nfd.empty()) add(c);
    std::for_each(nfd.begin(), nfd.end(), add);
  };
  const auto lower = table.lower(table[cp]);
  if (actions.rules().google && actions.rules().lowercase && !lower.empty()) {
    std::for_each(lower.begin(), lower.end(), canonical);
  } else {
    canonical(cp);
  }
}

// What a character is to its neighbours' final sigma.
enum class SigmaContext : std::uint8_t { cased, ignored, other };

SigmaContext sigma_context(const CharActions& actions, char32_t cp) {
  const auto flags = actions.table()[cp].flags;
  if ((flags & kRemoved) != 0) return SigmaContext::ignored;  // gone before lower-casing
  if ((flags & (kWhite | kCjk)) != 0) return SigmaContext::other;
  if ((flags & kIgnorable) != 0) return SigmaContext::ignored;
  return (flags & kCased) != 0 ? SigmaContext::cased : SigmaContext::other;
}

}  // namespace

ReorderedRun reorder(const CharActions& actions, const char* p, const char* end, std::int32_t index,
                     bool count_code_points) {
  const auto& table = actions.table();
  const bool clean = actions.rules().clean_text;
  std::vector<Item> items;
  std::vector<NormalizedChar> originals;
  while (p < end) {
    const char* next = p;
    const char32_t cp = utf8::decode(next);
    const bool removed = clean && (table[cp].flags & kRemoved) != 0;
    if (!removed) {
      if (!originals.empty() && table[first_decomposed(actions, cp)].combining_class == 0) break;
    }
    const auto after = index + (count_code_points ? 1 : static_cast<std::int32_t>(next - p));
    if (!removed) {
      originals.push_back({cp, index, after});
      decompose_chars(actions, cp, items);
    }
    p = next;
    index = after;
  }

  for (auto from = items.begin(); from != items.end();) {
    from = std::find_if(from, items.end(), [](const Item& i) { return i.combining_class != 0; });
    const auto to =
        std::find_if(from, items.end(), [](const Item& i) { return i.combining_class == 0; });
    std::stable_sort(from, to, [](const Item& a, const Item& b) {
      return a.combining_class < b.combining_class;
    });
    from = to;
  }

  ReorderedRun run{{}, p, index};
  std::size_t consumed = 0;
  for (const Item& item : items) {
    if (!item.added) ++consumed;
    const auto& original = originals[consumed == 0 ? 0 : consumed - 1];
    const CharRecord& record = table[item.cp];
    if ((record.flags & kMark) != 0) continue;
    const auto lower = table.lower(record);
    if (actions.rules().google || !actions.rules().lowercase || lower.empty()) {
      run.chars.push_back({item.cp, original.begin, original.end});
    } else {
      for (const char32_t cp : lower) run.chars.push_back({cp, original.begin, original.end});
    }
  }
  return run;
}

bool final_sigma(const CharActions& actions, std::string_view text, const char* at) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  auto before = SigmaContext::ignored;
  for (const char* p = at; p > begin && before == SigmaContext::ignored;) {
    before = sigma_context(actions, utf8::decode_before(p));
  }
  if (before != SigmaContext::cased) return false;
  auto after = SigmaContext::ignored;
  const char* p = at;
  (void)utf8::decode(p);
  while (p < end && after == SigmaContext::ignored) after = sigma_context(actions, utf8::decode(p));
  return after != SigmaContext::cased;
}

}  // namespace cloze::text
