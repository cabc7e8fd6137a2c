/// \file
/// Unicode's normalization forms as two steps that know nothing of places: decomposition into
/// characters in canonical order, and composition. A Char has `cp` and `combining_class`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "text/normalize/char_actions.h"
#include "text/normalize/compatibility_table.h"
#include "text/normalize/unicode_tables.h"

namespace cloze::text {

/// The canonical decomposition of `cp`, or with `compatibility` the one of NFKC. `jamo` has room for
/// that of a Hangul syllable, `itself` for a character that is its own.
[[nodiscard]] inline std::span<const char32_t> decomposition(char32_t cp, bool compatibility,
                                                             std::span<char32_t, 3> jamo,
                                                             char32_t& itself) {
  const auto& table = unicode_table_hf();
  const auto& record = table[cp];
  if ((record.flags & kHangul) != 0) {
    return jamo.first(static_cast<std::size_t>(decompose_hangul(cp, jamo.data())));
  }
  std::span<const char32_t> parts;
  if (compatibility) parts = compatibility_table().decomposition(cp);
  if (parts.empty()) parts = table.nfd(record);
  if (!parts.empty()) return parts;
  itself = cp;
  return {&itself, 1};
}

/// Collects decomposed characters in canonical order: marks sorted by their combining class.
template <class Char>
class CanonicalOrder {
 public:
  void add(const Char& c) {
    if (c.combining_class == 0) {
      sort();
      all_.push_back(c);
      marks_ = all_.size();
    } else {
      all_.push_back(c);
    }
  }

  [[nodiscard]] std::vector<Char> take() {
    sort();
    marks_ = 0;
    return std::move(all_);
  }

 private:
  void sort() {
    std::stable_sort(
        all_.begin() + static_cast<std::ptrdiff_t>(marks_), all_.end(),
        [](const Char& a, const Char& b) { return a.combining_class < b.combining_class; });
  }

  std::vector<Char> all_;
  std::size_t marks_ = 0;  ///< where those begin that are to be sorted
};

/// Composes what CanonicalOrder gave: `absorb(starter, c, composed)` makes `starter` the character
/// `composed` of itself and `c`; `put(c)` takes each character of the result, in order.
template <class Char, class Absorb, class Put>
void compose(const std::vector<Char>& all, const Absorb& absorb, const Put& put) {
  const auto& table = compatibility_table();
  std::vector<Char> marks;  // since the last starter, not composed with it
  for (std::size_t i = 0; i < all.size();) {
    Char starter = all[i++];
    if (starter.combining_class != 0) {  // only before the first starter
      put(starter);
      continue;
    }
    marks.clear();
    for (; i < all.size(); ++i) {
      const Char& c = all[i];
      // A mark of the same class or a higher one stands between.
      const bool blocked = !marks.empty() && marks.back().combining_class >= c.combining_class;
      const char32_t composed = blocked ? 0 : table.compose(starter.cp, c.cp);
      if (composed != 0) {
        absorb(starter, c, composed);
      } else if (c.combining_class == 0) {
        break;
      } else {
        marks.push_back(c);
      }
    }
    put(starter);
    for (const Char& mark : marks) put(mark);
  }
}

}  // namespace cloze::text
