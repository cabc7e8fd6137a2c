#include "metrics/squad.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "metrics/goldens.h"
#include "metrics/ranking.h"

namespace cloze {
namespace {

using nlohmann::json;
using testing::metric_goldens;

TEST(MetricsSquad, NormalizationIsTheScripts) {
  for (const auto& golden : metric_goldens()["squad"]["texts"]) {
    EXPECT_EQ(normalize_answer(golden["text"].get<std::string>()),
              golden["normalized"].get<std::string>());
  }
}

TEST(MetricsSquad, PairsScoreAsTheScriptScoresThem) {
  for (const auto& golden : metric_goldens()["squad"]["pairs"]) {
    SCOPED_TRACE(golden.dump());
    const auto gold = golden["gold"].get<std::string>();
    const auto predicted = golden["predicted"].get<std::string>();
    EXPECT_EQ(exact_match(gold, predicted) ? 1 : 0, golden["exact"].get<int>());
    EXPECT_NEAR(answer_f1(gold, predicted), golden["f1"].get<double>(), 1e-11);
  }
}

void expect_scores(const SquadScores& scores, const json& golden, const std::string& prefix) {
  if (!golden.contains(prefix + "exact")) {
    EXPECT_EQ(scores.total, 0);
    return;
  }
  EXPECT_NEAR(scores.exact, golden[prefix + "exact"].get<double>(), 1e-9);
  EXPECT_NEAR(scores.f1, golden[prefix + "f1"].get<double>(), 1e-9);
  EXPECT_EQ(scores.total, golden[prefix + "total"].get<std::int64_t>());
}

void expect_report(const SquadReport& report, const json& golden) {
  expect_scores(report.all, golden, "");
  expect_scores(report.has_answer, golden, "HasAns_");
  expect_scores(report.no_answer, golden, "NoAns_");
  EXPECT_NEAR(report.best_exact, golden["best_exact"].get<double>(), 1e-9);
  EXPECT_NEAR(report.best_f1, golden["best_f1"].get<double>(), 1e-9);
  EXPECT_EQ(report.best_exact_threshold, golden["best_exact_thresh"].get<double>());
  EXPECT_EQ(report.best_f1_threshold, golden["best_f1_thresh"].get<double>());
}

TEST(MetricsSquad, SetsScoreAsTheScriptScoresThem) {
  for (const auto& golden : metric_goldens()["squad"]["sets"]) {
    SCOPED_TRACE(golden["name"].get<std::string>());
    std::vector<SquadPrediction> plain, with_null;
    for (const auto& question : golden["questions"]) {
      SquadPrediction prediction{.answers = question["answers"].get<std::vector<std::string>>(),
                                 .predicted = question["predicted"].get<std::string>()};
      plain.push_back(prediction);
      prediction.no_answer = question["null"].get<double>();
      with_null.push_back(prediction);
    }
    expect_report(squad_scores(plain, 1.0, true), golden["plain"]);
    expect_report(squad_scores(with_null, 0.6, true), golden["with_null"]);
  }
}

TEST(MetricsRanking, EqualScikitLearn) {
  const std::vector<std::size_t> ks{1, 2, 5};
  for (const auto& golden : metric_goldens()["ranking"]) {
    std::vector<RankedCandidate> candidates;
    for (const auto& row : golden["rows"]) {
      candidates.push_back({row[0].get<std::size_t>(), row[2].get<double>(), row[1] == 1});
    }
    const auto scores = ranking_scores(candidates, ks);
    EXPECT_NEAR(scores.mrr, golden["mrr"].get<double>(), 1e-11);
    EXPECT_NEAR(scores.map, golden["map"].get<double>(), 1e-11);
    for (std::size_t k = 0; k < ks.size(); ++k) {
      EXPECT_NEAR(scores.recall[k], golden["recall@" + std::to_string(ks[k])].get<double>(), 1e-11);
    }
  }
}

TEST(MetricsRanking, EqualScoresGainNothing) {
  const std::vector<std::size_t> ks{1};
  const std::vector<RankedCandidate> candidates{{0, 0.5, true}, {0, 0.5, false}, {1, 1, false}};
  const auto scores = ranking_scores(candidates, ks);
  EXPECT_EQ(scores.mrr, 0.5);
  EXPECT_EQ(scores.recall[0], 0);
  EXPECT_EQ(scores.without, 1);
}

}  // namespace
}  // namespace cloze
