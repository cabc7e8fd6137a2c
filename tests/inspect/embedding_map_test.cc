// The map of vectors: principal components, the page, the projector's files.
#include "cloze/embedding_map.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Points spread mostly along (3, 4, 0, ...) and a little along the last axis.
Tensor stretched(std::int64_t rows, std::int64_t columns) {
  auto vectors = Tensor::zeros(DType::f32, {rows, columns});
  const auto values = vectors.mutable_values<float>();
  for (std::int64_t i = 0; i < rows; ++i) {
    const auto at = static_cast<std::size_t>(i * columns);
    const auto t = static_cast<float>(i) - static_cast<float>(rows - 1) / 2;
    values[at] = 3 * t + 7;
    values[at + 1] = 4 * t - 2;
    values[at + static_cast<std::size_t>(columns) - 1] = i % 2 == 0 ? 0.5F : -0.5F;
  }
  return vectors;
}

TEST(PrincipalComponents, FindTheLongAxes) {
  for (const std::int64_t columns : {3, 40}) {  // more rows than columns, and fewer
    const auto [coordinates, explained] = principal_components(stretched(10, columns), 2);
    ASSERT_EQ(coordinates.shape(), (Shape{10, 2}));
    const auto values = coordinates.values<float>();
    const double sign = values[0] > 0 ? -1 : 1;
    for (std::size_t i = 0; i < 10; ++i) {
      EXPECT_NEAR(static_cast<double>(values[2 * i]), sign * 5 * (static_cast<double>(i) - 4.5),
                  0.06);
    }
    // Variances: 25 · 82.5 along the first axis, 10 · 0.25 along the second.
    EXPECT_NEAR(explained[0], 2062.5 / 2065, 1e-4);
    EXPECT_NEAR(explained[0] + explained[1], 1, 1e-6);
  }
}

TEST(PrincipalComponents, FewVectorsAndBadOnes) {
  EXPECT_EQ(principal_components(stretched(2, 8), 10).coordinates.shape(), (Shape{2, 1}));
  EXPECT_THROW(static_cast<void>(principal_components(stretched(1, 8), 2)), ArgumentError);
  auto vectors = stretched(4, 8);
  vectors.mutable_values<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(static_cast<void>(principal_components(vectors, 2)), ArgumentError);
  const auto same = principal_components(Tensor::zeros(DType::f32, {5, 8}), 2);
  EXPECT_EQ(same.explained, (std::vector<double>{0, 0}));
}

TEST(MapPage, TextStaysText) {
  const auto components = principal_components(stretched(3, 4), 2);
  const std::vector<MapPoint> points{{"</script><b>", "x"}, {"two", "y"}, {"three", "x"}};
  const auto page = map_page(components, points, "<file>");
  EXPECT_THAT(page, Not(HasSubstr("<b>")));
  EXPECT_THAT(page, HasSubstr("\\u003c/script\\u003e"));
  EXPECT_THAT(page, HasSubstr("\"labels\":[\"x\",\"y\"]"));
  EXPECT_THAT(page, Not(HasSubstr("{{")));
  EXPECT_THROW(static_cast<void>(map_page(components, std::span(points).first(2), "t")),
               ArgumentError);
}

TEST(Projector, WritesWhatTensorBoardReads) {
  const testing::TempDirectory directory;
  const auto read = [&](const char* name) {
    std::ostringstream text;
    text << std::ifstream(directory.path() / "log" / name).rdbuf();
    return text.str();
  };
  const std::vector<MapPoint> points{{"a\tb", "one"}, {"line\nend", ""}, {"", "two"}};
  write_projector(directory.path() / "log", stretched(3, 3), points);
  EXPECT_EQ(read("tensors.tsv"), "4\t-6\t0.5\n7\t-2\t-0.5\n10\t2\t0.5\n");
  EXPECT_EQ(read("metadata.tsv"), "text\tlabel\na b\tone\nline end\t \n \ttwo\n");
  EXPECT_THAT(read("projector_config.pbtxt"), HasSubstr("tensor_path: \"tensors.tsv\""));
  const std::vector<MapPoint> plain{{"a", ""}, {"b", ""}, {"c", ""}};
  write_projector(directory.path() / "log", stretched(3, 3), plain);
  EXPECT_EQ(read("metadata.tsv"), "a\nb\nc\n");  // one column has no header
}

}  // namespace
}  // namespace cloze
