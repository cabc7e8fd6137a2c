/// \file
/// Text → normalized words in one pass: normalizer and pre-tokenizer together, without a normalized
/// copy of the text. Words of ASCII are found in bit masks; any other word is assembled code point
/// by code point, each with the place it came from.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cloze/tokenizer.h"
#include "core/utf8.h"
#include "text/normalize/ascii_scan.h"
#include "text/normalize/char_actions.h"
#include "text/normalize/reorder.h"
#include "text/wordpiece/word_buffer.h"

namespace cloze::text {

/// Bytes that are scanned at a time.
inline constexpr std::size_t kChunk = 1024;

/// Scans a text and hands its words, in order, to a Consumer, which has
///
///     void reserve(std::size_t bytes);    // as many bytes of text are coming, a word each at most
///     void note(const char* word, std::size_t size, std::size_t at);
///                                         // a word of ASCII, lower-cased if it is to be, which
///                                         // begins `at` bytes into the chunk
///     void put_noted(std::int32_t chunk); // the noted words are all; `chunk` is its offset
///     void put(const WordBuffer& word);   // any other word; not while words are noted
///     bool full() const;                  // nothing more is wanted
///
/// At least kWordSlack bytes after a noted word are readable until put_noted.
template <class Consumer>
class WordScanner {
 public:
  /// `text` is valid UTF-8; its first code point has offset `begin`, in `unit`.
  WordScanner(const CharActions& actions, std::int32_t max_chars, std::string_view text,
              std::int32_t begin, OffsetUnit unit, Consumer& consumer)
      : actions_(actions),
        text_(text),
        end_(text.data() + text.size()),
        count_code_points_(unit == OffsetUnit::code_points),
        shift_(begin),
        word_(max_chars),
        consumer_(consumer) {}

  void run() {
    const char* p = text_.data();
    while (p < end_ && !consumer_.full()) p = chunk(p);
  }

 private:
  static constexpr std::size_t kBlocks = kChunk / kScanBlock;
  using Masks = std::array<AsciiMasks, kBlocks>;

  [[nodiscard]] std::int32_t offset(const char* p) const {
    return static_cast<std::int32_t>(p - text_.data()) + shift_;
  }

  // Works through up to kChunk bytes at `p`, where no word has begun, and returns where it stopped,
  // which is past `p`.
  const char* chunk(const char* p) {
    Masks masks;
    alignas(kScanBlock) char copy[kChunk + kScanBlock];  // the slack is not read as words
    const auto size = std::min(static_cast<std::size_t>(end_ - p), kChunk);
    scan_ascii(p, size, actions_.rules().lowercase, copy, masks.data());
    consumer_.reserve(size);

    const std::size_t blocks = (size + kScanBlock - 1) / kScanBlock;
    std::uint64_t word_before = 0;  // whether the byte before the block belongs to a word
    std::uint64_t skip = 0;         // events of the block that have been dealt with
    for (std::size_t b = 0; b < blocks; ++b) {
      const auto [word, punct, other] = masks[b];
      std::uint64_t events = ((word & ~(word << 1U | word_before)) | punct | other) & ~skip;
      word_before = word >> 63U;
      skip = 0;
      while (events != 0) {
        const auto bit = static_cast<std::size_t>(std::countr_zero(events));
        events &= events - 1;
        const std::size_t at = b * kScanBlock + bit;
        std::size_t end = at + 1;
        if ((word >> bit & 1U) != 0) end = end_of_word(masks, blocks, at);
        bool plain = (other >> bit & 1U) == 0;
        if (end >= size && p + end < end_) {  // perhaps the word goes on in the next chunk
          if ((word >> bit & 1U) != 0) {
            if (at > 0) {
              consumer_.put_noted(offset(p));
              return p + at;
            }
            plain = false;
          }
        } else if ((word >> bit & 1U) != 0 && end < size) {
          plain = (masks[end / kScanBlock].other >> end % kScanBlock & 1U) == 0;
        }
        if (plain) {
          consumer_.note(copy + at, end - at, at);
          continue;
        }
        consumer_.put_noted(offset(p));
        const char* const next = careful(p + at);
        const auto reached = static_cast<std::size_t>(next - p);
        if (reached >= size) return next;
        consumer_.reserve(size - reached);
        // Go on in the block that holds `next`, with the events from there on.
        skip = (std::uint64_t{1} << reached % kScanBlock) - 1;
        if (reached / kScanBlock == b) {
          events &= ~skip;
          skip = 0;
        } else {
          b = reached / kScanBlock - 1;
          word_before = 0;
          events = 0;
        }
      }
    }
    consumer_.put_noted(offset(p));
    return p + size;
  }

