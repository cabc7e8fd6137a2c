// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/tile_linear.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include "ops/cpu/tile_linear.h"

#include <algorithm>
#include <cstring>

#include "hwy/highway.h"
#include "ops/cpu/machine/cpu_features.h"
#include "ops/cpu/simd/activation-inl.h"
#include "ops/cpu/simd/amx.h"
#include "ops/cpu/simd/attention_tile-inl.h"
#include "ops/cpu/simd/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

constexpr std::size_t kElements = amx::kRowBytes / sizeof(std::uint32_t);  // of a tile's row

/// One tile of a weight: `columns` of its rows, 64 bytes of each from `values`, become columns.
void PackTile(const std::uint32_t* values, std::size_t columns, std::uint32_t* to) {
  Transpose(values, kElements, columns, kElements, to, columns);
}

/// `count` values of a row of the weight as a tile has them: bf16, or 8 bits as they are.
void LoadWeights(const ConstMatrix& from, std::int64_t row, std::int64_t begin, std::size_t count,
                 std::byte* to) {
  const std::byte* source = from.row(row) + begin * static_cast<std::int64_t>(size_of(from.dtype));
  if (from.dtype != DType::f32) {
    std::memcpy(to, source, count * size_of(from.dtype));
    return;
  }
  float values[amx::kRowBytes / sizeof(BFloat16)];  // a mapped file may have them at any address
  std::memcpy(values, source, count * sizeof(float));
  StoreRounded(values, count, reinterpret_cast<BFloat16*>(to));
}

/// The sums of a block, [rows, kPanelColumns], finished into y.
template <Epilogue kEpilogue, class Round>
HWY_INLINE void FinishRows(const float* sums, const float* bias, const Matrix& y,
                           const Round& round) {
  constexpr bool kAdds = kEpilogue == Epilogue::add;
  const auto cols = static_cast<std::size_t>(y.cols);
  for (std::int64_t row = 0; row < y.rows; ++row) {
    const float* const from = sums + row * static_cast<std::int64_t>(amx::kPanelColumns);
    const auto values = [&](auto d, std::size_t i) {
      return Activate(d, kEpilogue, hn::Add(hn::LoadU(d, from + i), hn::LoadU(d, bias + i)));
    };
    if (y.dtype == DType::bf16) {
      auto* const to = reinterpret_cast<BFloat16*>(y.row(row));
      StoreRounded(round, cols, to, [&](auto d, std::size_t i) {
        return kAdds ? hn::Add(values(d, i), FromBFloat16(d, to + i)) : values(d, i);
      });
    } else {
      auto* const to = reinterpret_cast<float*>(y.row(row));
      OverVectors(cols, [&](auto d, std::size_t i) {
        hn::StoreU(kAdds ? hn::Add(values(d, i), hn::LoadU(d, to + i)) : values(d, i), d, to + i);
      });
    }
  }
}

template <Epilogue kEpilogue>
void FinishBlock(const float* sums, const float* bias, const Matrix& y) {
  WithRounding([&](auto round) { FinishRows<kEpilogue>(sums, bias, y, round); });
}

