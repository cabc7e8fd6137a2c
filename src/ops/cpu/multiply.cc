// Products of matrices as they lie in memory, on oneDNN's matmul. Its gemm takes any strides and
// transpositions at nine tenths and more of the rate of packed weights, which is less than packing
// would cost for weights that change with every step.
#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "ops/cpu/cpu_device.h"
#include "ops/cpu/state.h"
#include "ops/linear.h"

namespace cloze::ops {
namespace {

// A part of the larger side of a product, at most: enough tasks to share out, few enough that the
// other side is not packed too often.
constexpr std::int64_t kPart = 768;
constexpr std::int64_t kGranule = 16;
// Rows of a thread from which on rows are divided however many columns there are: each thread then
// packs all of b, but c's parts are dense, and oneDNN has a faster kernel for those.
constexpr std::int64_t kManyRows = 256;
// Deeper products are summed in slices: oneDNN's rate falls when a slice of b leaves the cache.
constexpr std::int64_t kDeep = 4096, kSlice = 1024;

void require_fit(const Factor& a, const Factor& b, const Matrix& c, std::size_t bias) {
  const bool sizes = a.cols() == b.rows() && a.rows() == c.rows && b.cols() == c.cols &&
                     (bias == 0 || static_cast<std::int64_t>(bias) == c.cols);
  const bool dtypes =
      a.matrix.dtype == b.matrix.dtype && (c.dtype == a.matrix.dtype || c.dtype == DType::f32);
  if (sizes && dtypes) return;
  throw ArgumentError(fmt::format(
      "a product of [{}, {}] in {} and [{}, {}] in {} was to fill [{}, {}] in {} with a bias of {}",
      a.rows(), a.cols(), name_of(a.matrix.dtype), b.rows(), b.cols(), name_of(b.matrix.dtype),
      c.rows, c.cols, name_of(c.dtype), bias));
}

Factor part_of_rows(const Factor& a, std::int64_t begin, std::int64_t count) {
  return {a.transposed ? a.matrix.cols_from(begin, count) : a.matrix.rows_from(begin, count),
          a.transposed};
}

Factor part_of_cols(const Factor& b, std::int64_t begin, std::int64_t count) {
  return {b.transposed ? b.matrix.rows_from(begin, count) : b.matrix.cols_from(begin, count),
          b.transposed};
}

/// How a product is stored: c = a·b + bias, or c += a·b.
struct Storing {
  bool accumulate = false;
  std::span<const float> bias = {};
};

void run(Context& context, const Factor& a, const Factor& b, const Matrix& c,
         const Storing& storing) {
  worker_of(context).products.run(
      {.m = c.rows,
       .n = c.cols,
       .k = a.cols(),
       .x_stride = a.matrix.stride,
       .w_stride = b.matrix.stride,
       .y_stride = c.stride,
       .compute = a.matrix.dtype,
       .y_dtype = c.dtype,
       .epilogue = storing.accumulate ? Epilogue::add : Epilogue::none,
       .x_transposed = a.transposed,
       .w_transposed = b.transposed,
       .biased = !storing.bias.empty()},
      {.x = a.matrix.data, .w = b.matrix.data, .bias = storing.bias.data(), .y = c.data});
}

/// The whole product on the calling thread.
void multiply_here(Context& context, const Factor& a, const Factor& b, const Matrix& c,
                   const Storing& storing) {
  const std::int64_t depth = a.cols();
  const std::int64_t slice = depth > kDeep && c.dtype == DType::f32 ? kSlice : depth;
  if (depth == 0) {
    throw ArgumentError("a product of matrices without inner values");
  }
  for (std::int64_t at = 0; at < depth; at += slice) {
    const std::int64_t count = std::min(slice, depth - at);
    run(context, part_of_cols(a, at, count), part_of_rows(b, at, count), c,
        at == 0 ? storing : Storing{.accumulate = true});
  }
}

void multiply_all(Context& context, const Factor& a, const Factor& b, const Matrix& c,
                  const Storing& storing) {
  const auto& bias = storing.bias;
  require_fit(a, b, c, bias.size());
  if (c.rows == 0 || c.cols == 0) return;
  if (in_parallel()) {
    multiply_here(context, a, b, c, storing);
    return;
  }
  state_of(context).prepare();
  const std::int64_t threads = num_threads();
  const bool by_rows = c.rows >= c.cols || (!a.transposed && c.rows >= threads * kManyRows);
  const std::int64_t size = by_rows ? c.rows : c.cols;
  const std::int64_t rounds = (size + threads * kPart - 1) / (threads * kPart);
  const std::int64_t wanted = (size + threads * rounds - 1) / (threads * rounds);
  const std::int64_t part = (wanted + kGranule - 1) / kGranule * kGranule;
  // The gradient of a weight is the product whose first factor lies transposed.
  const OperationKey key =
      a.transposed
          ? OperationKey{.kind = OperationKey::Kind::weight_gradient, .k = c.rows, .n = c.cols}
          : OperationKey{.kind = OperationKey::Kind::multiply, .k = a.cols(), .n = c.cols};
  parallel_tasks(context, (size + part - 1) / part, [&](std::int64_t index) {
    const std::int64_t begin = index * part, count = std::min(part, size - begin);
    const auto m = static_cast<double>(by_rows ? count : c.rows);
    const auto n = static_cast<double>(by_rows ? c.cols : count);
    const auto k = static_cast<double>(a.cols());
    const Timed time(context, key, 2 * m * n * k,
                     (m * k + k * n) * static_cast<double>(size_of(a.matrix.dtype)) +
                         m * n * static_cast<double>(size_of(c.dtype)));
    if (by_rows) {
      multiply_here(context, part_of_rows(a, begin, count), b, c.rows_from(begin, count), storing);
    } else {
      Storing part = storing;
      if (!bias.empty()) {
        part.bias = bias.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
      }
      multiply_here(context, a, part_of_cols(b, begin, count), c.cols_from(begin, count), part);
    }
  });
}

}  // namespace

void CpuDevice::multiply(Context& context, const Factor& a, const Factor& b, Matrix c,
                         std::span<const float> bias) const {
  multiply_all(context, a, b, c, {.bias = bias});
}

void CpuDevice::multiply_add(Context& context, const Factor& a, const Factor& b, Matrix c) const {
  if (c.dtype != DType::f32) throw ArgumentError("products are added up in f32 only");
  multiply_all(context, a, b, c, {.accumulate = true});
}

}  // namespace cloze::ops
