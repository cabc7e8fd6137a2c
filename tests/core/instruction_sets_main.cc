// The main function of test programs whose code is compiled for several instruction sets:
// CLOZE_TEST_TARGET=AVX2 (a name of Highway's) lets Cloze's own kernels use no newer set than that.
// What oneDNN may use is said by its ONEDNN_MAX_CPU_ISA.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <gtest/gtest.h>
#include <hwy/targets.h>

int main(int argc, char** argv) {
  if (const char* wanted = std::getenv("CLOZE_TEST_TARGET")) {  // NOLINT(concurrency-mt-unsafe)
    const std::int64_t supported = hwy::SupportedTargets();
    std::int64_t newest = 0;
    for (std::int64_t target = 1; target != 0 && newest == 0; target <<= 1) {
      if ((supported & target) != 0 && hwy::TargetName(target) == std::string_view(wanted)) {
        newest = target;
      }
    }
    if (newest == 0) {
      std::printf("[  SKIPPED ] this machine has no %s\n", wanted);
      return 77;
    }
    // Newer sets have lower bits.
    hwy::DisableTargets(newest - 1);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
