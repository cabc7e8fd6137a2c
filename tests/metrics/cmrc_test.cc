// CMRC 2018's scores. tests/conformance/cmrc.py compares more of them with the script's rules.
#include "metrics/cmrc.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metrics/squad.h"

namespace cloze {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(MetricsCmrc, SegmentsAreIdeographsAndLatinWords) {
  EXPECT_THAT(cmrc_segments("《红楼梦》是Cao Xueqin写的。"),
              ElementsAre(U"红", U"楼", U"梦", U"是", U"cao", U"xueqin", U"写", U"的"));
  EXPECT_THAT(cmrc_segments("增长15.3%，到1,000元"),
              ElementsAre(U"增", U"长", U"15.3", U"%", U"到", U"1,000", U"元"));
  EXPECT_THAT(cmrc_segments("T-80U it's end."), ElementsAre(U"t80u", U"it", U"'s", U"end", U"."));
  EXPECT_THAT(cmrc_segments(" ，。 "), IsEmpty());
}

TEST(MetricsCmrc, ExactMatchLeavesPunctuationOut) {
  EXPECT_TRUE(cmrc_exact_match("《红楼梦》", "红楼梦"));
  EXPECT_TRUE(cmrc_exact_match("NBA。", " nba"));
  EXPECT_FALSE(cmrc_exact_match("红楼梦", "红 楼梦"));
}

TEST(MetricsCmrc, F1IsOfTheLongestRunInCommon) {
  EXPECT_DOUBLE_EQ(cmrc_f1("北京大学", "北京大学"), 1.0);
  // Three of four in a row, though all four are there.
  EXPECT_DOUBLE_EQ(cmrc_f1("北京大学", "学北京大"), 2 * 0.75 * 0.75 / 1.5);
  EXPECT_DOUBLE_EQ(cmrc_f1("北京", "上海"), 0.0);
  EXPECT_DOUBLE_EQ(cmrc_f1("1998年", "1998年5月"), 2 * (2.0 / 4) * 1 / (1.5));
  EXPECT_DOUBLE_EQ(cmrc_f1("", "。"), 1.0);
  EXPECT_DOUBLE_EQ(cmrc_f1("", "北"), 0.0);
}

TEST(MetricsCmrc, OfAllAnswersTheBestCounts) {
  const std::vector<SquadPrediction> predictions{
      {.answers = {"北京", "北京大学"}, .predicted = "北京大学。", .no_answer = -1},
      {.answers = {"上海"}, .predicted = "上海市", .no_answer = -1}};
  const auto cmrc = squad_scores(predictions, 0, false, AnswerComparison::characters).all;
  EXPECT_DOUBLE_EQ(cmrc.exact, 50);
  EXPECT_DOUBLE_EQ(cmrc.f1, 100 * (1 + 0.8) / 2);
  const auto squad = squad_scores(predictions, 0, false).all;
  EXPECT_DOUBLE_EQ(squad.exact, 0);  // 。 is no punctuation to SQuAD's script
  EXPECT_DOUBLE_EQ(squad.f1, 0);
}

TEST(MetricsCmrc, ChineseIsTold) {
  EXPECT_TRUE(mostly_chinese({"北京大学", "1998年", "NBA总决赛"}));
  EXPECT_FALSE(mostly_chinese({"Peking University", "北"}));
  EXPECT_FALSE(mostly_chinese({"東京大学の研究", "国際連合は設立された"}));  // Japanese
  EXPECT_FALSE(mostly_chinese({}));
}

}  // namespace
}  // namespace cloze
