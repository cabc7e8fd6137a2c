/// \file
/// BERT's input embedding: the sum of three tables' rows, forward and backward.
#pragma once

#include <cstdint>
#include <span>

#include "ops/context.h"
#include "ops/matrix.h"
#include "ops/norm.h"

namespace cloze::ops {

/// The three tables of BERT's input embedding, each f32, f16 or bf16.
struct EmbeddingTables {
  ConstMatrix word;        ///< [vocab, hidden]
  ConstMatrix position;    ///< [max_position_embeddings, hidden]
  ConstMatrix token_type;  ///< [type_vocab, hidden]
};

/// Indices of the packed tokens, each [tokens]; every one inside its table.
struct EmbeddingIndices {
  std::span<const std::int32_t> input_ids;
  std::span<const std::int32_t> position_ids;
  std::span<const std::int32_t> token_type_ids;
};

/// y [tokens, hidden] = layer_norm(word[id] + position[p] + token_type[t]).
void embed(Context& context, const EmbeddingTables& tables, const EmbeddingIndices& indices,
           const NormParameters& norm, Matrix y);

/// z [tokens, hidden] f32 = word[id] + position[p] + token_type[t], tables f32: `embed` without its
/// norm, as training needs it.
void embedding_sum(Context& context, const EmbeddingTables& tables, const EmbeddingIndices& indices,
                   Matrix z);

/// Gradients of the three tables, f32: every row += the d_z of the tokens that took it, but for the
/// word `padding` (-1: none), which PyTorch's embeddings do not train either.
struct EmbeddingGradients {
  Matrix word;
  Matrix position;
  Matrix token_type;
  std::int64_t padding = -1;
};
void embedding_sum_backward(Context& context, ConstMatrix d_z, const EmbeddingIndices& indices,
                            const EmbeddingGradients& gradients);

}  // namespace cloze::ops
