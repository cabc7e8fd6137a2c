/// \file
/// What grapheme clusters are cut by (Unicode Standard Annex #29), as the `tokenizers` package sees
/// characters. The data is generated (generate_grapheme_table.py).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace cloze::text {

/// Grapheme_Cluster_Break, with Extended_Pictographic beside it.
enum class GraphemeClass : std::uint8_t {
  other,
  cr,
  lf,
  control,
  extend,
  zwj,
  regional,  ///< half a flag
  prepend,
  spacing,  ///< a spacing mark
  l,        ///< Hangul jamo and syllables
  v,
  t,
  lv,
  lvt,
  picture  ///< Extended_Pictographic
};

/// Indic_Conjunct_Break.
enum class Conjunct : std::uint8_t { none, consonant, linker, extend };

struct GraphemeTable {
  std::span<const std::uint16_t> index;  ///< block of each 64 code points
  std::span<const std::uint8_t> blocks;  ///< of each code point of a block: class, conjunct << 4

  [[nodiscard]] std::uint8_t of(char32_t cp) const {
    return blocks[(static_cast<std::size_t>(index[cp >> 6U]) << 6U) + (cp & 63U)];
  }
  [[nodiscard]] static GraphemeClass grapheme_class(std::uint8_t entry) {
    return static_cast<GraphemeClass>(entry & 15U);
  }
  [[nodiscard]] static Conjunct conjunct(std::uint8_t entry) {
    return static_cast<Conjunct>(entry >> 4U);
  }
};

[[nodiscard]] const GraphemeTable& grapheme_table();

}  // namespace cloze::text
