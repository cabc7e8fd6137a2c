/// \file
/// UTF-8: validation, repair as Python's errors="replace" does it, decoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cloze::utf8 {

/// Index of the first byte that is not part of valid UTF-8, or `text.size()`.
[[nodiscard]] std::size_t valid_prefix(std::string_view text);

/// Whether a byte is the first of a code point, in valid UTF-8.
[[nodiscard]] constexpr bool begins_code_point(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
}

/// Code points of valid UTF-8.
[[nodiscard]] std::int64_t count_code_points(std::string_view text);

/// Byte at which code point `index` (from 0) of valid UTF-8 begins; npos if there are no more than
/// `index`.
[[nodiscard]] std::size_t byte_of_code_point(std::string_view text, std::int64_t index);

/// Decodes the code point at `p` of valid UTF-8 and moves `p` past it.
[[nodiscard]] inline char32_t decode(const char*& p) {
  const auto byte = [&p](int i) { return static_cast<char32_t>(static_cast<unsigned char>(p[i])); };
  const char32_t a = byte(0);
  if (a < 0x80) return p += 1, a;
  if (a < 0xE0) {
    const char32_t cp = (a & 0x1FU) << 6U | (byte(1) & 0x3FU);
    return p += 2, cp;
  }
  if (a < 0xF0) {
    const char32_t cp = (a & 0x0FU) << 12U | (byte(1) & 0x3FU) << 6U | (byte(2) & 0x3FU);
    return p += 3, cp;
  }
  const char32_t cp =
      (a & 0x07U) << 18U | (byte(1) & 0x3FU) << 12U | (byte(2) & 0x3FU) << 6U | (byte(3) & 0x3FU);
  return p += 4, cp;
}

/// Decodes the code point that ends before `p` of valid UTF-8 and moves `p` to its start.
[[nodiscard]] inline char32_t decode_before(const char*& p) {
  do --p;
  while (!begins_code_point(*p));
  const char* at = p;
  return decode(at);
}

/// Writes `cp` at `out` (room for 4 bytes) and returns its length.
inline int encode(char32_t cp, char* out) {
  const auto put = [out](int i, char32_t value) { out[i] = static_cast<char>(value); };
  if (cp < 0x80) return put(0, cp), 1;
  if (cp < 0x800) return put(0, 0xC0U | cp >> 6U), put(1, 0x80U | (cp & 0x3FU)), 2;
  if (cp < 0x10000) {
    put(0, 0xE0U | cp >> 12U), put(1, 0x80U | (cp >> 6U & 0x3FU)), put(2, 0x80U | (cp & 0x3FU));
    return 3;
  }
  put(0, 0xF0U | cp >> 18U), put(1, 0x80U | (cp >> 12U & 0x3FU));
  put(2, 0x80U | (cp >> 6U & 0x3FU)), put(3, 0x80U | (cp & 0x3FU));
  return 4;
}

/// A text as valid UTF-8. Where the original was not, each maximal subpart of an ill-formed
/// sequence is one U+FFFD (Unicode 3.9, Python, browsers), and byte positions can be led back.
class ValidText {
 public:
  explicit ValidText(std::string_view original);
  ValidText(const ValidText&) = delete;
  ValidText& operator=(const ValidText&) = delete;
  ~ValidText() = default;

  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] bool repaired() const { return !repairs_.empty(); }
  /// Byte of the original text for a byte of `text()` that begins or ends a code point.
  [[nodiscard]] std::int32_t original_byte(std::int32_t byte) const;

 private:
  struct Repair {
    std::int32_t end;    // of the U+FFFD in text()
    std::int32_t shift;  // from there on: original position minus position in text()
  };
  std::string_view text_;
  std::string storage_;
  std::vector<Repair> repairs_;
};

}  // namespace cloze::utf8
