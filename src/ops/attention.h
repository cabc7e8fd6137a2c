/// \file
/// Attention within packed sequences, forward and backward.
#pragma once

#include <cstdint>
#include <span>

#include "ops/context.h"
#include "ops/dropout.h"
#include "ops/matrix.h"

namespace cloze::ops {

struct AttentionShape {
  std::int64_t heads = 1;
  std::int64_t head_dim = 1;
  std::span<const std::int32_t> cu_seqlens;  ///< [sequences + 1]
};

/// Queries, keys and values of attention, of one dtype, heads side by side: [queries, hidden] and
/// [tokens, hidden]. All tokens are queries, or some of each sequence's: what a head that looks at
/// few tokens needs of the last layer.
struct AttentionInputs {
  ConstMatrix q, k, v;
  std::span<const std::int32_t> cu_queries = {};  ///< [sequences + 1]; empty: all are queries
};

/// Part 0 (queries), 1 (keys) or 2 (values) of a matrix that has them side by side,
/// [tokens, 3·hidden].
template <class M>
[[nodiscard]] M attention_part(const M& qkv, std::int64_t index) {
  return qkv.cols_from(index * (qkv.cols / 3), qkv.cols / 3);
}

/// Queries, keys and values that lie side by side, all tokens being queries.
[[nodiscard]] inline AttentionInputs attention_inputs(const ConstMatrix& qkv) {
  return {.q = attention_part(qkv, 0), .k = attention_part(qkv, 1), .v = attention_part(qkv, 2)};
}

/// Elements that a query's row of probabilities takes for dropout: a multiple of this.
inline constexpr std::int64_t kKeyColumns = 16;

/// What else a forward does with its probabilities.
///
/// For dropout all probabilities of a sequence's head are one row, head·tokens + the sequence's
/// first token, in which the probability of the sequence's query i and key j is column i·keys + j,
/// keys being the sequence's length rounded up to kKeyColumns.
struct AttentionOptions {
  Dropout dropout = {};
  /// Where not empty, receives the softmax before dropout, f32: sequence after sequence,
  /// [heads, queries, length] each.
  std::span<float> probabilities = {};
};

/// y [queries, heads·head_dim] = dropout(softmax(q·kᵀ / sqrt(head_dim)))·v within each sequence and
/// head (Vaswani et al., arXiv:1706.03762, section 3.2.1), no token attending outside its sequence;
/// y of the inputs' dtype.
void attention(Context& context, const AttentionInputs& in, const AttentionShape& shape, Matrix y,
               const AttentionOptions& options = {});

/// Like AttentionInputs; every element is written.
struct AttentionGradients {
  Matrix q, k, v;
};

/// The operands of `attention_backward`.
struct AttentionBackward {
  AttentionInputs in;
  AttentionShape shape = {};
  Dropout dropout = {};
  ConstMatrix d_y = {};  ///< [queries, hidden]
  AttentionGradients out = {};
};

/// The gradients of the inputs from d_y. Probabilities are computed again; nothing of size length²
/// is kept. With P the probabilities, D dropout's factors:
/// dV = (P∘D)ᵀ·dY, dP = (dY·Vᵀ)∘D, dS = P∘(dP - rowsum(P∘dP)) / sqrt(head_dim), dQ = dS·K,
/// dK = dSᵀ·Q.
void attention_backward(Context& context, const AttentionBackward& args);

}  // namespace cloze::ops
