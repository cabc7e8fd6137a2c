// Linear layers on packed weights. A product always runs on the thread that calls it: this file,
// not oneDNN, divides rows and columns, so a row's arithmetic never depends on its neighbours.
#include "ops/linear.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/arena.h"
#include "core/parallel.h"
#include "ops/cpu/cpu_device.h"
#include "ops/cpu/quantize.h"
#include "ops/cpu/row_work.h"
#include "ops/cpu/rows.h"
#include "ops/cpu/state.h"
#include "ops/cpu/tile_linear.h"

namespace cloze::ops {

namespace {

struct PackedWeight final : LinearWeight::Packed {
  PackedWeight(const ConstMatrix& from, DType compute) {
    if (multiplies_on_tiles(compute)) {
      tiles.emplace(from);
    } else {
      matrix.emplace(from, compute);
    }
  }

  /// Whether whole granules of columns are weights of their own.
  [[nodiscard]] bool divisible() const { return tiles || matrix->divisible(); }

  std::optional<TileMatrix> tiles;     ///< either this,
  std::optional<PackedMatrix> matrix;  ///< or this
  std::vector<float> bias;             ///< padded to whole granules
  QuantizedChannels channels;          ///< of int8 weights, padded likewise
};

/// ops::linear has seen that this device packed the weight.
const PackedWeight& packed_of(const LinearWeight& weight) {
  return static_cast<const PackedWeight&>(weight.packed());  // NOLINT(*-static-cast-downcast)
}

}  // namespace

std::shared_ptr<const LinearWeight::Packed> CpuDevice::pack(std::span<const Tensor> weights,
                                                            std::span<const Tensor> biases,
                                                            DType compute) const {
  const std::int64_t k = weights[0].dim(1);
  std::int64_t n = 0;
  for (const auto& weight : weights) n += weight.dim(0);
  std::vector<float> all_biases(static_cast<std::size_t>(n), 0.0F);
  std::size_t at = 0;
  for (const auto& bias : biases) {
    const auto values = bias.to(DType::f32);
    std::memcpy(all_biases.data() + at, values.bytes().data(), values.bytes().size());
    at += static_cast<std::size_t>(bias.numel());
  }

  const auto padded = static_cast<std::size_t>(granules_of(n) * kColumnGranule);
  all_biases.resize(padded, 0.0F);

  // The parts one above the other as the checkpoint has them, [n, k] row-major; a single f32 or
  // bf16 part is packed straight from the mapped file.
  const bool quantized = compute == DType::i8;
  // Copies are memory of the system, given back at once: the heap would keep holes of their size.
  ConstMatrix from;
  std::shared_ptr<std::byte> stacked, rounded;
  if (weights.size() == 1 && weights[0].dtype() != DType::f16 && !quantized) {
    from = matrix_of(weights[0]);
  } else {
    stacked = map_memory(static_cast<std::size_t>(n * k) * sizeof(float));
    auto* to = stacked.get();
    for (const auto& weight : weights) {
      const auto values = weight.to(DType::f32);
      std::memcpy(to, values.bytes().data(), values.bytes().size());
      to += values.bytes().size();
    }
    from = {stacked.get(), DType::f32, n, k, k};
  }
  QuantizedChannels channels;
  if (quantized) {
    const auto count = static_cast<std::size_t>(n * k);
    rounded = map_memory(count);
    channels = quantize_weights({reinterpret_cast<const float*>(stacked.get()), count}, n,
                                accelerates(DType::i8) ? 127 : 63,
                                {reinterpret_cast<std::int8_t*>(rounded.get()), count});
    channels.scales.resize(padded, 0.0F);
    channels.sums.resize(padded, 0);
    from = {rounded.get(), DType::i8, n, k, k};
  }
  auto packed = std::make_shared<PackedWeight>(from, compute);
  packed->bias = std::move(all_biases);
  packed->channels = std::move(channels);
  return packed;
}

namespace {

/// Rows of x against columns of a weight in tiles.
void multiply_on_tiles(Context& context, const ConstMatrix& x, const LinearWeight& weight,
                       Epilogue epilogue, const Matrix& y, std::int64_t begin,
                       const QuantizedFactors& factors = {}) {
  const auto& packed = packed_of(weight);
  multiply_tiles({.x = x,
                  .w = *packed.tiles,
                  .begin = begin,
                  .bias = packed.bias.data() + begin,
                  .epilogue = epilogue,
                  .y = y,
                  .factors = factors},
                 worker_of(context).scratch);
}

/// Rows of x (in the weight's compute dtype; u8 for int8) against the weight's columns
/// [begin, begin + y.cols), on the calling thread. Where y ends inside the weight, its columns are
/// whole granules.
void multiply_alike(Context& context, ConstMatrix x, const LinearWeight& weight, Epilogue epilogue,
                    Matrix y, std::int64_t begin) {
  const auto& packed = packed_of(weight);
  const bool biased = weight.compute() != DType::i8;
  worker_of(context).products.run({.m = x.rows,
                                   .n = y.cols,
                                   .k = x.cols,
                                   .x_stride = x.cols,
                                   .y_stride = y.cols,
                                   .compute = weight.compute(),
                                   .y_dtype = y.dtype,
                                   .epilogue = epilogue,
                                   .packed = true,
                                   .biased = biased},
                                  {.x = x.data,
                                   .w = packed.matrix->columns_from(begin),
                                   .bias = biased ? packed.bias.data() + begin : nullptr,
                                   .y = y.data},
                                  &*packed.matrix);
}

/// The same, in such a way that a row's bits do not depend on how many rows there are: where oneDNN
/// multiplies some rows together, rows that are no whole number of those are copied, with zeros below.
void multiply_packed(Context& context, ConstMatrix x, const LinearWeight& weight, Epilogue epilogue,
                     Matrix y, std::int64_t begin) {
  const auto granules = row_granules(weight.compute());
  const std::int64_t whole = x.rows / granules.block * granules.block, rest = x.rows - whole;
  const std::int64_t filled = (rest + granules.tile - 1) / granules.tile * granules.tile;
  if (rest == 0) return multiply_alike(context, x, weight, epilogue, y, begin);
  auto& scratch = worker_of(context).scratch;
  const auto copy_of = [&](const ConstMatrix& from) {
    const auto row_bytes = static_cast<std::size_t>(from.cols) * size_of(from.dtype);
    auto* const bytes = scratch.take_bytes(static_cast<std::size_t>(filled) * row_bytes);
    for (std::int64_t row = 0; row < rest; ++row) {
      std::memcpy(bytes + static_cast<std::size_t>(row) * row_bytes, from.row(whole + row),
                  row_bytes);
    }
    std::memset(bytes + static_cast<std::size_t>(rest) * row_bytes, 0,
                static_cast<std::size_t>(filled - rest) * row_bytes);
    return Matrix{bytes, from.dtype, filled, from.cols, from.cols};
  };
  const Matrix last = copy_of(x), result = copy_of(y);  // epilogues may add to y
  if (whole > 0) {
    multiply_alike(context, x.rows_from(0, whole), weight, epilogue, y.rows_from(0, whole), begin);
  }
  multiply_alike(context, last, weight, epilogue, result, begin);
  for (std::int64_t row = 0; row < rest; ++row) {
    std::memcpy(y.row(whole + row), result.row(row),
                static_cast<std::size_t>(y.cols) * size_of(y.dtype));
  }
}

/// A dense block of scratch for `columns` of y, as wide as the product that fills it must be.
Matrix block_for(Arena& scratch, const LinearWeight& weight, DType dtype, std::int64_t rows,
                 std::int64_t columns) {
  const bool divided = packed_of(weight).divisible() && columns < weight.out_features();
  const std::int64_t wide = divided ? granules_of(columns) * kColumnGranule : columns;
  auto* bytes = scratch.take_bytes(static_cast<std::size_t>(rows * wide) * size_of(dtype));
  return {bytes, dtype, rows, wide, wide};
}

/// Whether this epilogue of bf16 layers is applied by rows here: oneDNN's own gelu takes a tenth of
/// the product's time, the polynomial that bf16 needs a fiftieth.
bool finishes_gelu(const LinearWeight& weight, Epilogue epilogue, const Matrix& y) {
  return epilogue == Epilogue::gelu && weight.compute() == DType::bf16 && y.dtype == DType::bf16;
}

/// The columns [begin, begin + y.cols) into a wider y, by way of a dense block that is still in
/// cache when it is finished and copied.
void multiply_columns(Context& context, ConstMatrix x, const LinearWeight& weight,
                      Epilogue epilogue, Matrix y, std::int64_t begin) {
  if (packed_of(weight).tiles) return multiply_on_tiles(context, x, weight, epilogue, y, begin);
  const bool add = epilogue == Epilogue::add, gelu = finishes_gelu(weight, epilogue, y);
  const DType dtype = add || gelu ? DType::f32 : y.dtype;
  const auto block = block_for(worker_of(context).scratch, weight, dtype, y.rows, y.cols);
  multiply_packed(context, x, weight, add || gelu ? Epilogue::none : epilogue, block, begin);
  for (std::int64_t row = 0; row < y.rows; ++row) {
    const auto* values = reinterpret_cast<const float*>(block.row(row));
    if (add) {
      add_row(values, y, row);
    } else if (gelu) {
      gelu_row(values, y, row);
    } else {
      std::memcpy(y.row(row), block.row(row), static_cast<std::size_t>(y.cols) * size_of(y.dtype));
    }
  }
}

/// All columns, a block at a time.
void multiply_blocks(Context& context, ConstMatrix x, const LinearWeight& weight, Epilogue epilogue,
                     Matrix y) {
  constexpr std::int64_t kBlock = 384;
  const std::int64_t step = packed_of(weight).divisible() ? kBlock : y.cols;
  for (std::int64_t at = 0; at < y.cols; at += step) {
    worker_of(context).scratch.reset();
    multiply_columns(context, x, weight, epilogue, y.cols_from(at, std::min(step, y.cols - at)),
                     at);
  }
}

/// int8: the rows are quantized, multiplied a block of columns at a time while the sums stay in
/// cache, and brought back with scales, bias and epilogue.
void multiply_quantized(Context& context, ConstMatrix x, const LinearWeight& weight,
                        Epilogue epilogue, Matrix y, std::int64_t begin) {
  constexpr std::int64_t kBlock = 768;
  auto& scratch = worker_of(context).scratch;
  const QuantizedRows rows{scratch.take<std::uint8_t>(x.rows * x.cols).data(),
                           scratch.take<float>(x.rows).data(),
                           scratch.take<std::int32_t>(x.rows).data()};
  quantize_rows(x, scratch.take<float>(x.cols + 64).data(), rows);
  const ConstMatrix values{reinterpret_cast<const std::byte*>(rows.values), DType::u8, x.rows,
                           x.cols, x.cols};
  const auto& packed = packed_of(weight);
  if (packed.tiles) {
    return multiply_on_tiles(context, values, weight, epilogue, y, begin,
                             {.x = rows,
                              .channel_scales = packed.channels.scales.data() + begin,
                              .channel_sums = packed.channels.sums.data() + begin});
  }
  const std::int64_t step = packed.divisible() ? kBlock : y.cols;
  auto block = block_for(scratch, weight, DType::i32, y.rows, std::min(step, y.cols));
  for (std::int64_t at = 0; at < y.cols; at += step) {
    const std::int64_t columns = std::min(step, y.cols - at);
    if (columns < step && y.cols > step) {
      block.cols = block.stride = granules_of(columns) * kColumnGranule;
    }
    multiply_packed(context, values, weight, Epilogue::none, block, begin + at);
    dequantize_rows({.sums = reinterpret_cast<const std::int32_t*>(block.data),
                     .stride = block.stride,
                     .x = rows,
                     .channel_scales = packed.channels.scales.data() + begin + at,
                     .channel_sums = packed.channels.sums.data() + begin + at,
                     .bias = packed.bias.data() + begin + at,
                     .epilogue = epilogue,
                     .y = y.cols_from(at, columns)});
  }
}

}  // namespace

void CpuDevice::linear(Context& context, ConstMatrix x, const LinearWeight& weight,
                       Epilogue epilogue, Matrix y) const {
  const bool quantized = weight.compute() == DType::i8;
  if (x.cols != weight.in_features() || y.cols != weight.out_features() || x.rows != y.rows ||
      (x.dtype != weight.compute() && !quantized) || x.stride != x.cols || y.stride != y.cols) {
    throw ArgumentError(
        fmt::format("a linear layer {} -> {} in {} was given x [{}, {}] of {} and y [{}, {}]",
                    weight.in_features(), weight.out_features(), name_of(weight.compute()), x.rows,
                    x.cols, name_of(x.dtype), y.rows, y.cols));
  }
  if (x.rows == 0) return;
  const auto timed = [&](std::int64_t rows, std::int64_t columns) {
    const auto m = static_cast<double>(rows), n = static_cast<double>(columns);
    const auto k = static_cast<double>(weight.in_features());
    const double bytes = m * k * static_cast<double>(size_of(x.dtype)) +
                         m * n * static_cast<double>(size_of(y.dtype)) +
                         n * k * static_cast<double>(size_of(weight.compute()));
    return Timed(context,
                 {.kind = OperationKey::Kind::linear,
                  .k = weight.in_features(),
                  .n = weight.out_features(),
                  .epilogue = epilogue},
                 2 * m * n * k, bytes);
  };
  const auto all_columns = [&](ConstMatrix rows, Matrix to) {
    const auto time = timed(rows.rows, to.cols);
    worker_of(context).scratch.reset();
    if (quantized) {
      multiply_quantized(context, rows, weight, epilogue, to, 0);
    } else if (packed_of(weight).tiles) {
      multiply_on_tiles(context, rows, weight, epilogue, to, 0);
    } else if (finishes_gelu(weight, epilogue, to)) {
      multiply_blocks(context, rows, weight, epilogue, to);
    } else {
      multiply_packed(context, rows, weight, epilogue, to, 0);
    }
  };
  if (in_parallel()) {
    all_columns(x, y);
    return;
  }
  state_of(context).prepare();
  const std::int64_t tile = max_tile_rows(x.rows);
  if (tile < x.rows) {
    for_row_tiles(x.rows, [&](std::int64_t begin, std::int64_t count, int) {
      all_columns(x.rows_from(begin, count), y.rows_from(begin, count));
    });
    return;
  }
  const std::int64_t granules = granules_of(y.cols);
  const std::int64_t parts =
      !packed_of(weight).divisible() ? 1 : std::min<std::int64_t>(num_threads(), granules);
  if (parts == 1) {
    all_columns(x, y);
    return;
  }
  parallel_tasks(context, parts, [&](std::int64_t part) {
    worker_of(context).scratch.reset();
    const std::int64_t begin = granules * part / parts * kColumnGranule;
    const std::int64_t end = std::min(granules * (part + 1) / parts * kColumnGranule, y.cols);
    const auto columns = y.cols_from(begin, end - begin);
    const auto time = timed(columns.rows, columns.cols);
    if (quantized) {
      multiply_quantized(context, x, weight, epilogue, columns, begin);
    } else {
      multiply_columns(context, x, weight, epilogue, columns, begin);
    }
  });
}

}  // namespace cloze::ops
