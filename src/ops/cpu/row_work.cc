#include "ops/cpu/row_work.h"

#include <algorithm>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze::ops {
namespace {

constexpr std::int64_t kValuesATask = 8192;  // less than this is not worth another thread
constexpr std::int64_t kDropoutPad = 128;    // the columns that dropout makes together

}  // namespace

float* scratch_rows(Context& context, std::int64_t cols, std::int64_t count) {
  auto& scratch = worker_of(context).scratch;
  scratch.reset();
  return scratch.take<float>((cols + kRowPad) * count).data();
}

/// Calls `body(begin, count)` for pieces of y's rows, over the threads where that pays. A value is
/// read and written once.
void over_rows(Context& context, OperationKey::Kind kind, const Matrix& y,
               FunctionRef<void(std::int64_t, std::int64_t)> body) {
  const std::int64_t rows = y.rows, cols = y.cols;
  const std::int64_t piece =
      std::max<std::int64_t>(1, kValuesATask / std::max<std::int64_t>(cols, 1));
  const std::int64_t pieces = (rows + piece - 1) / piece;
  parallel_tasks(context, pieces, [&](std::int64_t index) {
    const std::int64_t count = std::min(piece, rows - index * piece);
    const Timed time(context, {.kind = kind}, 0,
                     2 * static_cast<double>(count * cols) * static_cast<double>(size_of(y.dtype)));
    body(index * piece, count);
  });
}

RowScratch row_scratch(Context& context, std::int64_t cols, int rows, std::span<const float> gamma,
                       std::span<const float> beta) {
  auto& arena = worker_of(context).scratch;
  arena.reset();
  const std::int64_t wide = (cols + kDropoutPad - 1) / kDropoutPad * kDropoutPad;
  RowScratch scratch;
  scratch.stride = wide;
  scratch.rows = arena.take<float>(wide * rows).data();
  const auto padded_copy = [&](std::span<const float> values) {
    const auto copy = arena.take<float>(wide);
    std::fill(std::copy(values.begin(), values.end(), copy.begin()), copy.end(), 0.0F);
    return copy.data();
  };
  if (!gamma.empty()) scratch.gamma = padded_copy(gamma);
  if (!beta.empty()) scratch.beta = padded_copy(beta);
  return scratch;
}

PartialSums partial_sums(Context& context, std::int64_t rows, std::int64_t cols,
                         std::int64_t kinds) {
  PartialSums partial;
  partial.blocks = (rows + kSumRows - 1) / kSumRows;
  partial.kinds = kinds;
  constexpr std::int64_t unit = 64;
  partial.stride = (cols + unit - 1) / unit * unit;
  auto& arena = state_of(context).sums;
  arena.reset();
  partial.values = arena.take<float>(partial.blocks * kinds * partial.stride);
  std::fill(partial.values.begin(), partial.values.end(), 0.0F);
  return partial;
}

void over_sum_blocks(Context& context, OperationKey::Kind kind, std::int64_t rows, double bytes,
                     FunctionRef<void(std::int64_t, std::int64_t, std::int64_t)> body) {
  parallel_tasks(context, (rows + kSumRows - 1) / kSumRows, [&](std::int64_t block) {
    const std::int64_t begin = block * kSumRows, count = std::min(kSumRows, rows - begin);
    const Timed time(context, {.kind = kind}, 0, bytes * static_cast<double>(count));
    body(begin, count, block);
  });
}

void add_partial_sums(Context& context, const PartialSums& partial, std::int64_t kind,
                      std::span<float> sums) {
  constexpr std::int64_t kPiece = 256;  // columns of a task
  const auto cols = static_cast<std::int64_t>(sums.size());
  parallel_tasks(context, (cols + kPiece - 1) / kPiece, [&](std::int64_t piece) {
    const std::int64_t begin = piece * kPiece, count = std::min(kPiece, cols - begin);
    double totals[kPiece] = {};
    for (std::int64_t block = 0; block < partial.blocks; ++block) {
      const float* values = partial.of(block, kind) + begin;
      for (std::int64_t i = 0; i < count; ++i) totals[i] += static_cast<double>(values[i]);
    }
    float* to = sums.data() + begin;
    for (std::int64_t i = 0; i < count; ++i) to[i] += static_cast<float>(totals[i]);
  });
}

double row_bytes(std::initializer_list<ConstMatrix> matrices) {
  double bytes = 0;
  for (const auto& matrix : matrices) {
    if (matrix.data == nullptr) continue;
    bytes += static_cast<double>(matrix.cols) * static_cast<double>(size_of(matrix.dtype));
  }
  return bytes;
}

void require_norm(const NormParameters& norm, std::int64_t cols) {
  if (static_cast<std::int64_t>(norm.gamma.size()) != cols ||
      static_cast<std::int64_t>(norm.beta.size()) != cols) {
    throw ArgumentError(
        fmt::format("a layer norm of {} values was given rows of {}", norm.gamma.size(), cols));
  }
}

void require_like(const ConstMatrix& x, const ConstMatrix& other, const char* what) {
  if (other.data != nullptr && (other.rows != x.rows || other.cols != x.cols)) {
    throw ArgumentError(fmt::format("{} is [{}, {}] beside rows of [{}, {}]", what, other.rows,
                                    other.cols, x.rows, x.cols));
  }
}

void require_columns(const ConstMatrix& x, std::size_t count, const char* what) {
  if (count != 0 && count != static_cast<std::size_t>(x.cols)) {
    throw ArgumentError(fmt::format("{} has {} values beside rows of {}", what, count, x.cols));
  }
}

}  // namespace cloze::ops
