/// \file
/// Writes a text anew and aligns it with the old one as tokenizers does: by how many characters come,
/// go and are replaced, whatever they are. So a character that is put in shares the place of the one
/// before it, and after one that vanished unseen all others are shifted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "core/utf8.h"
#include "text/normalize/placed_text.h"

namespace cloze::text {

class Rewriter {
 public:
  /// Appends to `to`; `from` has places, or neither gets any.
  Rewriter(const NormalizedText& from, NormalizedText& to)
      : from_(from), to_(to), placed_(!from.places.empty()) {}

  /// The character `bytes` in place of the next one.
  void replace(std::string_view bytes) {
    to_.bytes.append(bytes);
    if (!placed_) return;
    put_places(at_ < from_.places.size() ? from_.places[at_] : last_place(), bytes.size());
    at_ += size_at(at_);
    inserted_ = false;
  }

  /// The next `size` bytes, characters as they stand in `from` at `begin`, each in place of the next
  /// character.
  void keep(std::size_t begin, std::size_t size) {
    if (size == 0) return;
    if (!placed_ || begin != at_) {
      const auto kept = std::string_view(from_.bytes).substr(begin, size);
      if (!placed_) {
        to_.bytes.append(kept);
        return;
      }
      for (std::size_t i = 0; i < kept.size();) {
        const auto length = std::min(utf8_size(kept[i]), kept.size() - i);
        replace(kept.substr(i, length));
        i += length;
      }
      return;
    }
    to_.bytes.append(from_.bytes, begin, size);
    const auto places = from_.places.begin() + static_cast<std::ptrdiff_t>(begin);
    to_.places.insert(to_.places.end(), places, places + static_cast<std::ptrdiff_t>(size));
    last_ = to_.places.size() - 1;
    while (!utf8::begins_code_point(to_.bytes[last_])) --last_;
    at_ += size;
    inserted_ = false;
  }

  /// The character `bytes` in addition, at the place of the one before.
  void insert(std::string_view bytes) {
    to_.bytes.append(bytes);
    if (!placed_) return;
    put_places(last_place(), bytes.size());
    inserted_ = true;
  }

  /// `count` characters after the last one written are gone.
  void remove(std::size_t count) {
    if (!placed_ || count == 0 || to_.places.empty()) return;
    if (inserted_ && at_ < from_.places.size()) {
      // One comes and one goes: it was replaced.
      std::fill(to_.places.begin() + static_cast<std::ptrdiff_t>(last_), to_.places.end(),
                from_.places[at_]);
      inserted_ = false;
    }
    skip(count);
  }

  /// `count` characters are gone, at the begin of the text too.
  void skip(std::size_t count) {
    if (!placed_) return;
    for (; count > 0 && at_ < from_.bytes.size(); --count) at_ += size_at(at_);
  }

  /// Whether what is left of the old text is the same as what was not aligned with.
  [[nodiscard]] bool in_step() const { return !placed_ || at_ == from_.bytes.size(); }

 private:
  static std::size_t utf8_size(char lead) {
    const auto byte = static_cast<unsigned char>(lead);
    return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
  }
  [[nodiscard]] std::size_t size_at(std::size_t at) const {
    return at < from_.bytes.size() ? utf8_size(from_.bytes[at]) : 0;
  }
  [[nodiscard]] Span last_place() const {
    if (at_ > 0) return from_.places[at_ - 1];
    const auto begin = from_.places.front().begin;
    return {begin, begin};
  }
  void put_places(Span place, std::size_t size) {
    last_ = to_.places.size();
    to_.places.insert(to_.places.end(), size, place);
  }

  const NormalizedText& from_;
  NormalizedText& to_;
  bool placed_;
  std::size_t at_ = 0;     ///< in `from_`: the character that the next one replaces
  std::size_t last_ = 0;   ///< in `to_`: the last character
  bool inserted_ = false;  ///< whether that was in addition
};

}  // namespace cloze::text
