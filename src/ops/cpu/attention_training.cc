// Attention of a training step, forward and backward. A task is one sequence's head: its operands
// are laid out once for the register-tiled products, then its queries pass in tiles, whose scores
// stay in cache. Nothing of size length² is kept from the forward to the backward.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/attention_training.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include "ops/cpu/attention_training.h"

#include <algorithm>
#include <cmath>

#include "hwy/highway.h"
#include "ops/cpu/attention_tile-inl.h"
#include "ops/cpu/dropout-inl.h"
#include "ops/cpu/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

constexpr std::size_t kTrainingTile = 64;  // queries whose scores are held at once

/// How operands lie for products whose depth goes in single f32 values. `Across` has the depth down
/// its rows, the others along them.
struct SingleLayout {
  using Steps = SingleSteps;
  static constexpr std::size_t kDepth = 1;  // values of a step

  /// to [rows, cols] = from, zero rows below.
  static void Rows(const ConstMatrix& from, std::size_t rows, float* to, std::size_t stride) {
    const auto count = static_cast<std::size_t>(from.rows);
    const auto cols = static_cast<std::size_t>(from.cols);
    for (std::size_t r = 0; r < count; ++r) {
      LoadRow(from.dtype, from.row(static_cast<std::int64_t>(r)), cols, to + r * stride);
    }
    std::fill(to + count * stride, to + rows * stride, 0.0F);
  }
  static void Across(const ConstMatrix& from, float* to, std::size_t stride) {
    Rows(from, static_cast<std::size_t>(from.rows), to, stride);
  }
  /// to [cols, stride] = the transpose of from, zeros up to `stride`.
  static void Transposed(const ConstMatrix& from, float* to, std::size_t stride, Arena& scratch) {
    const auto rows = static_cast<std::size_t>(from.rows);
    const auto cols = static_cast<std::size_t>(from.cols);
    auto* plain = Take<float>(scratch, rows * padded(cols));
    Rows(from, rows, plain, padded(cols));
    Transpose(plain, padded(cols), rows, cols, to, stride);
    for (std::size_t c = 0; c < cols; ++c) {
      std::fill(to + c * stride + rows, to + (c + 1) * stride, 0.0F);
    }
  }
  static float Exponentiate(float* row, std::size_t cols, float scale) {
    return ExponentiateRow(ExactExponential(), row, cols, scale);
  }
  /// A tile of scores as the left side of a product: to [rows, stride] = from.
  static void Tile(const float* from, std::size_t rows, std::size_t stride, float* to) {
    std::copy_n(from, rows * stride, to);
  }
  /// The same tile for a product whose depth is its rows: as it lies.
  static const float* TileAcross(const float* tile, std::size_t, std::size_t, float*) {
    return tile;
  }
};

#if CLOZE_MAY_HAVE_BF16
/// The same for products of bf16, whose depth goes in pairs of neighbours.
struct PairLayout {
  using Steps = PairSteps;
  static constexpr std::size_t kDepth = 2;

