#include "metrics/correlation.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/error.h"
#include "metrics/goldens.h"

namespace cloze {
namespace {

void expect_like(double value, const nlohmann::json& golden) {
  if (golden.is_null()) {
    EXPECT_TRUE(std::isnan(value)) << value;
  } else {
    EXPECT_NEAR(value, golden.get<double>(), 1e-10);
  }
}

TEST(MetricsCorrelation, EqualSciPy) {
  for (const auto& golden : testing::metric_goldens()["correlation"]) {
    SCOPED_TRACE(golden.dump());
    const auto x = golden["x"].get<std::vector<double>>();
    const auto y = golden["y"].get<std::vector<double>>();
    expect_like(pearson(x, y), golden["pearson"]);
    expect_like(spearman(x, y), golden["spearman"]);
    EXPECT_NEAR(mean_squared_error(x, y), golden["mse"].get<double>(),
                1e-10 * golden["mse"].get<double>());
  }
}

TEST(MetricsCorrelation, OneValueHasNone) {
  const std::vector<double> one{3};
  EXPECT_TRUE(std::isnan(pearson(one, one)));
  EXPECT_TRUE(std::isnan(spearman({}, {})));
  EXPECT_THROW((void)pearson(one, {}), ArgumentError);
}

}  // namespace
}  // namespace cloze
