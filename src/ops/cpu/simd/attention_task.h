/// \file
/// One unit of attention's work, forward or backward: the same for every instruction set.
#pragma once

#include <cstdint>

#include "core/arena.h"
#include "ops/attention.h"

namespace cloze::ops {

/// What the products of attention are made of.
enum class HeadProducts : std::uint8_t {
  singles,  ///< f32 values, whatever the operands are stored in
  pairs,    ///< pairs of bf16 in a vector's lanes, summed in f32
  tiles,    ///< the same on AMX's tiles
};

/// One head of one sequence.
struct HeadTask {
  ConstMatrix q;     ///< [queries, head_dim]: of all tokens of the sequence, or of some
  ConstMatrix k, v;  ///< [length, head_dim]
  float scale = 1;   ///< of the scores
  Dropout dropout;
  std::int64_t dropout_row = 0;  ///< all probabilities of the head are one row for dropout
  HeadProducts products = HeadProducts::singles;  ///< of operands that lie so that it can be
};

constexpr std::int64_t kQueryTile = 32;  ///< queries whose scores the forward holds at once

/// The forward of the queries [query_begin, query_end) of a head; query_begin is a multiple of
/// kQueryTile.
struct ForwardTask {
  HeadTask head;
  Matrix y;  ///< [queries, head_dim]
  std::int64_t query_begin = 0;
  std::int64_t query_end = 0;
  float* probabilities = nullptr;  ///< [queries, length], or none
  bool next_head = false;          ///< whether the head beside this one comes next, on this thread
};

struct BackwardTask {
  HeadTask head;
  ConstMatrix d_y;  ///< [queries, head_dim]
  Matrix d_q, d_k, d_v;
};

/// Whether products of these rows can be made of pairs of bf16.
[[nodiscard]] inline bool pairs_fit(const ConstMatrix& matrix) {
  return matrix.dtype == DType::bf16 && matrix.stride % 2 == 0;
}

/// Where a head has its rows and columns.
struct HeadPlace {
  std::int64_t query = 0, queries = 0, token = 0, length = 0, column = 0, head_dim = 0;
  template <class M>
  [[nodiscard]] M queries_of(const M& matrix) const {
    return matrix.rows_from(query, queries).cols_from(column, head_dim);
  }
  template <class M>
  [[nodiscard]] M keys_of(const M& matrix) const {
    return matrix.rows_from(token, length).cols_from(column, head_dim);
  }
};

[[nodiscard]] HeadPlace place_of(const AttentionInputs& in, const AttentionShape& shape,
                                 std::int64_t sequence, std::int64_t head);

/// The fastest products of such operands on this machine. Asked once for all heads, outside of their
/// tasks: what is not known of the machine yet is measured.
[[nodiscard]] HeadProducts products_of(const AttentionInputs& in, const AttentionShape& shape);

/// What forward and backward of a head have in common, but for its products.
[[nodiscard]] HeadTask head_task(const AttentionInputs& in, const AttentionShape& shape,
                                 const Dropout& dropout, std::int64_t head, const HeadPlace& place);

/// Throws ArgumentError unless the inputs fit each other, the shape, and `y`, which has a row for
/// each query: the result, or its gradient.
void require_attention(const AttentionInputs& in, const ConstMatrix& y,
                       const AttentionShape& shape);

}  // namespace cloze::ops
