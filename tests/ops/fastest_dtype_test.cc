// The dtype that `Precision::best` is: how it is decided, and how the decision is kept.
#include "ops/cpu/machine/fastest_dtype.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "cloze/machine.h"
#include "cloze/threads.h"
#include "core/environment_setting.h"
#include "core/io/files.h"
#include "core/temp_directory.h"
#include "ops/device.h"
#include "ops/machine.h"

namespace cloze::ops {
namespace {

using testing::EnvironmentSetting;
using testing::TempDirectory;

ProductRates rates_of(double f32, double bf16) { return {.f32 = f32, .bf16 = bf16}; }

TEST(FastestDtype, IsTheFasterOne) {
  EXPECT_EQ(decide_fastest(rates_of(200, 97), {}), DType::f32);     // half-rate instructions
  EXPECT_EQ(decide_fastest(rates_of(110, 218), {}), DType::bf16);   // full-rate ones
  EXPECT_EQ(decide_fastest(rates_of(158, 1552), {}), DType::bf16);  // tiles
  EXPECT_EQ(decide_fastest(rates_of(150, 150), {}), DType::bf16);   // half the memory
  EXPECT_EQ(decide_fastest(rates_of(150, 0), {}), DType::f32);      // no instructions
}

TEST(FastestDtype, ADecisionStaysUntilTheOtherIsATenthFaster) {
  EXPECT_EQ(decide_fastest(rates_of(100, 105), DType::f32), DType::f32);
  EXPECT_EQ(decide_fastest(rates_of(100, 112), DType::f32), DType::bf16);
  EXPECT_EQ(decide_fastest(rates_of(105, 100), DType::bf16), DType::bf16);
  EXPECT_EQ(decide_fastest(rates_of(112, 100), DType::bf16), DType::f32);
  EXPECT_EQ(decide_fastest(rates_of(100, 0), DType::bf16), DType::f32);  // capped since
}

TEST(FastestDtype, MeasuresWhatTheMachineHas) {
  const auto rates = measure_product_rates(cpu());
  EXPECT_EQ(rates.threads, num_threads());
  EXPECT_GT(rates.f32, 0);
  EXPECT_EQ(rates.bf16 > 0, testing::computes(DType::bf16));
  EXPECT_EQ(rates.int8 > 0, testing::computes(DType::i8));
  EXPECT_EQ(rates.of(DType::f32), rates.f32);
  EXPECT_EQ(rates.of(DType::bf16), rates.bf16);
  EXPECT_EQ(rates.of(DType::i8), rates.int8);
}

TEST(FastestDtype, IsKeptForThisProcessorAlone) {
  const TempDirectory folder;
  const EnvironmentSetting cache("CLOZE_CACHE", (folder.path() / "new" / "cache").c_str());
  EXPECT_FALSE(kept_machine());
  const auto measured = measure_machine();
  const auto file = kept_machine_file();
  ASSERT_TRUE(file);
  ASSERT_TRUE(files::exists(*file)) << *file;
  const auto kept = kept_machine();
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->processor, processor_name());
  EXPECT_EQ(kept->library, measured.library);
  EXPECT_EQ(kept->fastest, measured.fastest);
  EXPECT_NEAR(kept->rates.f32, measured.rates.f32, 0.1);
  EXPECT_EQ(kept->rates.threads, measured.rates.threads);

  const auto text = files::read_text(*file);
  const auto holds = [&](const std::string& changed) {
    std::ofstream(*file) << changed;
    return kept_machine().has_value();
  };
  EXPECT_TRUE(holds(text));
  for (std::size_t size = 0; size + 2 < text.size(); ++size) {
    ASSERT_FALSE(holds(text.substr(0, size))) << size;
  }
  const auto other = [&](const std::string& from, const std::string& to) {
    auto changed = text;
    const auto at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return changed.replace(at, from.size(), to);
  };
  EXPECT_FALSE(holds(other(processor_name(), "another one")));
  EXPECT_FALSE(holds(other("oneDNN", "twoDNN")));
  EXPECT_FALSE(holds(other("\"threads\": ", "\"threads\": \"many\", \"t\": ")));
  EXPECT_FALSE(holds(other("\"fastest\": \"", "\"fastest\": \"i")));
  EXPECT_FALSE(holds("[]"));
  // What does not fit is measured anew, and replaced.
  static_cast<void>(measure_machine());
  EXPECT_TRUE(kept_machine());
}

TEST(FastestDtype, WhereNothingCanBeKeptItIsMeasured) {
  const TempDirectory folder;
  std::ofstream(folder.path() / "file") << "no folder";
  const EnvironmentSetting cache("CLOZE_CACHE", (folder.path() / "file" / "cache").c_str());
  EXPECT_GT(measure_machine().rates.f32, 0);
  EXPECT_FALSE(kept_machine());
  const auto info = machine_info();
  EXPECT_TRUE(info.kept_in.empty());
  EXPECT_GT(info.f32_gflops, 0);
}

TEST(FastestDtype, DoesNotChangeWhileTheProcessRuns) {
  const auto first = fastest_dtype();
  EXPECT_EQ(cpu().fastest_dtype(), first);
  const TempDirectory folder;
  const EnvironmentSetting cache("CLOZE_CACHE", folder.path().c_str());
  EXPECT_EQ(fastest_dtype(), first);
  EXPECT_EQ(resolve(Precision::best), first == DType::bf16 ? Precision::bf16 : Precision::f32);
  if (!testing::computes(DType::bf16)) {
    EXPECT_EQ(first, DType::f32);
  }
}

TEST(Processor, HasANameAndItsInstructions) {
  const auto info = machine_info();
  EXPECT_FALSE(info.processor.empty());
  EXPECT_FALSE(info.reason.empty());
  EXPECT_EQ(info.threads.wanted, num_threads());
#if defined(__x86_64__)
  EXPECT_NE(info.processor.find("family "), std::string::npos) << info.processor;
  ASSERT_FALSE(info.instruction_sets.empty());
  EXPECT_EQ(info.instruction_sets.front(), "SSE4.1");
#endif
  EXPECT_NE(info.library.find("oneDNN "), std::string::npos) << info.library;
}

}  // namespace
}  // namespace cloze::ops
