/// \file
/// Tokens that are found in the text before, or after, it is normalized: "[MASK]", and what users
/// added. As tokenizers' AddedVocabulary.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/normalize/unicode_tables.h"

namespace cloze::text {

struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool single_word = false;  ///< not inside a word
  bool lstrip = false;       ///< takes the white space before it
  bool rstrip = false;       ///< takes the white space after it
  bool normalized = false;   ///< looked for in the normalized text
  bool special = false;      ///< skipped by decode
};

/// A part of a text: a token, or the text between tokens (`token` is null). Never empty.
struct AddedMatch {
  std::size_t begin, end;  ///< bytes
  const AddedToken* token;
};

class AddedTokenFinder {
 public:
  /// Finds each pattern, leftmost and then longest first. The patterns must not be empty; the
  /// tokens must outlive this. Throws ArgumentError when two patterns are the same.
  AddedTokenFinder(std::vector<std::string> patterns, std::vector<const AddedToken*> tokens);

  [[nodiscard]] bool empty() const { return patterns_.empty(); }

  /// Cuts `text` (valid UTF-8) at the tokens in it.
  void split(std::string_view text, std::vector<AddedMatch>& parts) const;

  /// Whether any pattern begins somewhere in `text`: quick, and usually no.
  [[nodiscard]] bool may_match(std::string_view text) const;

 private:
  [[nodiscard]] std::size_t next_candidate(std::string_view text, std::size_t from) const;
  [[nodiscard]] const std::string* longest_at(std::string_view text, std::size_t at,
                                              const AddedToken*& token) const;

  std::vector<std::string> patterns_;  // sorted; a prefix of another comes before it
  std::vector<const AddedToken*> tokens_;
  std::array<std::size_t, 257>
      first_{};               // patterns that begin with byte b: [first_[b], first_[b+1])
  int only_first_byte_ = -1;  // the byte that all patterns begin with, if they do
};

}  // namespace cloze::text
