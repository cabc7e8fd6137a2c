/// \file
/// The normalized bytes of a word, and where in the text each came from.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "cloze/tokenizer.h"
#include "text/wordpiece/vocabulary.h"

namespace cloze::text {

class WordBuffer {
 public:
  /// Words of more than `max_chars` code points are counted but not kept.
  explicit WordBuffer(std::int32_t max_chars) : max_chars_(max_chars) {}

  /// Adds `size` bytes that are `chars` code points, all from [begin, end) of the text.
  void append(const char* bytes, std::int32_t size, std::int32_t chars, std::int32_t begin,
              std::int32_t end) {
    if (chars_ == 0) begin_ = begin;
    end_ = end;
    if (chars_ > max_chars_) return;
    chars_ += chars;
    const auto n = static_cast<std::size_t>(size);
    if (size_ + n + kWordSlack > bytes_.size()) grow(std::max(kUsual, 2 * bytes_.size()));
    for (std::size_t i = 0; i < n; ++i) {
      bytes_[size_ + i] = bytes[i];
      places_[size_ + i] = {begin, end};
    }
    size_ += n;
  }

  void clear() { size_ = 0, chars_ = 0; }

  [[nodiscard]] const char* bytes() const { return bytes_.data(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::int32_t chars() const { return chars_; }
  [[nodiscard]] std::int32_t begin() const { return begin_; }
  [[nodiscard]] std::int32_t end() const { return end_; }
  /// What the bytes [from, to) of the word came from.
  [[nodiscard]] Span place(std::int32_t from, std::int32_t to) const {
    return {places_[static_cast<std::size_t>(from)].begin,
            places_[static_cast<std::size_t>(to) - 1].end};
  }

 private:
  static constexpr std::size_t kUsual = 512;

  void grow(std::size_t size) {
    bytes_.resize(size);
    places_.resize(size);
  }

  std::int32_t max_chars_;
  std::vector<char> bytes_;
  std::vector<Span> places_;
  std::size_t size_ = 0;
  std::int32_t chars_ = 0;
  std::int32_t begin_ = 0, end_ = 0;
};

}  // namespace cloze::text