  static std::size_t end_of_word(const Masks& masks, std::size_t blocks, std::size_t at) {
    std::size_t b = at / kScanBlock;
    std::uint64_t gaps = ~masks[b].word >> at % kScanBlock << at % kScanBlock;
    while (gaps == 0) {
      if (++b == blocks) return b * kScanBlock;
      gaps = ~masks[b].word;
    }
    return b * kScanBlock + static_cast<std::size_t>(std::countr_zero(gaps));
  }

  // --- any character

  // Goes on code point by code point from `p`, where no word has begun, and returns a place where
  // none has begun and an ASCII character stands, or the end.
  const char* careful(const char* p) {
    std::int32_t index = offset(p);
    const char* marks = nullptr;  // the first combining mark since the last character that is none
    std::int32_t marks_index = 0;
    while (p < end_) {
      const char* const from = p;
      const char32_t cp = utf8::decode(p);
      const auto length = static_cast<std::int32_t>(p - from);
      const std::int32_t next = index + (count_code_points_ ? 1 : length);
      const CharAction& action = actions_[cp];
      if (action.kind != CharAction::drop && action.kind != CharAction::reorder) marks = nullptr;
      switch (action.kind) {
        case CharAction::copy:
          word_.append(from, length, 1, index, next);
          break;
        case CharAction::map:
          word_.append(action.bytes, action.size, action.chars, index, next);
          break;
        case CharAction::drop:
          if (action.combining_mark != 0) {
            if (marks == nullptr) marks = from, marks_index = index;
          } else if (!removed(cp)) {
            marks = nullptr;
          }
          break;
        case CharAction::alone:
          flush();
          if (action.size == 0) {
            word_.append(from, length, 1, index, next);
          } else {
            word_.append(action.bytes, action.size, action.chars, index, next);
          }
          flush();
          break;
        case CharAction::space:
          flush();
          break;
        case CharAction::hangul:
          append_hangul(cp, index, next);
          break;
        case CharAction::sigma:
          append(final_sigma(actions_, text_, from) ? U'\u03C2' : U'\u03C3', index, next);
          break;
        case CharAction::reorder: {
          const auto run = reorder(actions_, marks != nullptr ? marks : from, end_,
                                   marks != nullptr ? marks_index : index, count_code_points_);
          for (const auto& c : run.chars) normalized(c);
          p = run.end;
          index = run.index;
          marks = nullptr;
          continue;
        }
      }
      index = next;
      const bool boundary = action.kind == CharAction::space || action.kind == CharAction::alone;
      if (boundary && p < end_ && static_cast<unsigned char>(*p) < 0x80) break;
      if (boundary && consumer_.full()) break;
    }
    flush();
    shift_ = index - static_cast<std::int32_t>(p - text_.data());
    return p;
  }

  [[nodiscard]] bool removed(char32_t cp) const {
    return actions_.rules().clean_text && (actions_.table()[cp].flags & kRemoved) != 0;
  }

  void append(char32_t cp, std::int32_t begin, std::int32_t end) {
    char bytes[4];
    const int size = utf8::encode(cp, bytes);
    word_.append(bytes, size, 1, begin, end);
  }

  void append_hangul(char32_t syllable, std::int32_t begin, std::int32_t end) {
    char32_t jamo[3];
    const int count = decompose_hangul(syllable, jamo);
    for (int i = 0; i < count; ++i) append(jamo[i], begin, end);
  }

  // A code point that normalization has finished with.
  void normalized(const NormalizedChar& c) {
    const auto flags = actions_.table()[c.cp].flags;
    if ((flags & (kWhite | kPunct)) != 0) flush();
    if ((flags & kWhite) != 0) return;
    append(c.cp, c.begin, c.end);
    if ((flags & kPunct) != 0) flush();
  }

  // Ends the word that has been assembled, if any.
  void flush() {
    if (word_.chars() == 0) return;
    consumer_.put(word_);
    word_.clear();
  }

  const CharActions& actions_;
  std::string_view text_;
  const char* end_;
  bool count_code_points_;
  std::int32_t shift_;  // offset of a place in the text minus its byte; right while all is ASCII
  WordBuffer word_;
  Consumer& consumer_;
};

}  // namespace cloze::text
