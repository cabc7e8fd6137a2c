// Compiled once for each instruction set, the best chosen at run time (Highway).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "text/normalize/ascii_scan.cc"
#include "text/normalize/ascii_scan.h"

#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

// clang-format off
#include <algorithm>
#include <cstring>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace cloze::text::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Per byte: letter = (b | 0x20) - 'a' < 26, digit = b - '0' < 10, both unsigned; other = a control
// (b - 9 >= 24 unsigned would say it but for 0x0B, 0x0C and 0x0E-0x1F, hence the comparisons) or
// >= 0x7F; punctuation = printable and neither letter nor digit.
void Scan(const char* text, std::size_t size, bool lower, char* copy, AsciiMasks* masks) {
  const hn::CappedTag<std::uint8_t, kScanBlock> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto set = [d](int value) { return hn::Set(d, static_cast<std::uint8_t>(value)); };
  const auto case_bit = set(lower ? 0x20 : 0);

  for (std::size_t block = 0; block < size; block += kScanBlock, ++masks) {
    alignas(64) std::uint8_t padded[kScanBlock];
    const auto* in = reinterpret_cast<const std::uint8_t*>(text + block);
    if (size - block < kScanBlock) {
      std::memset(padded, ' ', sizeof padded);
      std::memcpy(padded, in, size - block);
      in = padded;
    }
    *masks = {0, 0, 0};
    for (std::size_t i = 0; i < kScanBlock; i += lanes) {
      const auto b = hn::LoadU(d, in + i);
      const auto upper = hn::Lt(hn::Sub(b, set('A')), set(26));
      const auto letter = hn::Lt(hn::Sub(hn::Or(b, set(0x20)), set('a')), set(26));
      const auto digit = hn::Lt(hn::Sub(b, set('0')), set(10));
      const auto word = hn::Or(letter, digit);
      const auto printable = hn::Lt(hn::Sub(b, set(0x21)), set(0x7F - 0x21));
      const auto space = hn::Or(hn::Or(hn::Eq(b, set(' ')), hn::Eq(b, set('\t'))),
                                hn::Or(hn::Eq(b, set('\n')), hn::Eq(b, set('\r'))));
      const auto other = hn::Not(hn::Or(printable, space));
      const auto bits = [&](auto mask) {
        std::uint8_t bytes[8] = {};  // StoreMaskBits writes (lanes + 7) / 8 bytes
        hn::StoreMaskBits(d, mask, bytes);
        std::uint64_t value = 0;
        std::memcpy(&value, bytes, sizeof value);
        return value << i;
      };
      masks->word |= bits(word);
      masks->punct |= bits(hn::AndNot(word, printable));
      masks->other |= bits(other);
      hn::StoreU(hn::Or(b, hn::IfThenElseZero(upper, case_bit)), d,
                 reinterpret_cast<std::uint8_t*>(copy + block + i));
    }
  }
}

}  // namespace cloze::text::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cloze::text {

HWY_EXPORT(Scan);

void scan_ascii(const char* text, std::size_t size, bool lower, char* copy, AsciiMasks* masks) {
  HWY_DYNAMIC_DISPATCH(Scan)(text, size, lower, copy, masks);
}

}  // namespace cloze::text
#endif
