/// \file
/// One unit of work of attention in training.
#pragma once

#include <cstdint>

#include "core/arena.h"
#include "ops/training.h"

namespace cloze::ops {

/// One head of one sequence, forward or backward.
struct TrainingHeadTask {
  ConstMatrix q;     ///< [queries, head_dim]: of all tokens of the sequence, or of some
  ConstMatrix k, v;  ///< [length, head_dim]
  Matrix y;          ///< [queries, head_dim], of the forward
  ConstMatrix d_y;   ///< [queries, head_dim], of the backward
  Matrix d_q, d_k, d_v;
  float scale = 1.0F;
  Dropout dropout;
  std::int64_t dropout_row = 0;  ///< all probabilities of the head are one row for dropout
  bool in_pairs = false;         ///< bf16 is multiplied in hardware, and lies so that it can be
};

}  // namespace cloze::ops
