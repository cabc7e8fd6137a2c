#include "ops/cpu/machine/cpu_features.h"

#include <atomic>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "core/threads/fork_gate.h"
#include "ops/cpu/onednn.h"
#include "ops/cpu/simd/amx.h"
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
  // What is multiplied on tiles is rounded to bf16 by AVX512-BF16's instruction.
  constexpr unsigned kAmx = 1U << 22U | 1U << 24U | 1U << 25U;  // AMX-BF16, AMX-TILE, AMX-INT8
  features.tiles = features.bf16 && __get_cpuid_count(kLeaf, 0, &a, &b, &c, &d) &&
                   (d & kAmx) == kAmx && amx::permitted();
#endif
  return features;
}

namespace {

struct Features {
  CpuFeatures processor = cpu_features(), library = library_features();
};

const Features& features() {
  static const Features both;  // asking takes long, and rows ask often
  return both;
}

const Features& asked_features() {
  static constinit std::atomic<bool> asked = false;
  if (!asked.load()) {
    const ForkPass pass;  // the first caller holds the compiler's lock of a static
    static_cast<void>(features());
    asked = true;
  }
  return features();
}

}  // namespace

bool accelerates(DType compute) {
  const auto& known = asked_features();
  return accelerates(compute, known.processor, known.library);
}

bool has_tiles() {
  const auto& known = asked_features();
  return known.processor.tiles && known.library.tiles;
}

}  // namespace cloze::ops
