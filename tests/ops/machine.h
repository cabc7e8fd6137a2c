/// \file
/// What the machine that runs the tests computes, where that differs.
#pragma once

#include "cloze/bert.h"
#include "ops/device.h"

namespace cloze::testing {

/// Whether products in `compute` have instructions of their own here. Without, oneDNN may have none.
inline bool computes(DType compute) { return ops::cpu().accelerates(compute); }

/// The same of a model's precision. int8 runs everywhere, slowly.
inline bool computes(Precision precision) {
  return precision != Precision::bf16 || computes(DType::bf16);
}

}  // namespace cloze::testing
