/// \file
/// How fast a device multiplies, measured: what `Precision::best` is decided by.
#pragma once

#include "cloze/tensor.h"
#include "ops/context.h"

namespace cloze::ops {

/// GFLOP/s (int8: GOP/s) of all threads together in one linear layer's product, whose operands fit
/// their cores' caches; 0 where the device has no instructions for them.
struct ProductRates {
  double f32 = 0;
  double bf16 = 0;
  double int8 = 0;
  int threads = 1;  ///< that computed

  [[nodiscard]] double of(DType compute) const;
};

/// Measures for about 10 ms: the best of a few rounds that alternate, because whatever else the
/// machine does can only lower a rate.
[[nodiscard]] ProductRates measure_product_rates(const Device& device);

}  // namespace cloze::ops