void Finish(const float* sums, const float* bias, Epilogue epilogue, const Matrix& y) {
  switch (epilogue) {
    case Epilogue::none:
      return FinishBlock<Epilogue::none>(sums, bias, y);
    case Epilogue::add:
      return FinishBlock<Epilogue::add>(sums, bias, y);
    case Epilogue::gelu:
      return FinishBlock<Epilogue::gelu>(sums, bias, y);
    case Epilogue::gelu_tanh:
      return FinishBlock<Epilogue::gelu_tanh>(sums, bias, y);
    case Epilogue::relu:
      return FinishBlock<Epilogue::relu>(sums, bias, y);
    case Epilogue::silu:
      return FinishBlock<Epilogue::silu>(sums, bias, y);
    case Epilogue::tanh:
      return FinishBlock<Epilogue::tanh>(sums, bias, y);
  }
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cloze::ops {
HWY_EXPORT(PackTile);
HWY_EXPORT(LoadWeights);
HWY_EXPORT(Finish);

namespace {

constexpr auto kPanel = static_cast<std::int64_t>(amx::kPanelColumns);
constexpr auto kBlock = static_cast<std::int64_t>(amx::kBlockRows);
constexpr auto kTileRows = static_cast<std::int64_t>(amx::kRows);

std::int64_t round_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// The left side of a product, in whole tiles: rows as they lie, but those of the last tile, and all
/// where a row is no whole number of steps, copied with zeros around them.
class LeftRows {
 public:
  LeftRows(const ConstMatrix& x, std::size_t steps, Arena& scratch)
      : x_(x), stride_(static_cast<std::size_t>(x.stride) * size_of(x.dtype)) {
    const std::size_t used = static_cast<std::size_t>(x.cols) * size_of(x.dtype);
    const std::size_t whole = steps * amx::kRowBytes;
    copied_from_ = used == whole ? x.rows / kTileRows * kTileRows : 0;
    if (copied_from_ == x.rows) return;
    // A block begins at a multiple of its rows, so the copies begin there too.
    copied_from_ = copied_from_ / kBlock * kBlock;
    const auto count = static_cast<std::size_t>(round_up(x.rows - copied_from_, kTileRows));
    copy_stride_ = whole;
    copies_ = scratch.take_bytes(count * whole);
    std::memset(copies_, 0, count * whole);
    for (std::int64_t row = copied_from_; row < x.rows; ++row) {
      std::memcpy(copies_ + static_cast<std::size_t>(row - copied_from_) * whole, x.row(row), used);
    }
  }

  /// The rows from `row` on, a multiple of kBlock.
  void point(amx::PanelProduct& product, std::int64_t row) const {
    const bool copied = row >= copied_from_ && copies_ != nullptr;
    product.rows = copied ? copies_ + static_cast<std::size_t>(row - copied_from_) * copy_stride_
                          : x_.row(row);
    product.row_stride = copied ? copy_stride_ : stride_;
    product.two = x_.rows - row > kTileRows;
  }

 private:
  ConstMatrix x_;
  std::size_t stride_ = 0, copy_stride_ = 0;
  std::int64_t copied_from_ = 0;
  std::byte* copies_ = nullptr;
};

}  // namespace

bool multiplies_on_tiles(DType compute) {
  return (compute == DType::bf16 || compute == DType::i8) && has_tiles();
}

TileMatrix::TileMatrix(const ConstMatrix& from)
    : compute_(from.dtype == DType::i8 ? DType::i8 : DType::bf16), k_(from.cols) {
  const auto values = static_cast<std::int64_t>(amx::kRowBytes / size_of(compute_));  // of a step
  steps_ = static_cast<std::size_t>((k_ + values - 1) / values);
  const std::int64_t panels = (from.rows + kPanel - 1) / kPanel;
  bytes_ = map_memory(static_cast<std::size_t>(panels) * panel_bytes());
  alignas(amx::kRowBytes) std::byte rows[amx::kTileBytes];
  auto* to = reinterpret_cast<std::uint32_t*>(bytes_.get());
  for (std::int64_t panel = 0; panel < panels; ++panel) {
    for (std::size_t step = 0; step < steps_; ++step) {
      const std::int64_t begin = static_cast<std::int64_t>(step) * values;
      const auto count = static_cast<std::size_t>(std::min(values, k_ - begin));
      for (std::int64_t tile = 0; tile < 2; ++tile) {
        const std::int64_t first = panel * kPanel + tile * static_cast<std::int64_t>(amx::kColumns);
        std::memset(rows, 0, sizeof(rows));
        for (std::size_t r = 0; r < amx::kColumns; ++r) {
          const std::int64_t row = first + static_cast<std::int64_t>(r);
          if (row >= from.rows) break;
          HWY_DYNAMIC_DISPATCH(LoadWeights)(from, row, begin, count, rows + r * amx::kRowBytes);
        }
        HWY_DYNAMIC_DISPATCH(PackTile)
        (reinterpret_cast<const std::uint32_t*>(rows), amx::kColumns, to);
        to += amx::kTileBytes / sizeof(std::uint32_t);
      }
    }
  }
}

std::size_t TileMatrix::panel_bytes() const { return steps_ * 2 * amx::kTileBytes; }

const std::byte* TileMatrix::panel(std::int64_t column) const {
  return bytes_.get() + static_cast<std::size_t>(column / kPanel) * panel_bytes();
}

namespace {

/// A block whose sums are made.
struct Block {
  const float* sums = nullptr;  ///< [y.rows, kPanelColumns]; the bits of i32 for int8
  std::int64_t row = 0, col = 0;
  Matrix y;  ///< its part of the result
};

void finish(const TileProduct& product, const Block& block) {
  const float* const bias = product.bias + block.col;
  if (product.w.compute() == DType::bf16) {
    HWY_DYNAMIC_DISPATCH(Finish)(block.sums, bias, product.epilogue, block.y);
    return;
  }
  const auto& factors = product.factors;
  dequantize_rows(
      {.sums = reinterpret_cast<const std::int32_t*>(block.sums),
       .stride = kPanel,
       .x = {.scales = factors.x.scales + block.row, .zeros = factors.x.zeros + block.row},
       .channel_scales = factors.channel_scales + block.col,
       .channel_sums = factors.channel_sums + block.col,
       .bias = bias,
       .epilogue = product.epilogue,
       .y = block.y});
}

}  // namespace

void multiply_tiles(const TileProduct& product, Arena& scratch) {
  const auto& [x, w, begin, bias, epilogue, y, factors] = product;
  if (x.rows == 0 || y.cols == 0) return;
  const LeftRows left(x, w.steps(), scratch);
  const auto values = w.compute() == DType::i8 ? amx::Values::int8 : amx::Values::bf16;
  alignas(amx::kRowBytes) float sums[amx::kBlockRows * amx::kPanelColumns];
  const auto blocks = static_cast<std::size_t>((x.rows + kBlock - 1) / kBlock);
  amx::PanelProduct panel{.steps = w.steps()};
  // The next panel is fetched in equal parts by all blocks of this one.
  constexpr std::size_t kLines = 2 * amx::kTileBytes / amx::kRowBytes;  // of a step
  panel.fetched_lines = (kLines + blocks - 1) / blocks;
  const amx::Tiles tiles;
  for (std::int64_t col = 0; col < y.cols; col += kPanel) {
    const bool last = col + kPanel >= y.cols;
    panel.panel = w.panel(begin + col);
    for (std::int64_t row = 0; row < x.rows; row += kBlock) {
      left.point(panel, row);
      const auto part = static_cast<std::size_t>(row / kBlock);
      panel.next = panel.panel + (last ? 0 : w.panel_bytes()) +
                   part * panel.fetched_lines * amx::kRowBytes * w.steps();
      amx::multiply_panel(values, panel, sums);
      finish(product, {.sums = sums,
                       .row = row,
                       .col = col,
                       .y = y.rows_from(row, std::min(kBlock, x.rows - row))
                                .cols_from(col, std::min(kPanel, y.cols - col))});
    }
  }
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
