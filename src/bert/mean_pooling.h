/// \file
/// The mean of a sequence's hidden states, forward and backward: the vector of a sentence.
#pragma once

#include "cloze/batch.h"
#include "ops/matrix.h"

namespace cloze::internal {

/// vectors [sequences, hidden] f32 = the mean of each sequence's rows of hidden f32 [tokens,
/// hidden], summed in double; zeros for a sequence without tokens.
void mean_of_sequences(ops::ConstMatrix hidden, const Batch& batch, ops::Matrix vectors);

/// Its backward: d_hidden = d_vectors / length, for each token of the sequence.
void mean_of_sequences_backward(ops::ConstMatrix d_vectors, const Batch& batch,
                                ops::Matrix d_hidden);

}  // namespace cloze::internal
