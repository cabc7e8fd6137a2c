// Attention of a training step, forward and backward. A task is one sequence's head; its queries
// pass in tiles, whose scores stay in cache. The products run on the strided qkv as it lies; what
// is done to a row of scores in between is here.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/attention_training.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include <cmath>

#include "hwy/highway.h"
#include "ops/cpu/attention_tile-inl.h"
#include "ops/cpu/dropout-inl.h"
#include "ops/cpu/rows-inl.h"
#include "ops/cpu/training_rows.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

/// score = softmax(scale·score), probability = dropout(score) in its dtype.
void ProbabilityRow(float* score, std::size_t length, float scale, const Dropout& dropout,
                    std::int64_t dropout_row, float* factors, DType dtype, std::byte* probability) {
  const float sum = ExponentiateRow(score, length, scale);
  ScaleRow(score, padded(length), 1.0F / sum);
  if (!Drops(dropout)) {
    StoreRow(score, length, dtype, probability);
    return;
  }
  const F32 d;
  DropoutRow(dropout, dropout_row, length, factors);
  for (std::size_t i = 0; i < length; i += hn::Lanes(d)) {
    hn::StoreU(hn::Mul(hn::LoadU(d, score + i), hn::LoadU(d, factors + i)), d, factors + i);
  }
  StoreRow(factors, length, dtype, probability);
}

/// d_score = scale·P∘(dP - rowsum(P∘dP)) in its dtype, with dP = gradient∘dropout's factors, from
/// P = score.
void ScoreGradientRow(const float* score, float* gradient, std::size_t length, float scale,
                      const Dropout& dropout, std::int64_t dropout_row, float* factors, DType dtype,
                      std::byte* d_score) {
  const F32 d;
  const std::size_t lanes = hn::Lanes(d);
  const bool drops = Drops(dropout);
  if (drops) DropoutRow(dropout, dropout_row, length, factors);
  auto sums = hn::Zero(d);
  for (std::size_t i = 0; i < length; i += lanes) {
    auto g = hn::LoadU(d, gradient + i);
    if (drops) g = hn::Mul(g, hn::LoadU(d, factors + i));
    // Past the row's end the gradient holds anything, not-a-number included.
    g = hn::IfThenElseZero(hn::FirstN(d, std::min(length - i, lanes)), g);
    hn::StoreU(g, d, gradient + i);
    sums = hn::MulAdd(g, hn::LoadU(d, score + i), sums);
  }
  const auto sum = hn::SumOfLanes(d, sums), scales = hn::Set(d, scale);
  for (std::size_t i = 0; i < length; i += lanes) {
    const auto p = hn::Mul(hn::LoadU(d, score + i), scales);
    hn::StoreU(hn::Mul(p, hn::Sub(hn::LoadU(d, gradient + i), sum)), d, gradient + i);
  }
  StoreRow(gradient, length, dtype, d_score);
}

