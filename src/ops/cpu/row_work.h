/// \file
/// How operations on rows divide their work, and what they work in. Rows go in pieces of some
/// values, or, where sums over rows are wanted, in blocks of fixed size: each block has a partial
/// sum of its own and these are added up one after another, so that the order of a sum does not
/// depend on the threads.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>

#include "core/function_ref.h"
#include "ops/cpu/state.h"
#include "ops/matrix.h"
#include "ops/norm.h"

namespace cloze::ops {

/// The most rows that `for_row_tiles` hands out at once.
[[nodiscard]] std::int64_t max_tile_rows(std::int64_t rows);

/// A scratch row is wider than its values by more lanes than any vector has.
constexpr std::int64_t kRowPad = 64;

/// `count` scratch rows of the calling worker, cols + kRowPad values each, valid until the worker's
/// next operation.
[[nodiscard]] float* scratch_rows(Context& context, std::int64_t cols, std::int64_t count);

/// Calls `body(begin, count)` for pieces of y's rows, over the threads where that pays. A value is
/// read and written once.
void over_rows(Context& context, OperationKey::Kind kind, const Matrix& y,
               FunctionRef<void(std::int64_t, std::int64_t)> body);

/// f32 rows to work in, wider than any row of the task, and padded copies of a norm's parameters.
struct RowScratch {
  float* rows = nullptr;
  std::int64_t stride = 0;
  const float* gamma = nullptr;
  const float* beta = nullptr;
  [[nodiscard]] float* at(int index) const { return rows + index * stride; }
};

/// Scratch of the calling worker, valid until the worker's next operation.
[[nodiscard]] RowScratch row_scratch(Context& context, std::int64_t cols, int rows,
                                     std::span<const float> gamma = {},
                                     std::span<const float> beta = {});

constexpr std::int64_t kSumRows = 32;  ///< rows of a block

/// Calls `body(begin, count, block)` for each block of rows, over the threads.
void over_sum_blocks(Context& context, OperationKey::Kind kind, std::int64_t rows, double bytes,
                     FunctionRef<void(std::int64_t, std::int64_t, std::int64_t)> body);

/// `kinds` partial sums of `cols` columns for each block of rows.
struct PartialSums {
  std::span<float> values;
  std::int64_t blocks = 0, kinds = 0, stride = 0;
  [[nodiscard]] float* of(std::int64_t block, std::int64_t kind) const {
    return values.data() + (block * kinds + kind) * stride;
  }
};

/// Zeroed sums, valid until the next call: one operation at a time has them.
[[nodiscard]] PartialSums partial_sums(Context& context, std::int64_t rows, std::int64_t cols,
                                       std::int64_t kinds);

/// sums += the partial sums of `kind`, added up in double; nothing for empty `sums`.
void add_partial_sums(Context& context, const PartialSums& partial, std::int64_t kind,
                      std::span<float> sums);

/// Bytes of a row of all of the matrices that have data.
[[nodiscard]] double row_bytes(std::initializer_list<ConstMatrix> matrices);

/// Throws ArgumentError unless the norm has `cols` values.
void require_norm(const NormParameters& norm, std::int64_t cols);

/// Throw ArgumentError, naming `what`, unless `other` (where it has data) is of x's shape; unless
/// there are as many values as x has columns, or none.
void require_like(const ConstMatrix& x, const ConstMatrix& other, const char* what);
void require_columns(const ConstMatrix& x, std::size_t count, const char* what);

}  // namespace cloze::ops
