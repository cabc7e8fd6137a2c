/// \file
/// What a row of cross entropy gives, the same for every instruction set.
#pragma once

#include <cstdint>

namespace cloze::ops {

struct RowLoss {
  double loss = 0;
  bool correct = false;
};

/// Values of scratch that a row needs beside its own number: more than any machine's vector has.
constexpr std::int64_t kCrossEntropyMargin = 64;

}  // namespace cloze::ops