void ConvertRow(const float* from, std::size_t cols, DType dtype, std::byte* to) {
  StoreRow(from, cols, dtype, to);
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include <fmt/format.h>

#include "cloze/error.h"
#include "ops/cpu/multiply.h"

namespace cloze::ops {
HWY_EXPORT(ProbabilityRow);
HWY_EXPORT(ScoreGradientRow);
HWY_EXPORT(ConvertRow);

namespace {

constexpr std::int64_t kQueries = 128;  // of a tile
constexpr std::int64_t kPad = 128;      // columns that dropout makes together

/// One sequence's head, and a tile's buffers.
struct Head {
  std::int64_t length = 0, head_dim = 0;
  std::int64_t dropout_row = 0;  ///< of the first query
  float scale = 1;
  ConstMatrix q, k, v, d_y;
  Matrix y, d_q, d_k, d_v;
  Matrix score, probability, d_probability, d_score;  ///< [tile, length]
  float* factors = nullptr;
};

void require_attention(const ConstMatrix& qkv, const ConstMatrix& y, const AttentionShape& shape) {
  const std::int64_t hidden = shape.heads * shape.head_dim;
  if (qkv.cols != 3 * hidden || y.cols != hidden || qkv.rows != y.rows ||
      shape.cu_seqlens.empty() || shape.cu_seqlens.back() != qkv.rows || qkv.dtype != y.dtype) {
    throw ArgumentError(
        fmt::format("attention of {} heads of {} was given qkv [{}, {}] and y [{}, {}]",
                    shape.heads, shape.head_dim, qkv.rows, qkv.cols, y.rows, y.cols));
  }
}

Matrix take(Arena& scratch, DType dtype, std::int64_t rows, std::int64_t cols,
            std::int64_t stride) {
  const auto size = static_cast<std::size_t>(rows * stride) * size_of(dtype);
  return {scratch.take_bytes(size), dtype, rows, cols, stride};
}

/// The head `index` (sequence by sequence) with its buffers in the worker's scratch.
Head head_of(Context& context, ConstMatrix qkv, const AttentionShape& shape, std::int64_t index,
             bool backward) {
  const std::int64_t hidden = shape.heads * shape.head_dim, number = index % shape.heads;
  const auto sequence = static_cast<std::size_t>(index / shape.heads);
  const std::int64_t first = shape.cu_seqlens[sequence];
  Head head;
  head.length = shape.cu_seqlens[sequence + 1] - first;
  head.head_dim = shape.head_dim;
  head.dropout_row = number * qkv.rows + first;
  head.scale = 1.0F / std::sqrt(static_cast<float>(shape.head_dim));
  const auto rows = qkv.rows_from(first, head.length);
  head.q = rows.cols_from(number * shape.head_dim, shape.head_dim);
  head.k = rows.cols_from(hidden + number * shape.head_dim, shape.head_dim);
  head.v = rows.cols_from(2 * hidden + number * shape.head_dim, shape.head_dim);
  auto& scratch = context.device().worker().scratch;
  scratch.reset();
  const std::int64_t tile = std::min(kQueries, head.length);
  const std::int64_t wide = (head.length + kPad - 1) / kPad * kPad;
  head.factors = scratch.take<float>(wide).data();
  head.score = take(scratch, DType::f32, tile, head.length, wide);
  head.probability = take(scratch, qkv.dtype, tile, head.length, wide);
  if (backward) {
    head.d_probability = take(scratch, DType::f32, tile, head.length, wide);
    head.d_score = take(scratch, qkv.dtype, tile, head.length, wide);
  }
  return head;
}

/// Scores of the queries [begin, begin + count), their softmax, and its dropped form in compute.
void make_probabilities(Context& context, const Head& head, const Dropout& dropout,
                        std::int64_t begin, std::int64_t count) {
  multiply_here(context, {head.q.rows_from(begin, count)}, {head.k, true},
                head.score.rows_from(0, count), false);
  for (std::int64_t row = 0; row < count; ++row) {
    HWY_DYNAMIC_DISPATCH(ProbabilityRow)
    (reinterpret_cast<float*>(head.score.row(row)), static_cast<std::size_t>(head.length),
     head.scale, dropout, head.dropout_row + begin + row, head.factors, head.probability.dtype,
     head.probability.row(row));
  }
}

void attend(Context& context, const Head& head, const Dropout& dropout) {
  for (std::int64_t begin = 0; begin < head.length; begin += kQueries) {
    const std::int64_t count = std::min(kQueries, head.length - begin);
    make_probabilities(context, head, dropout, begin, count);
    multiply_here(context, {head.probability.rows_from(0, count)}, {head.v},
                  head.y.rows_from(begin, count), false);
  }
}

void attend_backward(Context& context, const Head& head, const Dropout& dropout) {
  // Keys' and values' gradients are sums over the tiles, rounded once.
  auto& scratch = context.device().worker().scratch;
  const auto sum = [&](const Matrix& to) {
    return head.length <= kQueries ? to : take(scratch, DType::f32, to.rows, to.cols, to.cols);
  };
  const Matrix d_k = sum(head.d_k), d_v = sum(head.d_v);
  for (std::int64_t begin = 0; begin < head.length; begin += kQueries) {
    const std::int64_t count = std::min(kQueries, head.length - begin);
    const bool more = begin > 0;
    make_probabilities(context, head, dropout, begin, count);
    const auto d_y = head.d_y.rows_from(begin, count);
    const auto d_probability = head.d_probability.rows_from(0, count);
    multiply_here(context, {head.probability.rows_from(0, count), true}, {d_y}, d_v, more);
    multiply_here(context, {d_y}, {head.v, true}, d_probability, false);
    for (std::int64_t row = 0; row < count; ++row) {
      HWY_DYNAMIC_DISPATCH(ScoreGradientRow)
      (reinterpret_cast<const float*>(head.score.row(row)),
       reinterpret_cast<float*>(d_probability.row(row)), static_cast<std::size_t>(head.length),
       head.scale, dropout, head.dropout_row + begin + row, head.factors, head.d_score.dtype,
       head.d_score.row(row));
    }
    const auto d_score = head.d_score.rows_from(0, count);
    multiply_here(context, {d_score}, {head.k}, head.d_q.rows_from(begin, count), false);
    multiply_here(context, {d_score, true}, {head.q.rows_from(begin, count)}, d_k, more);
  }
  if (head.length <= kQueries) return;
  for (const auto& [from, to] : {std::pair{d_k, head.d_k}, std::pair{d_v, head.d_v}}) {
    for (std::int64_t row = 0; row < head.length; ++row) {
      HWY_DYNAMIC_DISPATCH(ConvertRow)
      (reinterpret_cast<const float*>(from.row(row)), static_cast<std::size_t>(head.head_dim),
       to.dtype, to.row(row));
    }
  }
}

std::int64_t heads_in(const AttentionShape& shape) {
  return (static_cast<std::int64_t>(shape.cu_seqlens.size()) - 1) * shape.heads;
}

/// The time of a head: `products` matrix products of length² · head_dim.
Timed timed(Context& context, const AttentionShape& shape, const Head& head,
            OperationKey::Kind kind, double products) {
  const auto length = static_cast<double>(head.length), dim = static_cast<double>(head.head_dim);
  const double bytes = (products + 2) * length * dim * static_cast<double>(size_of(head.q.dtype));
  return {context,
          {.kind = kind, .k = shape.heads, .n = shape.head_dim},
          2 * products * length * length * dim,
          bytes};
}

}  // namespace

void attention_forward(Context& context, ConstMatrix qkv, const AttentionShape& shape,
                       const Dropout& dropout, Matrix y) {
  require_attention(qkv, y, shape);
  parallel_tasks(context, heads_in(shape), [&](std::int64_t index) {
    auto head = head_of(context, qkv, shape, index, false);
    const auto time = timed(context, shape, head, OperationKey::Kind::attention, 2);
    const auto sequence = static_cast<std::size_t>(index / shape.heads);
    head.y = y.rows_from(shape.cu_seqlens[sequence], head.length)
                 .cols_from(index % shape.heads * shape.head_dim, shape.head_dim);
    attend(context, head, dropout);
  });
}

void attention_backward(Context& context, ConstMatrix qkv, ConstMatrix d_y,
                        const AttentionShape& shape, const Dropout& dropout, Matrix d_qkv) {
  require_attention(qkv, d_y, shape);
  if (d_qkv.rows != qkv.rows || d_qkv.cols != qkv.cols || d_qkv.dtype != qkv.dtype) {
    throw ArgumentError("the gradient of qkv is not like qkv");
  }
  const std::int64_t hidden = shape.heads * shape.head_dim;
  parallel_tasks(context, heads_in(shape), [&](std::int64_t index) {
    auto head = head_of(context, qkv, shape, index, true);
    const auto time = timed(context, shape, head, OperationKey::Kind::attention_backward, 5);
    const std::int64_t first = shape.cu_seqlens[static_cast<std::size_t>(index / shape.heads)];
    const std::int64_t column = index % shape.heads * shape.head_dim;
    head.d_y = d_y.rows_from(first, head.length).cols_from(column, shape.head_dim);
    const auto rows = d_qkv.rows_from(first, head.length);
    head.d_q = rows.cols_from(column, shape.head_dim);
    head.d_k = rows.cols_from(hidden + column, shape.head_dim);
    head.d_v = rows.cols_from(2 * hidden + column, shape.head_dim);
    attend_backward(context, head, dropout);
  });
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
