// The forward of attention within packed sequences. One task is one sequence's head (or a part of
// its queries): keys and values are laid out once for the two products, then tiles of queries pass
// through scores -> softmax -> values while their scores stay in cache. Nothing of size length² is
// kept.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/attention.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include "ops/attention.h"

#include <algorithm>
#include <cmath>

#include "hwy/highway.h"
#include "ops/cpu/simd/attention_layout-inl.h"
#include "ops/cpu/simd/attention_task.h"
#include "ops/cpu/simd/attention_tile-inl.h"
#include "ops/cpu/simd/dropout-inl.h"
#include "ops/cpu/simd/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

/// Divides a tile of outputs [count, head_dim] by the softmax's sums and stores it.
void StoreOutputs(const ForwardTask& task, std::size_t begin, std::size_t count, const float* sums,
                  float* output, std::size_t width) {
  const auto head_dim = static_cast<std::size_t>(task.head.k.cols);
  for (std::size_t r = 0; r < count; ++r) {
    float* values = output + r * width;
    const float scale = 1.0F / sums[r];
    std::byte* to = task.y.row(static_cast<std::int64_t>(begin + r));
    if (task.y.dtype == DType::bf16) {
      StoreRounded(head_dim, reinterpret_cast<BFloat16*>(to), [&](auto d, std::size_t i) {
        return hn::Mul(hn::LoadU(d, values + i), hn::Set(d, scale));
      });
    } else {
      ScaleRow(values, width, scale);
      StoreRow(values, head_dim, task.y.dtype, to);
    }
  }
}

constexpr std::size_t kCacheLine = 64;  // bytes

/// Begins to fetch what is soon wanted of a row: where its output goes, and the next head's
/// operands. They lie in rows as long as the model is wide, which no hardware foresees.
HWY_INLINE void FetchAhead(const ForwardTask& task, std::size_t row) {
  const auto index = static_cast<std::int64_t>(row);
  const auto bytes = static_cast<std::size_t>(task.head.k.cols) * size_of(task.head.k.dtype);
  const std::byte* output = task.y.row(index);
  for (std::size_t i = 0; i < bytes; i += kCacheLine) __builtin_prefetch(output + i, 1);
  if (!task.next_head) return;
  for (const auto* from : {&task.head.k, &task.head.v, &task.head.q}) {
    if (index >= from->rows) continue;
    const std::byte* next = from->row(index) + bytes;
    for (std::size_t i = 0; i < bytes; i += kCacheLine) __builtin_prefetch(next + i, 0, 2);
  }
}

/// The softmax of a tile, from its exponentials and their sums, to the task's probabilities.
void StoreProbabilities(const ForwardTask& task, std::size_t begin, std::size_t count,
                        const TileOutput& exponentials, const float* sums) {
  const auto length = static_cast<std::size_t>(task.head.k.rows);
  for (std::size_t r = 0; r < count; ++r) {
    const float* from = exponentials.data + r * exponentials.stride;
    float* to = task.probabilities + (begin + r) * length;
    const float scale = 1.0F / sums[r];
    for (std::size_t i = 0; i < length; ++i) to[i] = from[i] * scale;
  }
}

