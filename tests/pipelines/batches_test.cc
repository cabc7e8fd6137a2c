// Texts to sequences of tokens, limits, and how texts are given.
#include "pipelines/batches.h"

#include <array>
#include <string>
#include <vector>

#include "pipelines/pipeline_tools.h"

namespace cloze {
namespace {

using ::testing::ElementsAre;
using testing::error_of;

class TokenizeTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::vector<TokenizedText> tokenize(const Texts& texts,
                                                    const TextLimits& limits) const {
    return internal::tokenize(tokenizer_, texts, limits, 64);
  }
  Tokenizer tokenizer_ = Tokenizer::from_pretrained(testing::golden_directory("pretraining"));
};

TEST_F(TokenizeTest, TextsAndPairs) {
  const std::vector<TextItem> items{{"the dogs", std::nullopt, 1}, {"a", "b", 2}};
  const auto texts = tokenize(items, {.max_length = 24});
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_THAT(texts[0].ids, ElementsAre(2, 5, 6, 7, 3));
  EXPECT_THAT(texts[1].ids, ElementsAre(2, 11, 3, 12, 3));
  EXPECT_THAT(texts[1].type_ids, ElementsAre(0, 0, 0, 1, 1));
}

TEST_F(TokenizeTest, TheFirstTextThatIsTooLongIsNamed) {
  std::vector<TextItem> items;
  for (int i = 1; i <= 500; ++i) items.push_back({"a", std::nullopt, i});
  items[123].text = "a b c d";
  items[400].text = "a b c d e f g";
  try {
    static_cast<void>(tokenize(items, {.max_length = 5}));
    FAIL();
  } catch (const TextTooLong& error) {
    EXPECT_EQ(error.name(), "text 124");
    EXPECT_EQ(error.tokens(), 6);
    EXPECT_EQ(error.limit(), 5);
    EXPECT_STREQ(error.what(),
                 "text 124 has 6 tokens and the limit is 5: shorten it, or let it be truncated");
  }
  const auto name = [&](std::size_t i) { return "line " + std::to_string(items[i].number); };
  EXPECT_THAT(
      error_of([&] { static_cast<void>(tokenize(items, {.max_length = 5, .name = name})); }),
      ::testing::StartsWith("line 124 has 6 tokens"));
  const auto cut = tokenize(items, {.max_length = 5, .truncate = true});
  EXPECT_THAT(cut[123].ids, ElementsAre(2, 11, 12, 13, 3));
  EXPECT_EQ(cut[400].length(), 5);
  EXPECT_EQ(cut[0].length(), 3);
}

TEST_F(TokenizeTest, LimitsThatTheModelCannotKeep) {
  const std::vector<std::string> texts{"a"};
  EXPECT_THAT(error_of([&] { static_cast<void>(tokenize(texts, {.max_length = 65})); }),
              ::testing::HasSubstr("max_length is 65, and this model reads 1 to 64 tokens"));
  EXPECT_THROW(static_cast<void>(tokenize(texts, {.max_length = -1})), ArgumentError);
}

TEST(Texts, AreViewsOfAnyArrayOfTexts) {
  const auto first = [](const Texts& texts) { return texts[0]; };
  const std::vector<std::string> strings{"a", "b"};
  const std::array<std::string_view, 1> views{"c"};
  const std::vector<TextPair> pairs{{"d", "e"}};
  const std::vector<TextItem> items{{"f", "g", 1}, {"h", std::nullopt, 2}};
  EXPECT_EQ(first(strings).first, "a");
  EXPECT_EQ(first(strings).second, std::nullopt);
  EXPECT_EQ(first(std::span<const std::string_view>(views)).first, "c");
  EXPECT_EQ(first(pairs).second, "e");
  EXPECT_EQ(first(items).second, "g");
  EXPECT_EQ(Texts(items)[1].second, std::nullopt);
  EXPECT_EQ(Texts(strings).size(), 2U);
  EXPECT_TRUE(Texts().empty());
}

TEST(CodePointBounds, AreThoseOfTheTokenizer) {
  EXPECT_THAT(internal::code_point_bounds("aé東"), ElementsAre(0, 1, 3, 6));
  EXPECT_THAT(internal::code_point_bounds(""), ElementsAre(0));
  // Two stray bytes and a sequence that is cut off are three U+FFFD to the tokenizer.
  const std::string broken = "\x80\x80 dog \xE6\x9D";
  EXPECT_THAT(internal::code_point_bounds(broken), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 9));
  const auto tokenizer = Tokenizer::from_pretrained(testing::golden_directory("pretraining"));
  const auto points = tokenizer.encode(broken, {.add_special_tokens = false});
  const auto bytes =
      tokenizer.encode(broken, {.add_special_tokens = false, .offsets = OffsetUnit::bytes});
  const auto bounds = internal::code_point_bounds(broken);
  ASSERT_FALSE(points.offsets.empty());
  for (std::size_t t = 0; t < points.offsets.size(); ++t) {
    EXPECT_EQ(internal::bytes_of(points.offsets[t], bounds), bytes.offsets[t]);
  }
}

TEST(ForEachBatch, CountsUnitsWhenTheirLastSequenceIsDone) {
  const std::vector<TokenizedText> sequences{{{1, 2}, {}}, {{1}, {}}, {{1, 2, 3}, {}}};
  const std::vector<std::size_t> unit_of{0, 0, 1};
  std::vector<std::int64_t> done;
  const ProgressCallback progress = [&](const Progress& state) {
    EXPECT_EQ(state.total, 2);
    done.push_back(state.done);
    return true;
  };
  internal::for_each_batch(sequences, {"s", "u", 1, progress, unit_of},
                           [](const Batch&, std::span<const std::size_t>) {});
  EXPECT_THAT(done, ElementsAre(1, 1, 2));  // the longest first
}

}  // namespace
}  // namespace cloze
