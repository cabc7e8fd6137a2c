/// \file
/// Products of small bf16 matrices on AMX's tiles (Intel, from Sapphire Rapids on): ten times the
/// rate of vectors.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cloze::ops::amx {

// Elements are pairs of neighbouring bf16, as of a row of the left side and of two rows of the right.
constexpr std::size_t kRows = 16;     ///< of a tile of the result
constexpr std::size_t kColumns = 16;  ///< of a tile of the result
constexpr std::size_t kDepth = 16;    ///< pairs that one instruction multiplies and sums

/// Whether the system lets this process use tiles. The first call asks it.
[[nodiscard]] bool permitted();

/// The calling thread's tiles, as `multiply` wants them. Only where `permitted()`. The thread must not
/// call a library that has tiles of its own (oneDNN) while one lives.
class Tiles {
 public:
  Tiles();
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
  Tiles(Tiles&&) = delete;
  Tiles& operator=(Tiles&&) = delete;
  ~Tiles();
};

/// A matrix of pairs, row by row; strides are counted in pairs.
struct Pairs {
  const std::uint32_t* data = nullptr;
  std::size_t stride = 0;
};

/// Whole tiles: multiples of kRows, kDepth and kColumns.
struct Size {
  std::size_t rows = 0, depth = 0, cols = 0;
};

/// c [rows, cols] = (with `add`: +=) a [rows, depth pairs] · b [depth pairs, cols], summed in f32 in
/// the order of the depth. The calling thread has Tiles.
void multiply(const Pairs& a, const Pairs& b, const Size& size, float* c, std::size_t c_stride,
              bool add);

/// What tiles of weights are multiplied with.
enum class Values : std::uint8_t {
  bf16,  ///< bf16 by bf16, summed in f32
  int8,  ///< u8 by s8, summed in 32 bits
};

constexpr std::size_t kRowBytes =
    64;  ///< of a tile's row: a step of 32 bf16, or of 64 values of 8 bits
constexpr std::size_t kTileBytes = kRows * kRowBytes;
constexpr std::size_t kPanelColumns = 2 * kColumns;  ///< columns of the weight in one panel
constexpr std::size_t kBlockRows = 2 * kRows;        ///< rows that are multiplied at once

/// What multiply_panel reads. A panel is kPanelColumns columns of a weight: for each step of depth two
/// tiles of kTileBytes, one after the other.
struct PanelProduct {
  const std::byte* rows = nullptr;  ///< of the left side: kRows or kBlockRows, steps·kRowBytes each
  std::size_t row_stride = 0;       ///< bytes from one row to the next
  bool two = true;                  ///< kBlockRows rows, else kRows
  const std::byte* panel = nullptr;
  std::size_t steps = 0;
  const std::byte* next = nullptr;  ///< what to fetch into the cache meanwhile, from here on
  std::size_t fetched_lines = 0;    ///< cache lines of it a step
};

/// sums [kRows or kBlockRows, kPanelColumns], f32 or i32, row by row = rows·panel, summed in the order
/// of the depth. The calling thread has Tiles.
void multiply_panel(Values values, const PanelProduct& product, void* sums);

}  // namespace cloze::ops::amx