/// Products of f32, or of bf16 in pairs, both summed in f32. The softmax's division comes last, on
/// [queries, head_dim] outputs instead of [queries, length] probabilities.
template <class Layout>
void Attend(const ForwardTask& task, Arena& scratch) {
  using Element = typename Layout::Element;
  constexpr std::size_t kTile = kQueryTile, kDepth = Layout::kDepth, kUnit = Layout::kStepUnit;
  constexpr bool kRounds = kDepth > 1;  // the left side of the second product is not the scores
  const bool drops = Drops(task.head.dropout), wanted = task.probabilities != nullptr;
  const auto length = static_cast<std::size_t>(task.head.k.rows);
  const auto head_dim = static_cast<std::size_t>(task.head.k.cols);
  // Dropout counts columns the same way for every instruction set.
  const std::size_t keys = drops ? RoundUp(padded(length), kKeyColumns) : padded(length);
  const std::size_t width = padded(head_dim);
  // Steps of queries times keys, and of probabilities times values.
  const std::size_t depth = RoundUp(head_dim / kDepth, kUnit);
  const std::size_t value_depth = RoundUp((length + kDepth - 1) / kDepth, kUnit);
  const std::size_t query_stride = kRounds ? depth : width;
  const std::size_t left_stride = Layout::TileStride(keys);

  auto* key = Take<Element>(scratch, depth * keys);  // transposed
  auto* value = Take<Element>(scratch, value_depth * width);
  auto* query = Take<Element>(scratch, kTile * query_stride);
  auto* score = Take<float>(scratch, kTile * keys);
  auto* output = Take<float>(scratch, kTile * width);
  auto* factors = drops ? Take<float>(scratch, kTile * keys) : nullptr;
  Element* left = nullptr;
  if constexpr (kRounds) {
    left = Take<Element>(scratch, kTile * left_stride);
  } else {
    left = score;
  }
  Layout::Transposed(task.head.k, key, keys, value);
  Layout::Across(task.head.v, value, width);
  [[maybe_unused]] const typename Layout::Scope scope{};

  const auto end = static_cast<std::size_t>(task.query_end);
  for (auto begin = static_cast<std::size_t>(task.query_begin); begin < end; begin += kTile) {
    const std::size_t count = std::min(kTile, end - begin), rows = RoundUp(count, Layout::kRowUnit);
    const auto first = static_cast<std::int64_t>(begin), some = static_cast<std::int64_t>(count);
    Layout::Rows(task.head.q.rows_from(first, some), rows, query, query_stride);
    Layout::Product({query, query_stride}, {key, keys}, {rows, depth, keys}, {score, keys});
    float sums[kTile];
    if (drops) {
      for (std::size_t r = 0; r < rows; ++r) {
        sums[r] = Layout::Exponentiate(score + r * keys, length, task.head.scale);
        std::fill(score + r * keys + padded(length), score + (r + 1) * keys, 0.0F);
      }
      if (wanted) StoreProbabilities(task, begin, count, {score, keys}, sums);
      DropoutRow(task.head.dropout, task.head.dropout_row, rows * keys, factors, begin * keys);
      MultiplyRow(score, factors, rows * keys);
      if constexpr (kRounds) Layout::Tile(score, rows, keys, left);
    } else {
      for (std::size_t r = 0; r < rows; ++r) {
        sums[r] = Layout::ExponentiateTo(score + r * keys, length, task.head.scale,
                                         left + r * left_stride);
        if (kRounds && r < count) FetchAhead(task, begin + r);
      }
    }
    Layout::Product({left, left_stride}, {value, width}, {rows, value_depth, width},
                    {output, width});
    StoreOutputs(task, begin, count, sums, output, width);
    if (!wanted || drops) continue;
    if (kRounds) {  // from the scores again, for they are f32
      for (std::size_t r = 0; r < count; ++r) {
        sums[r] = ExponentiateRow(ExactExponential(), score + r * keys, length, task.head.scale);
      }
    }
    StoreProbabilities(task, begin, count, {score, keys}, sums);
  }
}

