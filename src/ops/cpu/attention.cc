// Attention within packed sequences. One task is one sequence's head (or a part of its queries):
// keys and values are laid out once for the two products, then tiles of queries pass through scores
// -> softmax -> values while their scores stay in cache. Nothing of size length² is kept.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/attention.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include "ops/cpu/attention.h"

#include <algorithm>
#include <cmath>

#include "hwy/highway.h"
#include "ops/cpu/attention_tile-inl.h"
#include "ops/cpu/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

/// Divides a tile of outputs [count, head_dim] by the softmax's sums and stores it.
void StoreOutputs(const HeadTask& task, std::size_t begin, std::size_t count, const float* sums,
                  float* output, std::size_t width) {
  const auto head_dim = static_cast<std::size_t>(task.head_dim);
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

/// In f32, whatever the operands are stored in.
void AttendHead(const HeadTask& task, Arena& scratch) {
  constexpr std::size_t kTile = kQueryTile;
  const auto length = static_cast<std::size_t>(task.length);
  const auto head_dim = static_cast<std::size_t>(task.head_dim);
  const std::size_t keys = padded(length), width = padded(head_dim);

  auto* key = Take<float>(scratch, head_dim * keys);  // transposed: [head_dim, keys]
  auto* value = Take<float>(scratch, length * width);
  auto* query = Take<float>(scratch, kTile * width);
  auto* score = Take<float>(scratch, kTile * keys);
  auto* output = Take<float>(scratch, kTile * width);

  for (std::size_t t = 0; t < length; ++t) {
    LoadRow(task.k.dtype, task.k.row(static_cast<std::int64_t>(t)), head_dim, value + t * width);
  }
  Transpose(value, width, length, head_dim, key, keys);
  for (std::size_t i = 0; i < head_dim; ++i) {
    std::fill(key + i * keys + length, key + (i + 1) * keys, 0.0F);
  }
  for (std::size_t t = 0; t < length; ++t) {
    LoadRow(task.v.dtype, task.v.row(static_cast<std::int64_t>(t)), head_dim, value + t * width);
  }

  const auto end = static_cast<std::size_t>(task.query_end);
  for (auto begin = static_cast<std::size_t>(task.query_begin); begin < end; begin += kTile) {
    const std::size_t count = std::min(kTile, end - begin), rows = RoundUp(count, kRows);
    for (std::size_t r = 0; r < count; ++r) {
      LoadRow(task.q.dtype, task.q.row(static_cast<std::int64_t>(begin + r)), head_dim,
              query + r * width);
    }
    std::fill(query + count * width, query + rows * width, 0.0F);
    Multiply<SingleSteps>({query, width}, key, keys, rows, head_dim, keys, score, keys);
    float sums[kTile];
    for (std::size_t r = 0; r < rows; ++r) {
      sums[r] = ExponentiateRow(ExactExponential(), score + r * keys, length, task.scale);
    }
    Multiply<SingleSteps>({score, keys}, value, width, rows, length, width, output, width);
    if (task.probabilities != nullptr) {
      for (std::size_t r = 0; r < count; ++r) {
        ScaleRow(score + r * keys, keys, 1.0F / sums[r]);
        std::copy_n(score + r * keys, length, task.probabilities + (begin + r) * length);
      }
    }
    StoreOutputs(task, begin, count, sums, output, width);
  }
}

#if CLOZE_MAY_HAVE_BF16

constexpr std::size_t kCacheLine = 64;  // bytes

/// Begins to fetch what is soon wanted of a row: where its output goes, and the next head's
/// operands. They lie in rows as long as the model is wide, which no hardware foresees.
HWY_INLINE void FetchAhead(const HeadTask& task, std::size_t row) {
  const auto index = static_cast<std::int64_t>(row);
  const auto bytes = static_cast<std::size_t>(task.head_dim) * sizeof(BFloat16);
  const std::byte* output = task.y.row(index);
  for (std::size_t i = 0; i < bytes; i += kCacheLine) __builtin_prefetch(output + i, 1);
  if (!task.next_head) return;
  for (const auto* from : {&task.k, &task.v, &task.q}) {
    const std::byte* next = from->row(index) + bytes;
    for (std::size_t i = 0; i < bytes; i += kCacheLine) __builtin_prefetch(next + i, 0, 2);
  }
}

/// The softmax of a tile's scores, which it overwrites, to the task's probabilities.
void StoreProbabilities(const HeadTask& task, std::size_t begin, std::size_t count, float* score,
                        std::size_t keys) {
  const auto length = static_cast<std::size_t>(task.length);
  for (std::size_t r = 0; r < count; ++r) {
    const float sum = ExponentiateRow(ExactExponential(), score + r * keys, length, task.scale);
    ScaleRow(score + r * keys, keys, 1.0F / sum);
    std::copy_n(score + r * keys, length, task.probabilities + (begin + r) * length);
  }
}

/// bf16 operands multiplied in pairs, summed in f32; head_dim even. The probabilities are rounded
/// to bf16 for their product with the values.
void AttendHeadPairs(const HeadTask& task, Arena& scratch) {
  constexpr std::size_t kTile = kQueryTile;
  const auto length = static_cast<std::size_t>(task.length);
  const auto head_dim = static_cast<std::size_t>(task.head_dim);
  const std::size_t keys = padded(length), width = padded(head_dim);
  const std::size_t steps = head_dim / 2;            // of queries times keys
  const std::size_t value_steps = (length + 1) / 2;  // of probabilities times values
  const auto row_of = [](const ConstMatrix& matrix, std::size_t row) {
    return reinterpret_cast<const BFloat16*>(matrix.row(static_cast<std::int64_t>(row)));
  };

  auto* key = Take<std::uint32_t>(scratch, steps * keys);  // [steps, keys], transposed pairs
  auto* value = Take<std::uint32_t>(scratch, value_steps * width);
  auto* query = Take<std::uint32_t>(scratch, kTile * steps);
  auto* score = Take<float>(scratch, kTile * keys);
  auto* rounded = Take<BFloat16>(scratch, kTile * (keys + 2));
  auto* output = Take<float>(scratch, kTile * width);
  auto* zeros = Take<BFloat16>(scratch, head_dim);
  std::fill_n(zeros, head_dim, BFloat16{});

  Transpose(reinterpret_cast<const std::uint32_t*>(task.k.data),
            static_cast<std::size_t>(task.k.stride) / 2, length, steps, key, keys);
  for (std::size_t i = 0; i < steps; ++i) {
    std::fill(key + i * keys + length, key + (i + 1) * keys, 0U);
  }
  for (std::size_t p = 0; p < value_steps; ++p) {
    const bool paired = 2 * p + 1 < length;
    PairRows(row_of(task.v, 2 * p), paired ? row_of(task.v, 2 * p + 1) : zeros, head_dim,
             value + p * width);
    std::fill(value + p * width + head_dim, value + (p + 1) * width, 0U);
  }

  const std::size_t rounded_stride = RoundUp(keys, 2);
  const auto end = static_cast<std::size_t>(task.query_end);
  for (auto begin = static_cast<std::size_t>(task.query_begin); begin < end; begin += kTile) {
    const std::size_t count = std::min(kTile, end - begin), rows = RoundUp(count, kRows);
    for (std::size_t r = 0; r < rows; ++r) {  // rows past the last repeat it, and are dropped
      std::memcpy(query + r * steps, row_of(task.q, begin + std::min(r, count - 1)),
                  head_dim * sizeof(BFloat16));
    }
    Multiply<PairSteps>({query, steps}, key, keys, rows, steps, keys, score, keys);
    float sums[kTile];
    for (std::size_t r = 0; r < rows; ++r) {
      sums[r] = ExponentiateRowRounded(score + r * keys, length, task.scale,
                                       rounded + r * rounded_stride);
      if (r < count) FetchAhead(task, begin + r);
    }
    Multiply<PairSteps>({reinterpret_cast<const std::uint32_t*>(rounded), rounded_stride / 2},
                        value, width, rows, value_steps, width, output, width);
    if (task.probabilities != nullptr) StoreProbabilities(task, begin, count, score, keys);
    StoreOutputs(task, begin, count, sums, output, width);
  }
}

#else

void AttendHeadPairs(const HeadTask& task, Arena& scratch) { AttendHead(task, scratch); }

#endif

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <fmt/format.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "ops/cpu/device.h"

namespace cloze::ops {
HWY_EXPORT(AttendHead);
HWY_EXPORT(AttendHeadPairs);

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

  const bool in_pairs = qkv.dtype == DType::bf16 && shape.head_dim % 2 == 0 &&
                        qkv.stride % 2 == 0 && accelerates(DType::bf16);
  const auto attend = [&](std::size_t sequence, std::int64_t head, std::int64_t part, bool last) {
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
    task.next_head = !last;
    if (!probabilities.empty()) {
      task.probabilities =
          probabilities.data() + probabilities_begin[sequence] + head * length * length;
    }
    const auto queries = static_cast<double>(task.query_end - task.query_begin);
    const auto dim = static_cast<double>(shape.head_dim), keys = static_cast<double>(length);
    const Timed time(context,
                     {.kind = OperationKey::Kind::attention, .k = shape.heads, .n = shape.head_dim},
                     4 * queries * keys * dim,
                     2 * (queries + keys) * dim * static_cast<double>(size_of(qkv.dtype)));
    auto& scratch = context.device().worker().scratch;
    scratch.reset();
    if (in_pairs) {
      HWY_DYNAMIC_DISPATCH(AttendHeadPairs)(task, scratch);
    } else {
      HWY_DYNAMIC_DISPATCH(AttendHead)(task, scratch);
    }
  };
  parallel_tasks(context, sequences * groups * parts, [&](std::int64_t index) {
    const std::int64_t part = index % parts, group = index / parts % groups;
    const auto sequence = static_cast<std::size_t>(index / parts / groups);
    const std::int64_t end = std::min(shape.heads, (group + 1) * together);
    for (std::int64_t head = group * together; head < end; ++head) {
      attend(sequence, head, part, head + 1 == end);
    }
  });
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
