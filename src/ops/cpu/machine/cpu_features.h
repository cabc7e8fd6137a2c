/// \file
/// What the processor multiplies in hardware.
#pragma once

#include "cloze/tensor.h"

namespace cloze::ops {

/// Whether instructions exist, and the system saves their registers.
struct CpuFeatures {
  bool bf16 = false;   ///< AVX512-BF16: bf16 products summed in f32 (machines with AMX have it too)
  bool int8 = false;   ///< VNNI: u8·s8 products summed in 32 bits, without saturating at 16
  bool tiles = false;  ///< AMX: both, of tiles of matrices
};

/// This processor's. None outside of x86-64, for which Cloze has no such kernels.
[[nodiscard]] CpuFeatures cpu_features();

/// Whether products of `compute` run in hardware: the processor has the instructions, and the
/// library that multiplies uses them.
[[nodiscard]] constexpr bool accelerates(DType compute, const CpuFeatures& processor,
                                         const CpuFeatures& library) {
  switch (compute) {
    case DType::f32:
      return true;
    case DType::bf16:
      return processor.bf16 && library.bf16;
    case DType::i8:
      return processor.int8 && library.int8;
    default:
      return false;
  }
}

/// Whether products of bf16 run on tiles: as above.
[[nodiscard]] bool has_tiles();

}  // namespace cloze::ops
