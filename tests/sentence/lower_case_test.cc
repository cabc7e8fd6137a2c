// `do_lower_case` of sentence-transformers beside tokenizers that keep case.
#include "sentence/lower_case.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "core/bad_input.h"
#include "core/temp_directory.h"
#include "places.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kUnigram = fs::path(kSourceDir) / "tests/text/unigram_goldens";

// Lower case comes before a Unigram tokenizer's own normalizers, as sentence-transformers puts it.
TEST(LowerCase, BeforeAUnigramTokenizersRules) {
  for (const auto* name : {"plain", "metaspace", "first", "whole", "sentencepiece"}) {
    SCOPED_TRACE(name);
    const auto tokenizer = Tokenizer::from_pretrained(kUnigram / name);
    const auto lower = lower_cased(tokenizer);
    EXPECT_TRUE(lower.do_lower_case());
    for (const std::string_view text : {"The Dogs ÉTÉ", "<mask> New York", "ＡＢＣ", ""}) {
      std::string lowered(text);
      for (const auto& [from, to] : {std::pair{"The Dogs ÉTÉ", "the dogs été"},
                                     {"<mask> New York", "<mask> new york"},
                                     {"ＡＢＣ", "ａｂｃ"}}) {
        if (lowered == from) lowered = to;
      }
      EXPECT_EQ(lower.encode(text).ids, tokenizer.encode(lowered).ids) << text;
      EXPECT_EQ(lower.encode(text).offsets, tokenizer.encode(lowered).offsets) << text;
    }
    if (std::string_view(name) != "first") {  // which folds case itself
      EXPECT_NE(lower.encode("The Dogs").ids, tokenizer.encode("The Dogs").ids);
    }
  }
}

TEST(LowerCase, OfJapaneseWordsIsTheTokenizersOwnMatter) {
  testing::TempDirectory folder;
  folder.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "BertJapaneseTokenizer"})");
  const auto tokenizer = Tokenizer::from_pretrained(folder.path());
  EXPECT_THAT(testing::refusal([&] { static_cast<void>(lower_cased(tokenizer)); }, ""),
              HasSubstr("BertJapaneseTokenizer"));
}

}  // namespace
}  // namespace cloze
