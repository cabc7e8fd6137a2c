// The backward of attention. A task is one sequence's head: its operands are laid out once for the
// register-tiled products, then its queries pass in tiles, whose probabilities are made again and
// stay in cache. Nothing of size length² is kept from the forward.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/attention_backward.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include <algorithm>
#include <cmath>

#include "hwy/highway.h"
#include "ops/attention.h"
#include "ops/cpu/simd/attention_layout-inl.h"
#include "ops/cpu/simd/attention_task.h"
#include "ops/cpu/simd/attention_tile-inl.h"
#include "ops/cpu/simd/dropout-inl.h"
#include "ops/cpu/simd/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

constexpr std::size_t kTile = 64;  // queries whose scores are held at once

/// The operands of a head, laid out, and the buffers of a tile of its queries.
template <class Layout>
struct Head {
  using Element = typename Layout::Element;
  const HeadTask& task;
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
  Element* plain;      ///< scratch of Layout::Transposed

  Head(const HeadTask& head, Arena& scratch)
      : task(head),
        queries(static_cast<std::size_t>(head.q.rows)),
        length(static_cast<std::size_t>(head.k.rows)),
        head_dim(static_cast<std::size_t>(head.k.cols)),
        keys(RoundUp(padded(length), kKeyColumns)),
        width(padded(head_dim)),
        depth(RoundUp(head_dim / Layout::kDepth, Layout::kStepUnit)),
        key(Take<Element>(scratch, depth * keys)),
        query(Take<Element>(scratch, kTile * width)),
        probability(Take<float>(scratch, kTile * keys)),
        factors(Drops(head.dropout) ? Take<float>(scratch, kTile * keys) : nullptr),
        dropped(Take<Element>(scratch, kTile * Layout::TileStride(keys))),
        output(Take<float>(scratch, kTile * width)),
        plain(Layout::kDepth == 1 ? Take<Element>(scratch, length * width) : nullptr) {
    Layout::Transposed(task.k, key, keys, plain);
  }

  /// Rows of a tile's products: whole units.
  [[nodiscard]] static std::size_t RowsOf(std::size_t count) {
    return RoundUp(count, Layout::kRowUnit);
  }

