/// \file
/// One unit of attention's work.
#pragma once

#include <cstdint>

#include "core/arena.h"
#include "ops/matrix.h"

namespace cloze::ops {

constexpr std::int64_t kQueryTile = 32;  ///< queries whose scores are held at once

/// Queries [query_begin, query_end) of one head of one sequence.
struct HeadTask {
  ConstMatrix q, k, v;  ///< [length, head_dim] each
  Matrix y;             ///< [length, head_dim]
  std::int64_t length = 0;
  std::int64_t head_dim = 0;
  std::int64_t query_begin = 0;
  std::int64_t query_end = 0;
  float scale = 1.0F;              ///< of the scores
  float* probabilities = nullptr;  ///< [length, length] of this head, or none
  bool next_head = false;          ///< whether the head beside this one comes next, on this thread
};

}  // namespace cloze::ops
