/// \file
/// The machine that Cloze computes on: what its processor is called and has, how fast it multiplies,
/// and what that means for `Precision::best`.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cloze/bert.h"
#include "cloze/threads.h"

#pragma GCC visibility push(default)
namespace cloze {

/// A processor, and what was measured on it.
struct MachineInfo {
  std::string processor;  ///< its maker's name for it, its family and model
  /// The instruction sets that products can use, from the oldest on, such as "AVX2", "AVX-512",
  /// "AVX512-BF16" or "AMX-BF16": those of the processor that the system lets programs use.
  std::vector<std::string> instruction_sets;
  std::string library;   ///< what multiplies: its name, version, and the instructions it may use
  ThreadStatus threads;  ///< as `thread_status` has it
  // All threads together, in one linear layer's product that fits the caches; 0 where the processor
  // has no instructions for it.
  double f32_gflops = 0;            ///< GFLOP/s
  double bf16_gflops = 0;           ///< GFLOP/s
  double int8_gops = 0;             ///< 10⁹ operations a second
  Precision best = Precision::f32;  ///< what `Precision::best` is here: f32 or bf16
  std::string reason;               ///< why, in a sentence
  /// Where the decision is kept, for all processes of this user: the file can be deleted, and is
  /// made again. Empty where there is no such file.
  std::filesystem::path kept_in;
};

/// Measures the machine, which takes about 10 ms. What was decided before stays until the other
/// dtype is a tenth faster; a process that has asked for `Precision::best` goes on with its own
/// decision.
[[nodiscard]] MachineInfo machine_info();

}  // namespace cloze

#pragma GCC visibility pop
