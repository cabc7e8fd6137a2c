#include "metrics/entities.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/error.h"
#include "metrics/goldens.h"

namespace cloze {
namespace {

using nlohmann::json;

std::vector<std::string_view> views(const json& tags) {
  std::vector<std::string_view> result;
  for (const auto& tag : tags) result.emplace_back(tag.get_ref<const std::string&>());
  return result;
}

void expect_entity_figures(const PrecisionRecallF1& figures, const json& golden) {
  if (golden[0].is_null()) {  // seqeval's mean over no types
    EXPECT_EQ(figures.f1, 0);
    return;
  }
  EXPECT_NEAR(figures.precision, golden[0].get<double>(), 1e-11);
  EXPECT_NEAR(figures.recall, golden[1].get<double>(), 1e-11);
  EXPECT_NEAR(figures.f1, golden[2].get<double>(), 1e-11);
  EXPECT_EQ(figures.support, golden[3].get<double>());
}

TEST(MetricsEntities, EqualSeqeval) {
  for (const auto& golden : testing::metric_goldens()["entities"]) {
    SCOPED_TRACE(golden.dump());
    EntityScores scores;
    for (std::size_t i = 0; i < golden["truth"].size(); ++i) {
      const auto predicted = views(golden["predicted"][i]);
      scores.add(views(golden["truth"][i]), predicted);
      const auto entities = entities_of(predicted);
      ASSERT_EQ(entities.size(), golden["entities"][i].size());
      for (std::size_t e = 0; e < entities.size(); ++e) {
        const auto& expected = golden["entities"][i][e];
        EXPECT_EQ(entities[e].type, expected[0].get<std::string>());
        EXPECT_EQ(entities[e].begin, expected[1].get<int>());
        EXPECT_EQ(entities[e].end, expected[2].get<int>() + 1);
      }
    }
    EXPECT_NEAR(scores.accuracy(), golden["accuracy"].get<double>(), 1e-11);
    ASSERT_EQ(scores.by_type().size(), golden["by_type"].size());
    for (const auto& [type, counts] : scores.by_type()) {
      expect_entity_figures(precision_recall_f1(counts.hits, counts.predicted, counts.actual),
                            golden["by_type"][type]);
    }
    const auto all = scores.averages();
    if (!golden["micro"].is_null()) expect_entity_figures(all.micro, golden["micro"]);
    expect_entity_figures(all.macro, golden["macro"]);
    expect_entity_figures(all.weighted, golden["weighted"]);
  }
}

TEST(MetricsEntities, SentencesMustBeAsLong) {
  EntityScores scores;
  const std::vector<std::string_view> one{"O"}, two{"O", "O"};
  EXPECT_THROW(scores.add(one, two), ArgumentError);
}

}  // namespace
}  // namespace cloze