  static const BFloat16* RowOf(const ConstMatrix& from, std::size_t row) {
    return reinterpret_cast<const BFloat16*>(from.row(static_cast<std::int64_t>(row)));
  }
  static void Rows(const ConstMatrix& from, std::size_t rows, std::uint32_t* to,
                   std::size_t stride) {
    const auto count = static_cast<std::size_t>(from.rows);
    for (std::size_t r = 0; r < count; ++r) {
      std::memcpy(to + r * stride, RowOf(from, r),
                  static_cast<std::size_t>(from.cols) * sizeof(BFloat16));
    }
    std::fill(to + count * stride, to + rows * stride, 0U);
  }
  static void Across(const ConstMatrix& from, std::uint32_t* to, std::size_t stride) {
    const auto rows = static_cast<std::size_t>(from.rows);
    const auto cols = static_cast<std::size_t>(from.cols);
    std::size_t r = 0;
    for (; r + 2 <= rows; r += 2) {
      PairRows(RowOf(from, r), RowOf(from, r + 1), cols, to + r / 2 * stride);
      std::fill(to + r / 2 * stride + cols, to + (r / 2 + 1) * stride, 0U);
    }
    if (r == rows) return;
    auto* last = to + r / 2 * stride;
    for (std::size_t c = 0; c < cols; ++c) last[c] = RowOf(from, r)[c].bits;
    std::fill(last + cols, last + stride, 0U);
  }
  static void Transposed(const ConstMatrix& from, std::uint32_t* to, std::size_t stride, Arena&) {
    const auto rows = static_cast<std::size_t>(from.rows);
    const auto cols = static_cast<std::size_t>(from.cols) / 2;
    Transpose(reinterpret_cast<const std::uint32_t*>(from.data),
              static_cast<std::size_t>(from.stride) / 2, rows, cols, to, stride);
    for (std::size_t c = 0; c < cols; ++c) {
      std::fill(to + c * stride + rows, to + (c + 1) * stride, 0U);
    }
  }
  static float Exponentiate(float* row, std::size_t cols, float scale) {
    return ExponentiateRow(RoundedExponential(), row, cols, scale);
  }
  static void Tile(const float* from, std::size_t rows, std::size_t stride, std::uint32_t* to) {
    StoreRounded(from, rows * stride, reinterpret_cast<BFloat16*>(to));
  }
  static const std::uint32_t* TileAcross(const std::uint32_t* tile, std::size_t rows,
                                         std::size_t stride, std::uint32_t* to) {
    const auto* values = reinterpret_cast<const BFloat16*>(tile);
    for (std::size_t r = 0; r < rows; r += 2) {
      PairRows(values + r * stride, values + (r + 1) * stride, stride, to + r / 2 * stride);
    }
    return to;
  }
};
#endif

/// The operands of a head, laid out, and the buffers of a tile of its queries.
template <class Layout>
struct Head {
  using Element = typename Layout::Steps::Element;
  const TrainingHeadTask& task;
  std::size_t queries, length, head_dim;
  std::size_t keys;    ///< columns of a row of scores: the same for every instruction set
  std::size_t width;   ///< of rows of head_dim values
  std::size_t depth;   ///< steps of a row of head_dim values
  Element* key;        ///< transposed: [depth, keys]
  Element* query;      ///< a tile's [tile, width], of which `depth` count
  float* probability;  ///< a tile's [tile, keys]
  float* factors;      ///< dropout's, likewise; none without dropout
  Element* dropped;    ///< the product of the two, as a left side
  float* output;       ///< a tile's [tile, width]

  Head(const TrainingHeadTask& head, Arena& scratch)
      : task(head),
        queries(static_cast<std::size_t>(head.q.rows)),
        length(static_cast<std::size_t>(head.k.rows)),
        head_dim(static_cast<std::size_t>(head.k.cols)),
        keys(RoundUp(padded(length), kKeyColumns)),
        width(padded(head_dim)),
        depth(head_dim / Layout::kDepth),
        key(Take<Element>(scratch, depth * keys)),
        query(Take<Element>(scratch, kTrainingTile * width)),
        probability(Take<float>(scratch, kTrainingTile * keys)),
        factors(Drops(head.dropout) ? Take<float>(scratch, kTrainingTile * keys) : nullptr),
        dropped(Take<Element>(scratch, kTrainingTile * keys / Layout::kDepth)),
        output(Take<float>(scratch, kTrainingTile * width)) {
    Layout::Transposed(task.k, key, keys, scratch);
  }

  /// Rows of a tile's products: whole register tiles.
  [[nodiscard]] static std::size_t RowsOf(std::size_t count) { return RoundUp(count, kRows); }

  /// The probabilities of the queries [begin, begin + count), and their dropped form in `sum`.
  void MakeProbabilities(std::size_t begin, std::size_t count, float* sum) {
    const F32 d;
    const std::size_t rows = RowsOf(count), all = rows * keys;
    Layout::Rows(
        task.q.rows_from(static_cast<std::int64_t>(begin), static_cast<std::int64_t>(count)), rows,
        query, width);
    Multiply<typename Layout::Steps>({query, width}, key, keys, rows, depth, keys, probability,
                                     keys);
    for (std::size_t r = 0; r < count; ++r) {
      float* row = probability + r * keys;
      const float total = Layout::Exponentiate(row, length, task.scale);
      ScaleRow(row, padded(length), 1.0F / total);
      std::fill(row + padded(length), row + keys, 0.0F);
    }
    std::fill(probability + count * keys, probability + all, 0.0F);
    if (factors == nullptr) {
      Layout::Tile(probability, rows, keys, dropped);
      return;
    }
    DropoutRow(task.dropout, task.dropout_row, all, factors, begin * keys);
    for (std::size_t i = 0; i < all; i += hn::Lanes(d)) {
      hn::StoreU(hn::Mul(hn::LoadU(d, probability + i), hn::LoadU(d, factors + i)), d, sum + i);
    }
    Layout::Tile(sum, rows, keys, dropped);
  }

