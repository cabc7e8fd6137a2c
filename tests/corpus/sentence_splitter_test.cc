#include "corpus/sentence_splitter.h"

#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cloze {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string_view> sentences;
  split_sentences(text, sentences);
  return {sentences.begin(), sentences.end()};
}

TEST(SentenceSplitter, PlainSentences) {
  EXPECT_THAT(split("One here. Two there! Three? Four"),
              ElementsAre("One here.", "Two there!", "Three?", "Four"));
  EXPECT_THAT(split("  One.\tTwo.\n"), ElementsAre("One.", "Two."));
  EXPECT_THAT(split("What?! No... Yes."), ElementsAre("What?!", "No...", "Yes."));
  EXPECT_THAT(split("no end"), ElementsAre("no end"));
  EXPECT_THAT(split(""), ElementsAre());
  EXPECT_THAT(split(" \n\t"), ElementsAre());
  EXPECT_THAT(split("..."), ElementsAre("..."));
}

TEST(SentenceSplitter, QuotesAndBracketsClose) {
  EXPECT_THAT(split("\"Stop!\" he said. (It was late.) She left."),
              ElementsAre("\"Stop!\" he said.", "(It was late.)", "She left."));
  EXPECT_THAT(split("He said “No.” Then he left."), ElementsAre("He said “No.”", "Then he left."));
  EXPECT_THAT(split("It rose.[12] Then it fell."), ElementsAre("It rose.[12]", "Then it fell."));
  EXPECT_THAT(split("Er sagte: „Nein.“ Dann ging er."),
              ElementsAre("Er sagte: „Nein.“", "Dann ging er."));
  EXPECT_THAT(split("¿Dónde está? ¡Aquí!"), ElementsAre("¿Dónde está?", "¡Aquí!"));
}

TEST(SentenceSplitter, FullStopsThatEndNothing) {
  for (const auto* text :
       {"It costs 3.50 in all.", "See example.com or v1.2.3 now.", "Mr. Smith met Dr. No.",
        "J. R. R. Tolkien wrote it.", "See No. 5 and Fig. 3 on p. 12.", "1. Introduction",
        "Fruit, e.g. Apples, i.e. Pears.", "The U.S. Government paid.", "At 5 p.m. on Monday.",
        "He works for Acme Inc. Research.", "Das ist z. B. Hans.", "Wait ... what?",
        "C’est M. Dupont.", "Это г. Москва."}) {
    EXPECT_THAT(split(text), ElementsAre(text));
  }
}

TEST(SentenceSplitter, AbbreviationsThatEndASentence) {
  EXPECT_THAT(split("He lives in the U.S. The house is old."),
              ElementsAre("He lives in the U.S.", "The house is old."));
  EXPECT_THAT(split("Apples, pears, etc. They grow."),
              ElementsAre("Apples, pears, etc.", "They grow."));
  EXPECT_THAT(split("So do I. Then we go."), ElementsAre("So do I.", "Then we go."));
  EXPECT_THAT(split("It began in 1990. Then it ended."),
              ElementsAre("It began in 1990.", "Then it ended."));
}

TEST(SentenceSplitter, TextWithoutCapitals) {
  EXPECT_THAT(split("it was late. she left ."), ElementsAre("it was late.", "she left ."));
}

TEST(SentenceSplitter, ManyScripts) {
  EXPECT_THAT(split("你好。今天天气很好！我们去吗？好"),
              ElementsAre("你好。", "今天天气很好！", "我们去吗？", "好"));
  EXPECT_THAT(split("真的吗?是的!好."), ElementsAre("真的吗?", "是的!", "好."));
  EXPECT_THAT(split("「はい。」と言った。「いいえ。」彼は去った。"),
              ElementsAre("「はい。」と言った。", "「いいえ。」", "彼は去った。"));
  EXPECT_THAT(split("यह एक वाक्य है। यह दूसरा है।"), ElementsAre("यह एक वाक्य है।", "यह दूसरा है।"));
  EXPECT_THAT(split("ما اسمك؟ أنا هنا. شكرا"), ElementsAre("ما اسمك؟", "أنا هنا.", "شكرا"));
  EXPECT_THAT(split("یہ ایک ہے۔ یہ دو ہے۔"), ElementsAre("یہ ایک ہے۔", "یہ دو ہے۔"));
  EXPECT_THAT(split("Սա մեկն է։ Սա երկուսն է։"), ElementsAre("Սա մեկն է։", "Սա երկուսն է։"));
  EXPECT_THAT(split("ይህ አንድ ነው። ይህ ሁለት ነው።"), ElementsAre("ይህ አንድ ነው።", "ይህ ሁለት ነው።"));
  EXPECT_THAT(split("Это первое. Это второе. Тут г. Москва"),
              ElementsAre("Это первое.", "Это второе.", "Тут г. Москва"));
  EXPECT_THAT(split("Ένα εδώ. Δύο εκεί."), ElementsAre("Ένα εδώ.", "Δύο εκεί."));
}

// Whatever the bytes are, nothing but white space is left out.
TEST(SentenceSplitter, LosesNothing) {
  const std::vector<std::string> pieces{"a",
                                        "B",
                                        " ",
                                        ".",
                                        "!",
                                        "?",
                                        "\"",
                                        ")",
                                        "[",
                                        "1",
                                        "]",
                                        "。",
                                        "」",
                                        "と",
                                        "।",
                                        "é",
                                        "Mr",
                                        "\xC2",
                                        "\xE3\x80",
                                        "\xFF",
                                        "\n",
                                        "\xC2\xA0",
                                        "\xE3\x80\x80",
                                        "…",
                                        std::string(1, '\0')};
  const auto without_space = [](std::string text) {
    for (const std::string_view space : {"\xC2\xA0", "\xE3\x80\x80", " ", "\n"}) {
      for (auto at = text.find(space); at != std::string::npos; at = text.find(space)) {
        text.erase(at, space.size());
      }
    }
    return text;
  };
  std::mt19937 random(std::random_device{}());
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (auto length = random() % 40; length > 0; --length)
      text += pieces[random() % pieces.size()];
    std::string joined;
    for (const auto& sentence : split(text)) {
      ASSERT_FALSE(sentence.empty());
      joined += sentence + "\n";
    }
    ASSERT_EQ(without_space(joined), without_space(text));
  }
}

}  // namespace
}  // namespace cloze
