// Attention within packed sequences. One task is one sequence's head (or a part of its queries):
// keys and values are laid out once for the two products, then tiles of queries pass through scores
// -> softmax -> values while their scores stay in cache. Nothing of size length² is kept.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/attention.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include "ops/cpu/attention.h"

#include <cmath>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "ops/cpu/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

constexpr std::size_t kRows = 4;  // query rows of the register tile

/// c [kRows, kVectors·lanes] = a [kRows, depth] · b [depth, kVectors·lanes]. With 4 rows and 4
/// vectors each step of depth does 16 multiply-adds on 4 loads and 4 broadcasts, so arithmetic is
/// the limit.
template <std::size_t kVectors>
HWY_INLINE void RegisterTile(const float* HWY_RESTRICT a, std::size_t a_stride,
                             const float* HWY_RESTRICT b, std::size_t b_stride, std::size_t depth,
                             float* HWY_RESTRICT c, std::size_t c_stride) {
  const F32 d;
  const std::size_t lanes = hn::Lanes(d);
  hn::Vec<F32> sum[kRows][kVectors];
  for (auto& row : sum) {
    for (auto& value : row) value = hn::Zero(d);
  }
  for (std::size_t k = 0; k < depth; ++k) {
    hn::Vec<F32> right[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v)
      right[v] = hn::LoadU(d, b + k * b_stride + v * lanes);
    for (std::size_t r = 0; r < kRows; ++r) {
      const auto left = hn::Set(d, a[r * a_stride + k]);
      for (std::size_t v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(left, right[v], sum[r][v]);
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      hn::StoreU(sum[r][v], d, c + r * c_stride + v * lanes);
    }
  }
}

/// c [rows, cols] = a [rows, depth] · b [depth, cols]; rows a multiple of kRows, cols of lanes.
void Multiply(const float* a, std::size_t a_stride, const float* b, std::size_t b_stride,
              std::size_t rows, std::size_t depth, std::size_t cols, float* c,
              std::size_t c_stride) {
  const std::size_t lanes = hn::Lanes(F32());
  // Columns outside, so that a slice of b stays in the first-level cache for all rows.
  const auto slice = [&]<std::size_t kVectors>(std::size_t col) {
    for (std::size_t r = 0; r < rows; r += kRows) {
      RegisterTile<kVectors>(a + r * a_stride, a_stride, b + col, b_stride, depth,
                             c + r * c_stride + col, c_stride);
    }
  };
  std::size_t col = 0;
  for (; col + 4 * lanes <= cols; col += 4 * lanes) slice.template operator()<4>(col);
  switch ((cols - col) / lanes) {
    case 3:
      slice.template operator()<3>(col);
      break;
    case 2:
      slice.template operator()<2>(col);
      break;
    case 1:
      slice.template operator()<1>(col);
      break;
    default:
      break;
  }
}

/// row[0, cols) = exp(scale·row - max(scale·row)); returns the sum.
float ExponentiateRow(float* HWY_RESTRICT row, std::size_t cols, float scale) {
  const F32 d;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t whole = cols / lanes * lanes;
  const auto scales = hn::Set(d, scale);
  auto most = hn::Set(d, -std::numeric_limits<float>::infinity());
  std::size_t i = 0;
  for (; i < whole; i += lanes) most = hn::Max(most, hn::LoadU(d, row + i));
  const auto tail = hn::FirstN(d, cols - whole);
  if (whole < cols) {
    most = hn::Max(most, hn::IfThenElse(tail, hn::LoadU(d, row + whole), most));
  }
  const auto shift = hn::Neg(hn::Mul(hn::MaxOfLanes(d, most), scales));
  auto sums = hn::Zero(d);
  for (i = 0; i < whole; i += lanes) {
    const auto value = hn::Exp(d, hn::MulAdd(hn::LoadU(d, row + i), scales, shift));
    sums = hn::Add(sums, value);
    hn::StoreU(value, d, row + i);
  }
  if (whole < cols) {  // rows are padded to whole vectors, so the whole vector may be touched
    const auto value = hn::Exp(d, hn::MulAdd(hn::LoadU(d, row + whole), scales, shift));
    const auto kept = hn::IfThenElseZero(tail, value);
    sums = hn::Add(sums, kept);
    hn::StoreU(kept, d, row + whole);
  }
  return hn::GetLane(hn::SumOfLanes(d, sums));
}

void ScaleRow(float* row, std::size_t cols, float scale) {
  const F32 d;
  for (std::size_t i = 0; i < cols; i += hn::Lanes(d)) {
    hn::StoreU(hn::Mul(hn::LoadU(d, row + i), hn::Set(d, scale)), d, row + i);
  }
}

void AttendHead(const HeadTask& task, Arena& scratch) {
  const auto length = static_cast<std::size_t>(task.length);
  const auto head_dim = static_cast<std::size_t>(task.head_dim);
  const std::size_t keys = padded(length), width = padded(head_dim);
  constexpr std::size_t kTile = kQueryTile;

  auto* key = scratch.take<float>(static_cast<std::int64_t>(head_dim * keys)).data();  // transposed
  auto* value = scratch.take<float>(static_cast<std::int64_t>(length * width)).data();
  auto* query = scratch.take<float>(static_cast<std::int64_t>(kTile * width)).data();
  auto* score = scratch.take<float>(static_cast<std::int64_t>(kTile * keys)).data();
  auto* output = scratch.take<float>(static_cast<std::int64_t>(kTile * width)).data();

  for (std::size_t t = 0; t < length; ++t) {
    const auto row = static_cast<std::int64_t>(t);
    LoadRow(task.k.dtype, task.k.row(row), head_dim, query);
    for (std::size_t i = 0; i < head_dim; ++i) key[i * keys + t] = query[i];
    LoadRow(task.v.dtype, task.v.row(row), head_dim, value + t * width);
  }
  for (std::size_t i = 0; i < head_dim; ++i) {
    for (std::size_t t = length; t < keys; ++t) key[i * keys + t] = 0.0F;
  }

  for (auto begin = static_cast<std::size_t>(task.query_begin);
       begin < static_cast<std::size_t>(task.query_end); begin += kTile) {
    const std::size_t count = std::min(kTile, static_cast<std::size_t>(task.query_end) - begin);
    const std::size_t rows = (count + kRows - 1) / kRows * kRows;
    for (std::size_t r = 0; r < count; ++r) {
      LoadRow(task.q.dtype, task.q.row(static_cast<std::int64_t>(begin + r)), head_dim,
              query + r * width);
    }
    std::fill(query + count * width, query + rows * width, 0.0F);
    Multiply(query, width, key, keys, rows, head_dim, keys, score, keys);
    float sums[kTile];
    for (std::size_t r = 0; r < rows; ++r) {
      sums[r] = ExponentiateRow(score + r * keys, length, task.scale);
    }
    Multiply(score, keys, value, width, rows, length, width, output, width);
    for (std::size_t r = 0; r < count; ++r) {
      ScaleRow(output + r * width, width, 1.0F / sums[r]);
      StoreRow(output + r * width, head_dim, task.y.dtype,
               task.y.row(static_cast<std::int64_t>(begin + r)));
      if (task.probabilities != nullptr) {
        ScaleRow(score + r * keys, keys, 1.0F / sums[r]);
        std::copy_n(score + r * keys, length, task.probabilities + (begin + r) * length);
      }
    }
  }
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "ops/cpu/device.h"

namespace cloze::ops {
HWY_EXPORT(AttendHead);

void attention(Context& context, ConstMatrix qkv, const AttentionShape& shape, Matrix y,
               std::span<float> probabilities) {
  const std::int64_t hidden = shape.heads * shape.head_dim;
  const auto sequences = static_cast<std::int64_t>(shape.cu_seqlens.size()) - 1;
  if (qkv.cols != 3 * hidden || y.cols != hidden || qkv.rows != y.rows || sequences < 0 ||
      shape.cu_seqlens.back() != qkv.rows) {
    throw ArgumentError(
        fmt::format("attention of {} heads of {} was given qkv [{}, {}] and y [{}, {}]",
                    shape.heads, shape.head_dim, qkv.rows, qkv.cols, y.rows, y.cols));
  }
  // Enough tasks for every thread, even with one sequence of few heads.
  const std::int64_t wanted = std::int64_t{4} * num_threads();
  const std::int64_t tasks = sequences * shape.heads;
  const std::int64_t parts =
      tasks == 0 || in_parallel() ? 1 : std::max<std::int64_t>(1, wanted / tasks);

  std::vector<std::int64_t> probabilities_begin;  // of each sequence
  if (!probabilities.empty()) {
    std::int64_t at = 0;
    for (std::int64_t s = 0; s < sequences; ++s) {
      const auto i = static_cast<std::size_t>(s);
      const std::int64_t length = shape.cu_seqlens[i + 1] - shape.cu_seqlens[i];
      probabilities_begin.push_back(at);
      at += shape.heads * length * length;
    }
    if (at != static_cast<std::int64_t>(probabilities.size())) {
      throw ArgumentError(
          fmt::format("attention probabilities need {} values, not {}", at, probabilities.size()));
    }
  }

  parallel_tasks(context, tasks * parts, [&](std::int64_t index) {
    const std::int64_t part = index % parts, head = index / parts % shape.heads;
    const auto sequence = static_cast<std::size_t>(index / parts / shape.heads);
    const std::int64_t first = shape.cu_seqlens[sequence];
    const std::int64_t length = shape.cu_seqlens[sequence + 1] - first;
    const std::int64_t tiles = (length + kQueryTile - 1) / kQueryTile;
    HeadTask task;
    task.query_begin = std::min(length, tiles * part / parts * kQueryTile);
    task.query_end = std::min(length, tiles * (part + 1) / parts * kQueryTile);
    if (task.query_begin == task.query_end) return;
    const auto rows = qkv.rows_from(first, length);
    task.q = rows.cols_from(head * shape.head_dim, shape.head_dim);
    task.k = rows.cols_from(hidden + head * shape.head_dim, shape.head_dim);
    task.v = rows.cols_from(2 * hidden + head * shape.head_dim, shape.head_dim);
    task.y = y.rows_from(first, length).cols_from(head * shape.head_dim, shape.head_dim);
    task.length = length;
    task.head_dim = shape.head_dim;
    task.scale = 1.0F / std::sqrt(static_cast<float>(shape.head_dim));
    if (!probabilities.empty()) {
      task.probabilities =
          probabilities.data() + probabilities_begin[sequence] + head * length * length;
    }
    auto& scratch = context.device().worker().scratch;
    scratch.reset();
    HWY_DYNAMIC_DISPATCH(AttendHead)(task, scratch);
  });
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
