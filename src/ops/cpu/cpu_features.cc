#include "ops/cpu/cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "ops/cpu/onednn.h"
#include "ops/linear.h"

namespace cloze::ops {

CpuFeatures cpu_features() {
  CpuFeatures features;
#if defined(__x86_64__)
  features.bf16 = __builtin_cpu_supports("avx512bf16") != 0;
  features.int8 = __builtin_cpu_supports("avx512vnni") != 0;
  // AVX-VNNI, of processors without AVX-512: not every compiler has its name.
  constexpr unsigned kLeaf = 7, kSubleaf = 1, kAvxVnni = 1U << 4U;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__builtin_cpu_supports("avx2") != 0 && __get_cpuid_count(kLeaf, kSubleaf, &a, &b, &c, &d)) {
    features.int8 = features.int8 || (a & kAvxVnni) != 0;
  }
#endif
  return features;
}

bool accelerates(DType compute) {
  // Asking takes long, and rows ask often.
  static const CpuFeatures processor = cpu_features(), library = library_features();
  return accelerates(compute, processor, library);
}

}  // namespace cloze::ops
