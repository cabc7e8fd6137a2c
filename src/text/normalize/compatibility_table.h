/// \file
/// What NFKC needs besides unicode_tables.h, as the `tokenizers` package sees it. The data is
/// generated (generate_compatibility_table.py).
#pragma once

#include <cstdint>
#include <span>

namespace cloze::text {

/// A character whose compatibility decomposition is not its canonical one.
struct Compatible {
  char32_t cp;
  std::uint16_t begin;  ///< in the pool
  std::uint16_t size;
};

struct ComposedPair {
  char32_t first, second, composed;
};

struct CompatibilityTable {
  std::span<const Compatible> characters;  ///< in order of `cp`
  std::span<const char32_t> pool;
  std::span<const ComposedPair> pairs;  ///< in order of `first`, `second`; without Hangul

  /// Compatibility decomposition; empty where it is the canonical one.
  [[nodiscard]] std::span<const char32_t> decomposition(char32_t cp) const;
  /// What two characters compose to; 0 where they do not. Hangul as well.
  [[nodiscard]] char32_t compose(char32_t first, char32_t second) const;
};

[[nodiscard]] const CompatibilityTable& compatibility_table();

}  // namespace cloze::text
