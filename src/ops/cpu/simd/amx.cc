#include "ops/cpu/simd/amx.h"

#include "cloze/error.h"

#if defined(__x86_64__) && defined(__linux__)
#include <array>

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CLOZE_TILES __attribute__((target("amx-tile,amx-bf16,amx-int8")))
#endif

namespace cloze::ops::amx {

#if defined(__x86_64__) && defined(__linux__)
namespace {

// Tiles 0 to 3 are sums, 4 and 5 of the left side, 6 and 7 of the right.
constexpr int kTiles = 8;

/// What LDTILECFG reads (Intel's manual, volume 1, section 18).
struct Configuration {
  std::uint8_t palette = 1, start_row = 0;
  std::array<std::uint8_t, 14> reserved = {};
  std::array<std::uint16_t, 16> bytes_of_row = {};
  std::array<std::uint8_t, 16> rows = {};
};
static_assert(sizeof(Configuration) == 64);

constexpr Configuration configuration() {
  Configuration made;
  for (std::size_t tile = 0; tile < kTiles; ++tile) {
    made.bytes_of_row[tile] = kRowBytes;
    made.rows[tile] = kRows;
  }
  return made;
}

// Constructors do not take the attribute.
CLOZE_TILES void configure() {
  static constexpr Configuration wanted = configuration();
  _tile_loadconfig(&wanted);
}
CLOZE_TILES void release() { _tile_release(); }

constexpr std::size_t bytes_of(std::size_t elements) { return elements * sizeof(float); }

/// The result's tiles at c: two by two, or fewer at its end. The intrinsics want constants.
template <bool kTwoRows, bool kTwoColumns>
CLOZE_TILES void multiply_block(const Pairs& a, const Pairs& b, std::size_t depth, float* c,
                                std::size_t c_stride, bool add) {
  const std::size_t a_bytes = bytes_of(a.stride), b_bytes = bytes_of(b.stride);
  const std::size_t c_bytes = bytes_of(c_stride);
  float* const c_below = c + kRows * c_stride;
  const std::uint32_t* const a_below = a.data + kRows * a.stride;
  if (add) {
    _tile_loadd(0, c, c_bytes);
    if constexpr (kTwoColumns) _tile_loadd(1, c + kColumns, c_bytes);
    if constexpr (kTwoRows) _tile_loadd(2, c_below, c_bytes);
    if constexpr (kTwoRows && kTwoColumns) _tile_loadd(3, c_below + kColumns, c_bytes);
  } else {
    _tile_zero(0);
    if constexpr (kTwoColumns) _tile_zero(1);
    if constexpr (kTwoRows) _tile_zero(2);
    if constexpr (kTwoRows && kTwoColumns) _tile_zero(3);
  }
  for (std::size_t k = 0; k < depth; k += kDepth) {
    const std::uint32_t* const right = b.data + k * b.stride;
    _tile_loadd(4, a.data + k, a_bytes);
    _tile_loadd(6, right, b_bytes);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kTwoColumns) {
      _tile_loadd(7, right + kColumns, b_bytes);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (kTwoRows) {
      _tile_loadd(5, a_below + k, a_bytes);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (kTwoColumns) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, c, c_bytes);
  if constexpr (kTwoColumns) _tile_stored(1, c + kColumns, c_bytes);
  if constexpr (kTwoRows) _tile_stored(2, c_below, c_bytes);
  if constexpr (kTwoRows && kTwoColumns) _tile_stored(3, c_below + kColumns, c_bytes);
}

template <Values kValues, bool kTwo>
CLOZE_TILES void multiply_panel_of(const PanelProduct& product, void* sums) {
  constexpr std::size_t kSumBytes = kPanelColumns * sizeof(float);
  const std::size_t stride = product.row_stride;
  const std::byte* above = product.rows;
  const std::byte* below = above + kRows * stride;
  const std::byte* right = product.panel;
  const std::byte* next = product.next;
  _tile_zero(0);
  _tile_zero(1);
  if constexpr (kTwo) {
    _tile_zero(2);
    _tile_zero(3);
  }
  for (std::size_t step = 0; step < product.steps; ++step) {
    _tile_loadd(6, right, kRowBytes);
    _tile_loadd(4, above, stride);
    _tile_loadd(7, right + kTileBytes, kRowBytes);
    if constexpr (kTwo) _tile_loadd(5, below, stride);
    if constexpr (kValues == Values::bf16) {
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      if constexpr (kTwo) {
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
    } else {
      _tile_dpbusd(0, 4, 6);
      _tile_dpbusd(1, 4, 7);
      if constexpr (kTwo) {
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
      }
    }
    for (std::size_t line = 0; line < product.fetched_lines; ++line, next += kRowBytes) {
      _mm_prefetch(reinterpret_cast<const char*>(next), _MM_HINT_T1);
    }
    above += kRowBytes;
    below += kRowBytes;
    right += 2 * kTileBytes;
  }
  auto* const to = static_cast<std::byte*>(sums);
  _tile_stored(0, to, kSumBytes);
  _tile_stored(1, to + kRowBytes, kSumBytes);
  if constexpr (kTwo) {
    _tile_stored(2, to + kRows * kSumBytes, kSumBytes);
    _tile_stored(3, to + kRows * kSumBytes + kRowBytes, kSumBytes);
  }
}

}  // namespace

void multiply_panel(Values values, const PanelProduct& product, void* sums) {
  if (values == Values::bf16) {
    return product.two ? multiply_panel_of<Values::bf16, true>(product, sums)
                       : multiply_panel_of<Values::bf16, false>(product, sums);
  }
  return product.two ? multiply_panel_of<Values::int8, true>(product, sums)
                     : multiply_panel_of<Values::int8, false>(product, sums);
}

bool permitted() {
  static const bool granted = [] {
    constexpr long kRequest = 0x1023;  // ARCH_REQ_XCOMP_PERM, of Linux 5.16 and later
    constexpr long kTileData = 18;
    return ::syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
  }();
  return granted;
}

Tiles::Tiles() { configure(); }
Tiles::~Tiles() { release(); }

void multiply(const Pairs& a, const Pairs& b, const Size& size, float* c, std::size_t c_stride,
              bool add) {
  // Columns outside, so that a slice of b stays in the first-level cache for all rows.
  for (std::size_t col = 0; col < size.cols; col += 2 * kColumns) {
    const bool two_columns = col + kColumns < size.cols;
    const Pairs right{b.data + col, b.stride};
    for (std::size_t row = 0; row < size.rows; row += 2 * kRows) {
      const bool two_rows = row + kRows < size.rows;
      const Pairs left{a.data + row * a.stride, a.stride};
      float* const to = c + row * c_stride + col;
      if (two_rows && two_columns) {
        multiply_block<true, true>(left, right, size.depth, to, c_stride, add);
      } else if (two_rows) {
        multiply_block<true, false>(left, right, size.depth, to, c_stride, add);
      } else if (two_columns) {
        multiply_block<false, true>(left, right, size.depth, to, c_stride, add);
      } else {
        multiply_block<false, false>(left, right, size.depth, to, c_stride, add);
      }
    }
  }
}

#else

bool permitted() { return false; }
Tiles::Tiles() = default;
Tiles::~Tiles() = default;
void multiply(const Pairs&, const Pairs&, const Size&, float*, std::size_t, bool) {
  throw Error("this processor has no tiles to multiply with");
}
void multiply_panel(Values, const PanelProduct&, void*) {
  throw Error("this processor has no tiles to multiply with");
}

#endif

}  // namespace cloze::ops::amx
