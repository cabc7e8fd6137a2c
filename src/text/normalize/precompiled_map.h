/// \file
/// The character map of a SentencePiece model (`precompiled_charsmap`): a trie of what is replaced,
/// as a double array (the layout of darts-clone), and the replacements.
///
/// The bytes: the trie's size in bytes (u32, little-endian), its units (u32), and the replacements,
/// each ended by a zero byte. A unit has a label (bits 0 to 7 and 31), whether a value follows (bit
/// 8), and the distance to its children (bits 10 up, eight bits further where bit 9 is set); the
/// child of byte b stands at place ^ distance ^ b, a value at place ^ distance.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/normalize/placed_text.h"

namespace cloze::text {

class PrecompiledMap {
 public:
  /// `origin` begins the messages. Throws FormatError for what is no such map.
  PrecompiledMap(std::string blob, const std::string& origin);

  /// What replaces `text`: that of the shortest beginning of it that is in the map, as tokenizers
  /// has it.
  [[nodiscard]] std::optional<std::string_view> replacement(std::string_view text) const;

  /// Appends `from` to `to`, grapheme by grapheme: one of fewer than six bytes is replaced as a
  /// whole, any other character by character. Returns false when characters vanished at the begin, so
  /// that tokenizers' places of all others are shifted.
  bool apply(const NormalizedText& from, NormalizedText& to) const;

  /// Whether an ASCII character stays what it is.
  [[nodiscard]] bool keeps(char ascii) const {
    return ascii_[static_cast<unsigned char>(ascii)].kept;
  }

  /// The bytes that it was made from.
  [[nodiscard]] const std::string& blob() const { return blob_; }

 private:
  struct Ascii {
    bool kept = true;
    std::string_view replacement;
  };
  [[nodiscard]] std::optional<std::string_view> search(std::string_view text) const;

  std::string blob_;
  std::vector<std::uint32_t> units_;  ///< whole blocks of 256
  std::string_view replacements_;     ///< in `blob_`
  std::array<Ascii, 128> ascii_;
};

}  // namespace cloze::text
