// What Cloze asks of oneDNN: its errors as ours, its instruction sets by their bits, and no more
// compiled products than there is place for.
#include "ops/cpu/onednn.h"

#include <vector>

#include <gtest/gtest.h>

#include "cloze/error.h"
#include "ops/cpu/machine/cpu_features.h"
#include "ops/device.h"
#include "ops/linear.h"
#include "ops/operands.h"

namespace cloze::ops {
namespace {

using testing::Operand;
using testing::Random;

TEST(OneDnn, ItsErrorsAreOurs) {
  Random random(1);
  Context context;
  context.begin();
  const auto a = Operand::random(DType::f32, 4, 8, random),
             b = Operand::random(DType::f32, 8, 6, random);
  Operand c(DType::f32, 4, 6);
  auto overlapping = c.view();
  overlapping.stride = 2;  // rows that lie in each other: oneDNN does not describe such a matrix
  try {
    multiply(context, {a.view()}, {b.view()}, overlapping);
    FAIL() << "rows that overlap were accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("product of [4, 8] and [8, 6] in f32"),
              std::string::npos)
        << error.what();
  }
  // It is as good as new afterwards.
  multiply(context, {a.view()}, {b.view()}, c.view());
  EXPECT_THROW(
      static_cast<void>(gemm_rate(cpu(), std::vector<GemmShape>{{-1, 4, 4, 1}}, DType::f32, 1)),
      Error);
  EXPECT_THROW(
      static_cast<void>(gemm_rate(cpu(), std::vector<GemmShape>{{4, 4, 4, 1}}, DType::f16, 1)),
      ArgumentError);
}

TEST(OneDnn, KeepsAsManyProductsAsItMay) {
  Random random(2);
  Products products(3);
  const auto x = Operand::random(DType::f32, 12, 8, random),
             w = Operand::random(DType::f32, 8, 6, random);
  for (int round = 0; round < 2; ++round) {
    for (std::int64_t rows = 1; rows <= 12; ++rows) {
      Operand y(DType::f32, rows, 6);
      products.run({.m = rows, .n = 6, .k = 8, .x_stride = 8, .w_stride = 6, .y_stride = 6},
                   {.x = x.view().data, .w = w.view().data, .y = y.view().data});
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < 6; ++c) {
          double wanted = 0;
          for (std::int64_t i = 0; i < 8; ++i) wanted += x.get(r, i) * w.get(i, c);
          ASSERT_NEAR(y.get(r, c), wanted, 1e-5);
        }
      }
      ASSERT_LE(products.size(), 3U);
    }
  }
  EXPECT_EQ(products.capacity(), 3U);
}

// The numbers are those of dnnl_cpu_isa_t, up to versions that are not known here.
TEST(OneDnn, AnInstructionSetHasWhatItExtends) {
  struct Case {
    unsigned isa;
    bool bf16, int8;
  };
  for (const auto& [isa, bf16, int8] : {Case{0x0, false, false},   // not x86-64
                                        Case{0x1, false, false},   // SSE4.1
                                        Case{0x7, false, false},   // AVX2
                                        Case{0x27, false, false},  // AVX-512
                                        Case{0x67, false, true},   // AVX512-VNNI
                                        Case{0xE7, true, true},    // AVX512-BF16
                                        Case{0x1EF, true, true},   // oneDNN 3: AVX10.1
                                        Case{0x3E7, true, true},   // AMX
                                        Case{0xFEF, true, true},   // oneDNN 3: AVX10.1, AMX
                                        Case{0x1FEF, true, true},  // and FP16
                                        Case{0xFFFFFFFF, true, true}}) {
    const auto features = features_of_isa(isa);
    EXPECT_EQ(features.bf16, bf16) << std::hex << isa;
    EXPECT_EQ(features.int8, int8) << std::hex << isa;
    EXPECT_EQ(features.tiles, (isa & 0x3E7U) == 0x3E7U) << std::hex << isa;
  }
}

TEST(OneDnn, AcceleratesWhatProcessorAndLibraryHave) {
  constexpr CpuFeatures all{.bf16 = true, .int8 = true}, none{}, vnni{.int8 = true};
  EXPECT_TRUE(accelerates(DType::f32, none, none));
  EXPECT_TRUE(accelerates(DType::bf16, all, all));
  EXPECT_FALSE(accelerates(DType::bf16, all, vnni));  // ONEDNN_MAX_CPU_ISA forbids it
  EXPECT_FALSE(accelerates(DType::bf16, vnni, all));
  EXPECT_TRUE(accelerates(DType::i8, vnni, all));
  EXPECT_FALSE(accelerates(DType::i8, none, all));
  EXPECT_FALSE(accelerates(DType::f16, all, all));
  for (const auto dtype : {DType::f32, DType::bf16, DType::i8}) {
    EXPECT_EQ(accelerates(dtype), accelerates(dtype, cpu_features(), library_features()));
  }
}

}  // namespace
}  // namespace cloze::ops
