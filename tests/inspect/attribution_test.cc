// Attributions against captum, and what must hold of them by themselves.
#include "inspect/attribution.h"

#include <cmath>
#include <fstream>
#include <map>
#include <numeric>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/bert.h"
#include "cloze/error.h"
#include "places.h"

namespace cloze {
namespace {

using internal::CheckpointWeights;
using internal::HeadKind;
using internal::InputGradients;
using internal::ScoredLogit;
using nlohmann::json;

std::filesystem::path source(const std::string& path) {
  return std::filesystem::path(kSourceDir) / "tests" / path;
}

InputGradients load(const std::string& name, const HeadKind* head) {
  const auto directory = source("goldens/" + name);
  CheckpointWeights weights(Checkpoint::open(directory));
  return {BertConfig::from_pretrained(directory), weights, *head};
}

json captum() { return json::parse(std::ifstream(source("inspect/captum.json"))); }

struct Case {
  explicit Case(const json& wanted)
      : model(load(wanted["model"], heads().at(wanted["head"]))), baseline(wanted["baseline_ids"]) {
    batch.append(wanted["input_ids"].get<std::vector<std::int32_t>>(),
                 wanted["token_type_ids"].get<std::vector<std::int32_t>>());
    for (const auto& logit : wanted["logits"])
      logits.push_back({.token = logit[0], .output = logit[1]});
  }
  static const std::map<std::string, const HeadKind*>& heads() {
    static const std::map<std::string, const HeadKind*> all{
        {"masked_lm", &internal::heads::masked_lm},
        {"next_sentence", &internal::heads::next_sentence},
        {"sequence", &internal::heads::sequence_classification},
        {"token", &internal::heads::token_classification},
        {"span", &internal::heads::question_answering}};
    return all;
  }
  InputGradients model;
  std::vector<std::int32_t> baseline;
  Batch batch;
  std::vector<ScoredLogit> logits;
};

/// The largest difference as a share of the largest value that is wanted.
double relative(const Tensor& found, const json& wanted) {
  double difference = 0, largest = 0;
  const auto values = found.values<float>();
  EXPECT_EQ(values.size(), wanted.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = wanted[i];
    difference = std::max(difference, std::abs(static_cast<double>(values[i]) - value));
    largest = std::max(largest, std::abs(value));
  }
  return difference / largest;
}

TEST(Attribution, EqualsCaptum) {
  const auto all = captum();
  ASSERT_EQ(all.size(), 10U);
  for (const auto& wanted : all) {
    Case the(wanted);
    AttributionOptions options;
    options.steps = 50;
    options.batch_tokens = 64;  // several points at once, and a smaller last batch
    const auto found = attribute(the.model, the.batch, the.baseline, the.logits, options);
    EXPECT_LT(relative(found.integrated_gradients, wanted["integrated_gradients"]), 1e-4)
        << wanted["model"];
    EXPECT_LT(relative(found.gradient_x_input, wanted["gradient_x_input"]), 1e-4)
        << wanted["model"];
    EXPECT_NEAR(found.baseline_score, wanted["scores"][0].get<double>(), 1e-4);
    EXPECT_NEAR(found.score, wanted["scores"][1].get<double>(), 1e-4);
  }
}

TEST(Attribution, TheDefaultStepsCloseTheGap) {
  for (const auto& wanted : captum()) {
    Case the(wanted);
    const auto found = attribute(the.model, the.batch, the.baseline, the.logits);
    EXPECT_LE(found.completeness_gap, 0.01) << wanted["model"];
    const auto values = found.integrated_gradients.values<float>();
    const double sum = std::accumulate(values.begin(), values.end(), 0.0);
    const double change = found.score - found.baseline_score;
    EXPECT_NEAR(sum, change, 0.01 * std::abs(change) + 1e-5);
    EXPECT_GE(found.steps, 50);
  }
}

TEST(Attribution, MoreStepsOnlyWhereTheyAreNeeded) {
  Case the(captum()[0]);
  AttributionOptions options;
  options.gap = 0;  // cannot be reached
  options.most_steps = 200;
  EXPECT_EQ(attribute(the.model, the.batch, the.baseline, the.logits, options).steps, 200);
  std::vector<std::pair<std::int64_t, std::int64_t>> told;
  const auto tell = [&](const Progress& progress) {
    told.emplace_back(progress.done, progress.total);
    return true;
  };
  options.steps = 3;
  options.batch_tokens = 2 * the.batch.total_tokens();
  EXPECT_EQ(attribute(the.model, the.batch, the.baseline, the.logits, options, tell).steps, 3);
  EXPECT_EQ(told, (std::vector<std::pair<std::int64_t, std::int64_t>>{{2, 3}, {3, 3}}));
}

TEST(Attribution, RefusesWhatDoesNotFit) {
  Case the(captum()[0]);
  const auto run = [&](const Batch& batch, std::vector<std::int32_t> baseline,
                       std::vector<ScoredLogit> logits) {
    return attribute(the.model, batch, baseline, logits);
  };
  EXPECT_THROW(static_cast<void>(run(the.batch, {1, 2}, the.logits)), ArgumentError);
  EXPECT_THROW(static_cast<void>(run(the.batch, the.baseline, {})), ArgumentError);
  EXPECT_THROW(static_cast<void>(run(the.batch, the.baseline, {{.token = 99, .output = 0}})),
               ArgumentError);
  EXPECT_THROW(static_cast<void>(run(the.batch, the.baseline, {{.token = 0, .output = 61}})),
               ArgumentError);
  EXPECT_THROW(static_cast<void>(load("bare_odd", &internal::heads::masked_lm)), ModelError);
  EXPECT_THROW(static_cast<void>(gauss_legendre(0)), ArgumentError);
}

TEST(Quadrature, IntegratesPolynomialsExactly) {
  for (const int count : {1, 2, 7, 50, 333}) {
    const auto [points, weights] = gauss_legendre(count);
    ASSERT_EQ(points.size(), static_cast<std::size_t>(count));
    for (const int power : {0, 1, std::min(2 * count - 1, 40)}) {
      double sum = 0;
      for (std::size_t i = 0; i < points.size(); ++i)
        sum += weights[i] * std::pow(points[i], power);
      EXPECT_NEAR(sum, 1.0 / (power + 1), 1e-13) << count << " points, power " << power;
    }
  }
}

}  // namespace
}  // namespace cloze