  /// The probabilities of the queries [begin, begin + count), and their dropped form in `sum`.
  void MakeProbabilities(std::size_t begin, std::size_t count, float* sum) {
    const F32 d;
    const std::size_t rows = RowsOf(count), all = rows * keys;
    Layout::Rows(
        task.q.rows_from(static_cast<std::int64_t>(begin), static_cast<std::int64_t>(count)), rows,
        query, width);
    Layout::Product({query, width}, {key, keys}, {rows, depth, keys}, {probability, keys});
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
void AttendBackward(const BackwardTask& task, Arena& scratch) {
  using Element = typename Layout::Element;
  constexpr std::size_t kDepth = Layout::kDepth, kUnit = Layout::kStepUnit;
  Head<Layout> head(task.head, scratch);
  const std::size_t keys = head.keys, width = head.width, depth = head.depth;
  const std::size_t steps = RoundUp((head.length + kDepth - 1) / kDepth, kUnit);
  const std::size_t key_rows = RoundUp(head.length, Layout::kRowUnit);
  auto* value = Take<Element>(scratch, depth * keys);  // transposed, as the keys are
  auto* key_across = Take<Element>(scratch, steps * width);
  auto* d_rows = Take<Element>(scratch, kTile * width);
  auto* right = Take<Element>(scratch, kTile / kDepth * width);
  auto* across = Take<Element>(scratch, Layout::kAcrossSize * kTile / kDepth * keys);
  auto* gradient = Take<float>(scratch, kTile * keys);
  // Keys' and values' gradients are sums over the tiles, rounded once.
  auto* d_key = Take<float>(scratch, key_rows * width);
  auto* d_value = Take<float>(scratch, key_rows * width);
  std::fill_n(d_key, key_rows * width, 0.0F);
  std::fill_n(d_value, key_rows * width, 0.0F);
  Layout::Transposed(task.head.v, value, keys, head.plain);
  Layout::Across(task.head.k, key_across, width);
  [[maybe_unused]] const typename Layout::Scope scope{};
  for (std::size_t begin = 0; begin < head.queries; begin += kTile) {
    const std::size_t count = std::min(kTile, head.queries - begin);
    const std::size_t rows = head.RowsOf(count);
    const std::size_t tile_steps = RoundUp((count + kDepth - 1) / kDepth, kUnit);
    const auto first = static_cast<std::int64_t>(begin), some = static_cast<std::int64_t>(count);
    const auto d_y = task.d_y.rows_from(first, some);
    head.MakeProbabilities(begin, count, gradient);
    const auto dropped = Layout::TileAcross(head.dropped, rows, keys, across);
    Layout::Across(d_y, right, width);
    Layout::template Product<true>(dropped, {right, width}, {key_rows, tile_steps, width},
                                   {d_value, width});

    Layout::Rows(d_y, rows, d_rows, width);
    Layout::Product({d_rows, width}, {value, keys}, {rows, depth, keys}, {gradient, keys});
    for (std::size_t r = 0; r < rows; ++r) {
      ScoreGradientRow(head.probability + r * keys,
                       head.factors == nullptr ? nullptr : head.factors + r * keys, keys,
                       task.head.scale, gradient + r * keys);
    }
    Layout::Tile(gradient, rows, keys, head.dropped);
    Layout::Product({head.dropped, Layout::TileStride(keys)}, {key_across, width},
                    {rows, steps, width}, {head.output, width});
    head.Store(head.output, begin, count, task.d_q);

    const auto d_score = Layout::TileAcross(head.dropped, rows, keys, across);
    Layout::Across(task.head.q.rows_from(first, some), right, width);
    Layout::template Product<true>(d_score, {right, width}, {key_rows, tile_steps, width},
                                   {d_key, width});
  }
  head.Store(d_key, 0, head.length, task.d_k);
  head.Store(d_value, 0, head.length, task.d_v);
}

void AttendBackwardHead(const BackwardTask& task, Arena& scratch) {
#if CLOZE_MAY_HAVE_BF16
  if (task.head.products == HeadProducts::tiles) return AttendBackward<TileLayout>(task, scratch);
  if (task.head.products == HeadProducts::pairs) return AttendBackward<PairLayout>(task, scratch);
#endif
  AttendBackward<SingleLayout>(task, scratch);
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "ops/cpu/cpu_device.h"
#include "ops/cpu/state.h"

namespace cloze::ops {
HWY_EXPORT(AttendBackwardHead);

void CpuDevice::attention_backward(Context& context, const AttentionBackward& args) const {
  const auto& in = args.in;
  const auto& shape = args.shape;
  const auto& out = args.out;
  require_attention(in, args.d_y, shape);
  require_attention({.q = out.q, .k = out.k, .v = out.v, .cu_queries = in.cu_queries}, args.d_y,
                    shape);
  const auto sequences = static_cast<std::int64_t>(shape.cu_seqlens.size()) - 1;
  const auto products = pairs_fit(args.d_y) ? products_of(in, shape) : HeadProducts::singles;
  parallel_tasks(context, sequences * shape.heads, [&](std::int64_t index) {
    const std::int64_t head = index % shape.heads;
    const auto place = place_of(in, shape, index / shape.heads, head);
    if (place.length == 0) return;
    BackwardTask task;
    task.head = head_task(in, shape, args.dropout, head, place);
    task.head.products = products;
    task.d_y = place.queries_of(args.d_y);
    task.d_q = place.queries_of(out.q);
    task.d_k = place.keys_of(out.k);
    task.d_v = place.keys_of(out.v);
    constexpr double kProducts = 5;  // of queries · length · head_dim
    const auto length = static_cast<double>(place.length);
    const auto queries = static_cast<double>(place.queries);
    const auto dim = static_cast<double>(shape.head_dim);
    const Timed time(
        context,
        {.kind = OperationKey::Kind::attention_backward, .k = shape.heads, .n = shape.head_dim},
        2 * kProducts * queries * length * dim,
        (kProducts + 2) * length * dim * static_cast<double>(size_of(in.q.dtype)));
    auto& scratch = worker_of(context).scratch;
    scratch.reset();
    HWY_DYNAMIC_DISPATCH(AttendBackwardHead)(task, scratch);
  });
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