  void Store(const float* from, std::size_t begin, std::size_t count, const Matrix& to) const {
    for (std::size_t r = 0; r < count; ++r) {
      StoreRow(from + r * width, head_dim, to.dtype, to.row(static_cast<std::int64_t>(begin + r)));
    }
  }
};

template <class Layout>
void Attend(const TrainingHeadTask& task, Arena& scratch) {
  using Steps = typename Layout::Steps;
  using Element = typename Steps::Element;
  Head<Layout> head(task, scratch);
  const std::size_t steps = RoundUp(head.length, Layout::kDepth) / Layout::kDepth;
  auto* value = Take<Element>(scratch, steps * head.width);
  auto* product = Take<float>(scratch, kTrainingTile * head.keys);
  Layout::Across(task.v, value, head.width);
  for (std::size_t begin = 0; begin < head.queries; begin += kTrainingTile) {
    const std::size_t count = std::min(kTrainingTile, head.queries - begin);
    head.MakeProbabilities(begin, count, product);
    Multiply<Steps>({head.dropped, head.keys / Layout::kDepth}, value, head.width,
                    head.RowsOf(count), steps, head.width, head.output, head.width);
    head.Store(head.output, begin, count, task.y);
  }
}

/// gradient = scale·P∘(dP - rowsum(P∘dP)) with dP = gradient∘factors (none: 1).
inline void ScoreGradientRow(const float* HWY_RESTRICT probability,
                             const float* HWY_RESTRICT factors, std::size_t cols, float scale,
                             float* HWY_RESTRICT gradient) {
  const F32 d;
  auto sums = hn::Zero(d);
  for (std::size_t i = 0; i < cols; i += hn::Lanes(d)) {
    auto g = hn::LoadU(d, gradient + i);
    if (factors != nullptr) g = hn::Mul(g, hn::LoadU(d, factors + i));
    hn::StoreU(g, d, gradient + i);
    sums = hn::MulAdd(g, hn::LoadU(d, probability + i), sums);
  }
  const auto sum = hn::SumOfLanes(d, sums), scales = hn::Set(d, scale);
  for (std::size_t i = 0; i < cols; i += hn::Lanes(d)) {
    const auto p = hn::Mul(hn::LoadU(d, probability + i), scales);
    hn::StoreU(hn::Mul(p, hn::Sub(hn::LoadU(d, gradient + i), sum)), d, gradient + i);
  }
}