void AttendHead(const ForwardTask& task, Arena& scratch) {
#if CLOZE_MAY_HAVE_BF16
  if (task.head.products == HeadProducts::tiles) return Attend<TileLayout>(task, scratch);
  if (task.head.products == HeadProducts::pairs) return Attend<PairLayout>(task, scratch);
#endif
  Attend<SingleLayout>(task, scratch);
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "ops/cpu/cpu_device.h"
#include "ops/cpu/machine/cpu_features.h"
#include "ops/cpu/machine/fastest_dtype.h"
#include "ops/cpu/state.h"

namespace cloze::ops {
HWY_EXPORT(AttendHead);

void require_attention(const AttentionInputs& in, const ConstMatrix& y,
                       const AttentionShape& shape) {
  const std::int64_t hidden = shape.heads * shape.head_dim;
  const auto fits = [&](const ConstMatrix& matrix, std::int64_t rows) {
    return matrix.rows == rows && matrix.cols == hidden && matrix.dtype == in.k.dtype;
  };
  const bool whole = !shape.cu_seqlens.empty() && shape.cu_seqlens.back() == in.k.rows;
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

HeadPlace place_of(const AttentionInputs& in, const AttentionShape& shape, std::int64_t sequence,
                   std::int64_t head) {
  const auto at = static_cast<std::size_t>(sequence);
  const std::int64_t token = shape.cu_seqlens[at], length = shape.cu_seqlens[at + 1] - token;
  const bool all = in.cu_queries.empty();
  const std::int64_t query = all ? token : in.cu_queries[at];
  return {.query = query,
          .queries = all ? length : in.cu_queries[at + 1] - query,
          .token = token,
          .length = length,
          .column = head * shape.head_dim,
          .head_dim = shape.head_dim};
}

HeadProducts products_of(const AttentionInputs& in, const AttentionShape& shape) {
  const bool fit = shape.head_dim % 2 == 0 && pairs_fit(in.q) && pairs_fit(in.k) && pairs_fit(in.v);
  if (!fit) return HeadProducts::singles;
  if (has_tiles()) return HeadProducts::tiles;
  // Some processors multiply pairs of bf16 at half the rate of f32 values.
  return fastest_dtype() == DType::bf16 ? HeadProducts::pairs : HeadProducts::singles;
}

HeadTask head_task(const AttentionInputs& in, const AttentionShape& shape, const Dropout& dropout,
                   std::int64_t head, const HeadPlace& place) {
  return {.q = place.queries_of(in.q),
          .k = place.keys_of(in.k),
          .v = place.keys_of(in.v),
          .scale = 1.0F / std::sqrt(static_cast<float>(shape.head_dim)),
          .dropout = dropout,
          .dropout_row = head * in.k.rows + place.token};
}

void CpuDevice::attention(Context& context, const AttentionInputs& in, const AttentionShape& shape,
                          Matrix y, const AttentionOptions& options) const {
  require_attention(in, y, shape);
  const auto sequences = static_cast<std::int64_t>(shape.cu_seqlens.size()) - 1;
  // Enough tasks for every thread, even with one sequence of few heads; with many, neighbouring
  // heads in one task, for whose operands it can look ahead.
  const std::int64_t wanted = std::int64_t{4} * num_threads();
  const std::int64_t all_heads = sequences * shape.heads;
  const std::int64_t parts =
      all_heads == 0 || in_parallel() ? 1 : std::max<std::int64_t>(1, wanted / all_heads);
  const std::int64_t together =
      std::clamp<std::int64_t>(all_heads / (2 * wanted), 1, std::max<std::int64_t>(1, shape.heads));
  const std::int64_t groups = (shape.heads + together - 1) / together;

  std::vector<std::int64_t> probabilities_begin;  // of each sequence
  if (!options.probabilities.empty()) {
    std::int64_t at = 0;
    for (std::int64_t sequence = 0; sequence < sequences; ++sequence) {
      const auto place = place_of(in, shape, sequence, 0);
      probabilities_begin.push_back(at);
      at += shape.heads * place.queries * place.length;
    }
    if (at != static_cast<std::int64_t>(options.probabilities.size())) {
      throw ArgumentError(fmt::format("attention probabilities need {} values, not {}", at,
                                      options.probabilities.size()));
    }
  }

  const HeadProducts products = products_of(in, shape);
  const auto attend = [&](std::int64_t sequence, std::int64_t head, std::int64_t part, bool last) {
    const auto place = place_of(in, shape, sequence, head);
    const std::int64_t tiles = (place.queries + kQueryTile - 1) / kQueryTile;
    ForwardTask task;
    task.head = head_task(in, shape, options.dropout, head, place);
    task.head.products = products;
    task.query_begin = std::min(place.queries, tiles * part / parts * kQueryTile);
    task.query_end = std::min(place.queries, tiles * (part + 1) / parts * kQueryTile);
    if (task.query_begin == task.query_end) return;
    task.y = place.queries_of(y);
    task.next_head = !last;
    if (!options.probabilities.empty()) {
      task.probabilities = options.probabilities.data() +
                           probabilities_begin[static_cast<std::size_t>(sequence)] +
                           head * place.queries * place.length;
    }
    const auto queries = static_cast<double>(task.query_end - task.query_begin);
    const auto dim = static_cast<double>(shape.head_dim), keys = static_cast<double>(place.length);
    const Timed time(context,
                     {.kind = OperationKey::Kind::attention, .k = shape.heads, .n = shape.head_dim},
                     4 * queries * keys * dim,
                     2 * (queries + keys) * dim * static_cast<double>(size_of(in.k.dtype)));
    auto& scratch = worker_of(context).scratch;
    scratch.reset();
    HWY_DYNAMIC_DISPATCH(AttendHead)(task, scratch);
  };
  parallel_tasks(context, sequences * groups * parts, [&](std::int64_t index) {
    const std::int64_t part = index % parts, group = index / parts % groups;
    const std::int64_t sequence = index / parts / groups;
    const std::int64_t end = std::min(shape.heads, (group + 1) * together);
    for (std::int64_t head = group * together; head < end; ++head) {
      attend(sequence, head, part, head + 1 == end);
    }
  });
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
