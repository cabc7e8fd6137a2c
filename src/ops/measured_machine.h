/// \file
/// The machine that the processor's kernels run on: what it is called and has, how fast it multiplies,
/// and what `Precision::best` is there.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ops/product_rates.h"

namespace cloze::ops {

/// "Intel(R) Xeon(R) Platinum 8581C, family 6, model 207": what its maker calls it, and numbers that
/// tell models apart where a virtual machine hides the name. "unknown" where neither can be had.
[[nodiscard]] std::string processor_name();

/// The instruction sets that matter for products, from the oldest on: those of the processor that
/// the system lets programs use, whatever a library makes of them. From CPUID, or on Arm from the
/// system's HWCAP.
[[nodiscard]] std::vector<std::string> instruction_sets();

/// What was measured on a machine, and decided by it.
struct MeasuredMachine {
  std::string processor;  ///< processor_name()
  std::string library;    ///< what multiplies, with its version and what it may use
  ProductRates rates;
  DType fastest = DType::f32;  ///< f32 or bf16
};

/// Measures now, decides with what is kept in mind, and keeps the result where it can. What cannot
/// be written is measured again by the next process.
[[nodiscard]] MeasuredMachine measure_machine();

/// Where the decision for this processor and library is kept: a file in the cache folder
/// (core/cache_folder.h). Nothing where there is no such folder.
[[nodiscard]] std::optional<std::filesystem::path> kept_machine_file();

}  // namespace cloze::ops
