// Layer norm, and BERT's input embedding, which ends in one.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/layer_norm.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include <cmath>

#include "hwy/highway.h"
#include "ops/cpu/activation-inl.h"
#include "ops/cpu/rows-inl.h"
#include "ops/ops.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

void LayerNormRows(const ConstMatrix& x, const LayerNormWeight& weight, const Matrix& y,
                   float* scratch) {
  const auto cols = static_cast<std::size_t>(x.cols);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    LoadRow(x.dtype, x.row(r), cols, scratch);
    NormalizeRow(scratch, cols, weight.gamma.data(), weight.beta.data(), weight.epsilon);
    StoreRow(scratch, cols, y.dtype, y.row(r));
  }
}

/// scratch and part each hold one padded row.
void EmbedRow(const EmbeddingTables& tables, std::int32_t id, std::int32_t position,
              std::int32_t type, const LayerNormWeight& norm, const Matrix& y, std::int64_t row,
              float* scratch, float* part) {
  const F32 d;
  const auto cols = static_cast<std::size_t>(y.cols);
  LoadRow(tables.word.dtype, tables.word.row(id), cols, scratch);
  const auto add = [&](const ConstMatrix& table, std::int32_t index) {
    LoadRow(table.dtype, table.row(index), cols, part);
    for (std::size_t i = 0; i < cols; i += hn::Lanes(d)) {
      hn::StoreU(hn::Add(hn::LoadU(d, scratch + i), hn::LoadU(d, part + i)), d, scratch + i);
    }
  };
  add(tables.token_type, type);
  add(tables.position, position);
  NormalizeRow(scratch, cols, norm.gamma.data(), norm.beta.data(), norm.epsilon);
  StoreRow(scratch, cols, y.dtype, y.row(row));
}

void CopyRow(const ConstMatrix& x, std::int64_t from, const Matrix& y, std::int64_t to,
             float* scratch) {
  const auto cols = static_cast<std::size_t>(x.cols);
  LoadRow(x.dtype, x.row(from), cols, scratch);
  StoreRow(scratch, cols, y.dtype, y.row(to));
}

void AddRow(const float* x, const Matrix& y, std::int64_t row) {
  const F32 d;
  const std::size_t lanes = hn::Lanes(d);
  const auto cols = static_cast<std::size_t>(y.cols);
  std::size_t i = 0;
  if (y.dtype == DType::bf16) {
    auto* values = reinterpret_cast<BFloat16*>(y.row(row));
    StoreRounded(cols, values, [&](auto tag, std::size_t at) {
      return hn::Add(hn::LoadU(tag, x + at), FromBFloat16(tag, values + at));
    });
    return;
  }
  auto* values = reinterpret_cast<float*>(y.row(row));
  for (; i + lanes <= cols; i += lanes) {
    hn::StoreU(hn::Add(hn::LoadU(d, x + i), hn::LoadU(d, values + i)), d, values + i);
  }
  for (; i < cols; ++i) values[i] += x[i];
}

void GeluRow(const float* x, const Matrix& y, std::int64_t row) {
  StoreRounded(static_cast<std::size_t>(y.cols), reinterpret_cast<BFloat16*>(y.row(row)),
               [&](auto d, std::size_t i) { return Gelu(d, hn::LoadU(d, x + i)); });
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "ops/cpu/device.h"
#include "ops/cpu/rows.h"

namespace cloze::ops {
HWY_EXPORT(LayerNormRows);
HWY_EXPORT(EmbedRow);
HWY_EXPORT(CopyRow);
HWY_EXPORT(AddRow);
HWY_EXPORT(GeluRow);

namespace {

constexpr std::int64_t kPad = 64;            // more lanes than any vector has
constexpr std::int64_t kValuesATask = 8192;  // less than this is not worth another thread

float* scratch_rows(Context& context, std::int64_t cols, std::int64_t count) {
  auto& scratch = context.device().worker().scratch;
  scratch.reset();
  return scratch.take<float>((cols + kPad) * count).data();
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

void require_hidden(std::size_t gamma, std::size_t beta, std::int64_t cols) {
  if (static_cast<std::int64_t>(gamma) != cols || static_cast<std::int64_t>(beta) != cols) {
    throw ArgumentError(fmt::format("a layer norm of {} values was given rows of {}", gamma, cols));
  }
}

}  // namespace

void add_row(const float* x, const Matrix& y, std::int64_t row) {
  HWY_DYNAMIC_DISPATCH(AddRow)(x, y, row);
}

void gelu_row(const float* x, const Matrix& y, std::int64_t row) {
  HWY_DYNAMIC_DISPATCH(GeluRow)(x, y, row);
}

void layer_norm(Context& context, ConstMatrix x, const LayerNormWeight& weight, Matrix y) {
  require_hidden(weight.gamma.size(), weight.beta.size(), x.cols);
  over_rows(context, OperationKey::Kind::layer_norm, y,
            [&](std::int64_t begin, std::int64_t count) {
              HWY_DYNAMIC_DISPATCH(LayerNormRows)
              (x.rows_from(begin, count), weight, y.rows_from(begin, count),
               scratch_rows(context, x.cols, 1));
            });
}

void embed(Context& context, const EmbeddingTables& tables, const EmbeddingIndices& indices,
           const LayerNormWeight& norm, Matrix y) {
  require_hidden(norm.gamma.size(), norm.beta.size(), y.cols);
  over_rows(context, OperationKey::Kind::embed, y, [&](std::int64_t begin, std::int64_t count) {
    float* scratch = scratch_rows(context, y.cols, 2);
    for (std::int64_t row = begin; row < begin + count; ++row) {
      const auto at = static_cast<std::size_t>(row);
      HWY_DYNAMIC_DISPATCH(EmbedRow)
      (tables, indices.input_ids[at], indices.position_ids[at], indices.token_type_ids[at], norm, y,
       row, scratch, scratch + y.cols + kPad);
    }
  });
}

void gather_rows(Context& context, ConstMatrix x, std::span<const std::int32_t> indices, Matrix y) {
  over_rows(context, OperationKey::Kind::copy, y, [&](std::int64_t begin, std::int64_t count) {
    float* scratch = scratch_rows(context, x.cols, 1);
    for (std::int64_t row = begin; row < begin + count; ++row) {
      HWY_DYNAMIC_DISPATCH(CopyRow)(x, indices[static_cast<std::size_t>(row)], y, row, scratch);
    }
  });
}

void convert(Context& context, ConstMatrix x, Matrix y) {
  over_rows(context, OperationKey::Kind::copy, y, [&](std::int64_t begin, std::int64_t count) {
    float* scratch = scratch_rows(context, x.cols, 1);
    for (std::int64_t row = begin; row < begin + count; ++row) {
      HWY_DYNAMIC_DISPATCH(CopyRow)(x, row, y, row, scratch);
    }
  });
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