template <class Layout>
void AttendBackward(const TrainingHeadTask& task, Arena& scratch) {
  using Steps = typename Layout::Steps;
  using Element = typename Steps::Element;
  constexpr std::size_t kDepth = Layout::kDepth;
  Head<Layout> head(task, scratch);
  const std::size_t keys = head.keys, width = head.width, depth = head.depth;
  const std::size_t steps = RoundUp(head.length, kDepth) / kDepth;
  const std::size_t key_rows = RoundUp(head.length, kRows);
  auto* value = Take<Element>(scratch, depth * keys);  // transposed, as the keys are
  auto* key_across = Take<Element>(scratch, steps * width);
  auto* d_rows = Take<Element>(scratch, kTrainingTile * width);
  auto* right = Take<Element>(scratch, kTrainingTile / kDepth * width);
  auto* across = Take<Element>(scratch, kTrainingTile * keys / kDepth);
  auto* gradient = Take<float>(scratch, kTrainingTile * keys);
  // Keys' and values' gradients are sums over the tiles, rounded once.
  auto* d_key = Take<float>(scratch, key_rows * width);
  auto* d_value = Take<float>(scratch, key_rows * width);
  std::fill_n(d_key, key_rows * width, 0.0F);
  std::fill_n(d_value, key_rows * width, 0.0F);
  Layout::Transposed(task.v, value, keys, scratch);
  Layout::Across(task.k, key_across, width);
  for (std::size_t begin = 0; begin < head.queries; begin += kTrainingTile) {
    const std::size_t count = std::min(kTrainingTile, head.queries - begin);
    const std::size_t rows = head.RowsOf(count), tile_steps = (count + kDepth - 1) / kDepth;
    const auto first = static_cast<std::int64_t>(begin), some = static_cast<std::int64_t>(count);
    const auto d_y = task.d_y.rows_from(first, some);
    head.MakeProbabilities(begin, count, gradient);
    const LeftSide<Element> dropped{Layout::TileAcross(head.dropped, rows, keys, across), 1, keys};
    Layout::Across(d_y, right, width);
    Multiply<Steps, true>(dropped, right, width, key_rows, tile_steps, width, d_value, width);

    Layout::Rows(d_y, rows, d_rows, width);
    Multiply<Steps>({d_rows, width}, value, keys, rows, depth, keys, gradient, keys);
    for (std::size_t r = 0; r < rows; ++r) {
      ScoreGradientRow(head.probability + r * keys,
                       head.factors == nullptr ? nullptr : head.factors + r * keys, keys,
                       task.scale, gradient + r * keys);
    }
    Layout::Tile(gradient, rows, keys, head.dropped);
    Multiply<Steps>({head.dropped, keys / kDepth}, key_across, width, rows, steps, width,
                    head.output, width);
    head.Store(head.output, begin, count, task.d_q);

    const LeftSide<Element> d_score{Layout::TileAcross(head.dropped, rows, keys, across), 1, keys};
    Layout::Across(task.q.rows_from(first, some), right, width);
    Multiply<Steps, true>(d_score, right, width, key_rows, tile_steps, width, d_key, width);
  }
  head.Store(d_key, 0, head.length, task.d_k);
  head.Store(d_value, 0, head.length, task.d_v);
}

void AttendTraining(const TrainingHeadTask& task, Arena& scratch) {
#if CLOZE_MAY_HAVE_BF16
  if (task.in_pairs) return Attend<PairLayout>(task, scratch);
#endif
  Attend<SingleLayout>(task, scratch);
}

