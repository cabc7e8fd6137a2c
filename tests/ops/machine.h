/// \file
/// What the machine that runs the tests computes, where that differs.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include "cloze/bert.h"
#include "ops/device.h"

namespace cloze::testing {

/// Whether products in `compute` have instructions of their own here. Without, oneDNN may have none.
inline bool computes(DType compute) { return ops::cpu().accelerates(compute); }

/// The same of a model's precision. int8 runs everywhere, slowly.
inline bool computes(Precision precision) {
  return precision != Precision::bf16 || computes(DType::bf16);
}

/// Whether the bits of a row of a product do not depend on how many rows are multiplied at once: so it
/// is with oneDNN's kernels for AVX-512. Those before choose the order of a sum by the sizes.
inline bool rows_have_bits_of_their_own() {
  const auto bits = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto avx512 = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  return (bits & avx512) == avx512;
}

/// What the same rows of f32 may differ by, computed in other company.
inline double same_rows() { return rows_have_bits_of_their_own() ? 1e-6 : 1e-5; }

constexpr const char* kSharedRows =
    "without AVX-512 the last bits of a row depend on how many rows are multiplied at once";

}  // namespace cloze::testing
