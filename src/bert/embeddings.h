/// \file
/// BERT's input layer: word, position and segment embeddings, summed and normalised.
#pragma once

#include "cloze/batch.h"
#include "ops/embedding.h"

namespace cloze::nn {

/// `embeddings.*` of the checkpoint. The tables stay in the dtype and memory that they came in (a
/// mapped file): only the rows that a batch needs are ever read.
struct Embeddings {
  Tensor word;        ///< [vocab, width]
  Tensor position;    ///< [max_position_embeddings, width]
  Tensor token_type;  ///< [type_vocab, width]
  ops::NormParameters norm;
};

/// embedded [total_tokens, width] of the batch, whose indices must be inside the tables.
inline void forward(ops::Context& context, const Embeddings& embeddings, const Batch& batch,
                    ops::Matrix embedded) {
  ops::embed(context,
             {.word = ops::matrix_of(embeddings.word),
              .position = ops::matrix_of(embeddings.position),
              .token_type = ops::matrix_of(embeddings.token_type)},
             {.input_ids = batch.input_ids,
              .position_ids = batch.position_ids,
              .token_type_ids = batch.token_type_ids},
             embeddings.norm, embedded);
}

}  // namespace cloze::nn
