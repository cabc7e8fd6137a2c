#include "metrics/classification.h"

#include <vector>

#include <gtest/gtest.h>

#include "metrics/goldens.h"

namespace cloze {
namespace {

using nlohmann::json;
using testing::metric_goldens;

constexpr double tolerance = 1e-11;

void expect_figures(const PrecisionRecallF1& figures, const json& golden) {
  EXPECT_NEAR(figures.precision, golden[0].get<double>(), tolerance);
  EXPECT_NEAR(figures.recall, golden[1].get<double>(), tolerance);
  EXPECT_NEAR(figures.f1, golden[2].get<double>(), tolerance);
}

void expect_averages(const AveragedF1& averaged, const json& golden) {
  expect_figures(averaged.macro, golden["macro"]);
  expect_figures(averaged.weighted, golden["weighted"]);
  expect_figures(averaged.micro, golden["micro"]);
}

TEST(MetricsClassification, EqualScikitLearn) {
  for (const auto& golden : metric_goldens()["classification"]) {
    SCOPED_TRACE(golden.dump());
    const auto labels = golden["labels"].get<std::size_t>();
    ConfusionMatrix confusion(labels);
    for (std::size_t i = 0; i < golden["truth"].size(); ++i) {
      confusion.add(golden["truth"][i], golden["predicted"][i]);
    }
    EXPECT_NEAR(confusion.accuracy(), golden["accuracy"].get<double>(), tolerance);
    EXPECT_NEAR(confusion.matthews(), golden["matthews"].get<double>(), tolerance);
    for (std::size_t t = 0; t < labels; ++t) {
      for (std::size_t p = 0; p < labels; ++p) {
        EXPECT_EQ(confusion.count(t, p), golden["confusion"][t][p].get<std::int64_t>());
      }
      expect_figures(confusion.of(t), golden["by_label"][t]);
      EXPECT_EQ(confusion.of(t).support, golden["by_label"][t][3].get<std::int64_t>());
    }
    expect_averages(averages(confusion), golden);
  }
}

TEST(MetricsClassification, SeveralLabelsEqualScikitLearn) {
  for (const auto& golden : metric_goldens()["multi_label"]) {
    SCOPED_TRACE(golden.dump());
    std::vector<LabelCounts> counts(golden["truth"][0].size());
    for (std::size_t i = 0; i < golden["truth"].size(); ++i) {
      for (std::size_t label = 0; label < counts.size(); ++label) {
        const bool actual = golden["truth"][i][label] == 1;
        const bool predicted = golden["predicted"][i][label] == 1;
        counts[label].actual += actual ? 1 : 0;
        counts[label].predicted += predicted ? 1 : 0;
        counts[label].hits += actual && predicted ? 1 : 0;
      }
    }
    expect_averages(averages(counts), golden);
  }
}

TEST(MetricsClassification, NothingIsZero) {
  const ConfusionMatrix none(2);
  EXPECT_EQ(none.accuracy(), 0);
  EXPECT_EQ(none.matthews(), 0);
  EXPECT_EQ(averages(none).macro.f1, 0);
}

}  // namespace
}  // namespace cloze
