/// \file
/// Passes of a model that are timed beside oneDNN's own matrix products.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "bench/quantiles.h"
#include "cloze/profile.h"

namespace cloze {

struct PassOptions {
  int warmup = 2;        ///< passes before the clock starts
  int iterations = 0;    ///< 0: as many as fit in the benchmark's time, at least five
  bool profile = false;  ///< one pass more, with the cost of each kind of operation
};

struct TimedPasses {
  std::int64_t sequences = 0;
  std::int64_t tokens = 0;
  std::int64_t longest = 0;
  std::vector<double> ms;        ///< time of each pass, ascending
  double flops = 0;              ///< of the matrix products of one pass
  double gemm_gflops = 0;        ///< oneDNN alone, same shapes, dtype and threads
  std::int64_t peak_memory = 0;  ///< bytes resident at most so far (VmHWM), before the GEMM
  int threads = 0;
  Profile profile;              ///< of one pass, where asked for
  double profiled_seconds = 0;  ///< that pass took

  /// Of `ms`; 0.5 is the median.
  [[nodiscard]] double percentile(double share) const { return cloze::percentile(ms, share); }
  // At the median:
  [[nodiscard]] double tokens_per_s() const {
    return static_cast<double>(tokens) / (percentile(0.5) / 1e3);
  }
  [[nodiscard]] double gflops() const { return flops / (percentile(0.5) / 1e3) / 1e9; }
  [[nodiscard]] double fraction_of_gemm() const { return gflops() / gemm_gflops; }
};

/// The most memory that this process has had resident, in bytes; 0 where the system does not say.
[[nodiscard]] std::int64_t peak_resident_memory();

/// Times `pass`, which returns its milliseconds, for about `budget_ms`. oneDNN's rate, which
/// `gemm_rate` measures, is taken between and after the passes, so that a drift of the machine's
/// speed touches both alike.
template <class Pass, class Rate>
void time_passes(TimedPasses& result, const PassOptions& options, double budget_ms,
                 const Pass& pass, const Rate& gemm_rate) {
  constexpr int fewest = 5;
  double last = 0;
  for (int i = 0; i < std::max(1, options.warmup); ++i) last = pass();
  const int iterations = options.iterations > 0
                             ? options.iterations
                             : std::max(fewest, static_cast<int>(budget_ms / last));
  const int before = (iterations + 1) / 2;
  for (int i = 0; i < before; ++i) result.ms.push_back(pass());
  result.peak_memory = peak_resident_memory();  // before the comparison takes memory of its own
  const double between = gemm_rate();
  for (int i = before; i < iterations; ++i) result.ms.push_back(pass());
  result.gemm_gflops = (between + gemm_rate()) / 2;
  std::sort(result.ms.begin(), result.ms.end());
}

}  // namespace cloze
