// Real weights: all-MiniLM-L6-v2 on real sentences, against transformers in float64. Skips when the
// model is not in the cache (`make demo` puts it there).
#include <cstdlib>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/bert.h"
#include "cloze/error.h"
#include "cloze/tensor.h"
#include "goldens/golden.h"
#include "ops/machine.h"

namespace cloze::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): no thread sets it
  return value == nullptr ? "" : value;
}

fs::path model_directory() {
  if (const auto model = variable("CLOZE_TEST_MODEL"); !model.empty()) return model;
  fs::path cache = variable("CLOZE_CACHE");
  if (cache.empty()) {
    const fs::path xdg = variable("XDG_CACHE_HOME");
    cache = (xdg.empty() ? fs::path(variable("HOME")) / ".cache" : xdg) / "cloze";
  }
  return cache / "all-MiniLM-L6-v2";
}

class MiniLm : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(model_directory() / "model.safetensors")) {
      GTEST_SKIP() << "no model in " << model_directory()
                   << " (set CLOZE_TEST_MODEL, or run make demo)";
    }
  }

  // The rows of `all` that the golden holds.
  static Tensor chosen_rows(const Golden& golden, const Tensor& all) {
    const auto values = elements<float>(all);
    const auto width = all.dim(1);
    std::vector<float> rows;
    for (const auto row : golden.ints("row_indices")) {
      rows.insert(rows.end(), values.begin() + row * width, values.begin() + (row + 1) * width);
    }
    const auto count = static_cast<std::int64_t>(rows.size()) / width;
    return Tensor::from<float>({count, width}, rows);
  }

  Golden golden_{golden_directory("minilm.safetensors")};
};

TEST_F(MiniLm, MatchesTransformersInF32) {
  const auto model = BertModel::from_pretrained(model_directory());
  const auto out = model(golden_.batch());
  EXPECT_LE(max_abs_difference(chosen_rows(golden_, out.last_hidden_state), golden_.tensor("rows")),
            2e-5);
  EXPECT_LE(max_abs_difference(out.pooler_output, golden_.tensor("pooler_output")), 2e-5);
}

TEST_F(MiniLm, MatchesTransformersInBf16) {
  if (!computes(Precision::bf16)) GTEST_SKIP() << "this machine does not multiply in bf16";
  const auto model = BertModel::from_pretrained(model_directory(), {.precision = Precision::bf16});
  const auto out = model(golden_.batch());
  EXPECT_GE(mean_cosine(chosen_rows(golden_, out.last_hidden_state), golden_.tensor("rows")),
            0.9995);
}

TEST_F(MiniLm, ASequenceDoesNotDependOnItsBatchMates) {
  const auto model = BertModel::from_pretrained(model_directory());
  const auto& batch = golden_.batch();
  const auto together = model(batch).last_hidden_state;
  for (std::int64_t i = 0; i < batch.sequences(); ++i) {
    const auto begin = batch.cu_seqlens[static_cast<std::size_t>(i)];
    EXPECT_LE(max_abs_difference(model(alone(batch, i)).last_hidden_state,
                                 together.rows(begin, begin + batch.length(i))),
              1e-6)
        << "sequence " << i;
  }
}

TEST_F(MiniLm, HasNoMaskedLmHead) {
  EXPECT_THAT([] { (void)BertForMaskedLM::from_pretrained(model_directory()); },
              ThrowsMessage<ModelError>(HasSubstr("cls.predictions")));
  EXPECT_THAT([] { (void)BertForNextSentencePrediction::from_pretrained(model_directory()); },
              ThrowsMessage<ModelError>(HasSubstr("cls.seq_relationship")));
}

}  // namespace
}  // namespace cloze::testing
