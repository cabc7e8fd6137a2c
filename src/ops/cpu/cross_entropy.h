/// \file
/// What a row of cross entropy gives, the same for every instruction set.
#pragma once

#include <cstdint>

namespace cloze::ops {

struct RowLoss {
  double loss = 0;
  bool correct = false;
};

/// Values of scratch that a row needs: a piece, and a vector more than any machine has.
constexpr std::int64_t kCrossEntropyScratch = 1024 + 64;

}  // namespace cloze::ops