void AttendTrainingBackward(const TrainingHeadTask& task, Arena& scratch) {
#if CLOZE_MAY_HAVE_BF16
  if (task.in_pairs) return AttendBackward<PairLayout>(task, scratch);
#endif
  AttendBackward<SingleLayout>(task, scratch);
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <fmt/format.h>

#include "cloze/error.h"
#include "ops/cpu/device.h"

namespace cloze::ops {
HWY_EXPORT(AttendTraining);
HWY_EXPORT(AttendTrainingBackward);

namespace {

std::int64_t sequences_of(const AttentionShape& shape) {
  return static_cast<std::int64_t>(shape.cu_seqlens.size()) - 1;
}

/// `y` is what has a row for each query: the result, or its gradient.
void require_attention(const AttentionInputs& in, const ConstMatrix& y,
                       const AttentionShape& shape) {
  const std::int64_t hidden = shape.heads * shape.head_dim;
  const auto fits = [&](const ConstMatrix& matrix, std::int64_t rows) {
    return matrix.rows == rows && matrix.cols == hidden && matrix.dtype == in.k.dtype;
  };
  const bool whole = sequences_of(shape) >= 0 && shape.cu_seqlens.back() == in.k.rows;
  const auto& ends = in.cu_queries;
  const bool counted = ends.empty() || ends.size() == shape.cu_seqlens.size();
  const std::int64_t queries = ends.empty() ? in.k.rows : ends.back();
  if (whole && counted && fits(in.q, queries) && fits(in.k, in.k.rows) && fits(in.v, in.k.rows) &&
      fits(y, queries)) {
    return;
  }
  throw ArgumentError(fmt::format(
      "attention of {} heads of {} was given q [{}, {}], k [{}, {}] and y [{}, {}]", shape.heads,
      shape.head_dim, in.q.rows, in.q.cols, in.k.rows, in.k.cols, y.rows, y.cols));
}

bool pairs_fit(const ConstMatrix& matrix) {
  return matrix.dtype == DType::bf16 && matrix.stride % 2 == 0;
}

/// Where the head `index` (sequence by sequence) has its rows and columns.
struct HeadPlace {
  std::int64_t query, queries, token, length, column, head_dim;
  template <class M>
  [[nodiscard]] M queries_of(const M& matrix) const {
    return matrix.rows_from(query, queries).cols_from(column, head_dim);
  }
  template <class M>
  [[nodiscard]] M keys_of(const M& matrix) const {
    return matrix.rows_from(token, length).cols_from(column, head_dim);
  }
};

HeadPlace place_of(const AttentionInputs& in, const AttentionShape& shape, std::int64_t index) {
  const std::int64_t sequence = index / shape.heads;
  const auto at = static_cast<std::size_t>(sequence);
  const std::int64_t token = shape.cu_seqlens[at], length = shape.cu_seqlens[at + 1] - token;
  const bool all = in.cu_queries.empty();
  const std::int64_t query = all ? token : in.cu_queries[at];
  return {.query = query,
          .queries = all ? length : in.cu_queries[at + 1] - query,
          .token = token,
          .length = length,
          .column = index % shape.heads * shape.head_dim,
          .head_dim = shape.head_dim};
}

TrainingHeadTask task_of(const AttentionInputs& in, const AttentionShape& shape,
                         const Dropout& dropout, std::int64_t index, const HeadPlace& place) {
  return {.q = place.queries_of(in.q),
          .k = place.keys_of(in.k),
          .v = place.keys_of(in.v),
          .y = {},
          .d_y = {},
          .d_q = {},
          .d_k = {},
          .d_v = {},
          .scale = 1.0F / std::sqrt(static_cast<float>(shape.head_dim)),
          .dropout = dropout,
          .dropout_row = index % shape.heads * in.k.rows + place.token,
          .in_pairs = shape.head_dim % 2 == 0 && pairs_fit(in.q) && pairs_fit(in.k) &&
                      pairs_fit(in.v) && accelerates(DType::bf16)};
}

/// The time of a head: `products` matrix products of queries · length · head_dim.
Timed timed(Context& context, const AttentionShape& shape, const TrainingHeadTask& task,
            OperationKey::Kind kind, double products) {
  const auto length = static_cast<double>(task.k.rows), queries = static_cast<double>(task.q.rows);
  const auto dim = static_cast<double>(shape.head_dim);
  const double bytes = (products + 2) * length * dim * static_cast<double>(size_of(task.q.dtype));
  return {context,
          {.kind = kind, .k = shape.heads, .n = shape.head_dim},
          2 * products * queries * length * dim,
          bytes};
}

}  // namespace

void attention_forward(Context& context, const AttentionInputs& in, const AttentionShape& shape,
                       const Dropout& dropout, Matrix y) {
  require_attention(in, y, shape);
  parallel_tasks(context, sequences_of(shape) * shape.heads, [&](std::int64_t index) {
    const auto place = place_of(in, shape, index);
    if (place.length == 0) return;
    auto task = task_of(in, shape, dropout, index, place);
    const auto time = timed(context, shape, task, OperationKey::Kind::attention, 2);
    task.y = place.queries_of(y);
    auto& scratch = context.device().worker().scratch;
    scratch.reset();
    HWY_DYNAMIC_DISPATCH(AttendTraining)(task, scratch);
  });
}

void attention_backward(Context& context, const AttentionInputs& in, ConstMatrix d_y,
                        const AttentionShape& shape, const Dropout& dropout,
                        const AttentionGradients& out) {
  require_attention(in, d_y, shape);
  require_attention({.q = out.q, .k = out.k, .v = out.v, .cu_queries = in.cu_queries}, d_y, shape);
  parallel_tasks(context, sequences_of(shape) * shape.heads, [&](std::int64_t index) {
    const auto place = place_of(in, shape, index);
    if (place.length == 0) return;
    auto task = task_of(in, shape, dropout, index, place);
    const auto time = timed(context, shape, task, OperationKey::Kind::attention_backward, 5);
    task.in_pairs = task.in_pairs && pairs_fit(d_y);
    task.d_y = place.queries_of(d_y);
    task.d_q = place.queries_of(out.q);
    task.d_k = place.keys_of(out.k);
    task.d_v = place.keys_of(out.v);
    auto& scratch = context.device().worker().scratch;
    scratch.reset();
    HWY_DYNAMIC_DISPATCH(AttendTrainingBackward)(task, scratch);
  });
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
