// What an inspection holds, and the forms it is written in.
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/inspect.h"
#include "core/temp_directory.h"
#include "inspect/attention_codec.h"
#include "inspect/page_template.h"
#include "places.h"

namespace cloze {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(kSourceDir) / "tests" / "goldens" / name;
}

Inspection look(const std::string& model, const std::string& text,
                const std::optional<std::string>& pair = std::nullopt,
                const InspectionOptions& options = {}) {
  return inspect(golden(model), text, pair, options);
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

/// Rows that softmax could have made: some peaked, some flat, one with zeros.
std::vector<Tensor> random_attention(std::int64_t layers, std::int64_t heads, std::int64_t tokens) {
  std::vector<Tensor> all;
  std::uint32_t state = 12345;
  const auto random = [&] {
    return static_cast<float>((state = state * 1664525U + 1013904223U) >> 8U) / 16777216.0F;
  };
  for (std::int64_t l = 0; l < layers; ++l) {
    all.push_back(Tensor::zeros(DType::f32, {heads, tokens, tokens}));
    const auto values = all.back().mutable_values<float>();
    const auto n = static_cast<std::size_t>(tokens);
    for (std::size_t row = 0; row < values.size(); row += n) {
      const float sharpness = 12 * random();
      float sum = 0;
      for (std::size_t i = 0; i < n; ++i) sum += values[row + i] = std::exp(sharpness * random());
      for (std::size_t i = 0; i < n; ++i) values[row + i] /= sum;
    }
  }
  return all;
}

TEST(AttentionCodec, SmallTextsKeepEveryValue) {
  const auto attention = random_attention(2, 3, 20);
  const auto packed = pack_attention(attention, 1'000'000);
  EXPECT_EQ(packed.values, 2 * 3 * 20 * 20);
  EXPECT_EQ(packed.threshold, 0);
  const auto back = unpack_attention(packed);
  for (std::size_t l = 0; l < back.size(); ++l) {
    const auto wanted = attention[l].values<float>(), found = back[l].values<float>();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      ASSERT_NEAR(found[i], wanted[i], wanted[i] / 32 + 1.6e-5F);
    }
  }
}

TEST(AttentionCodec, KeepsToTheBudgetAndSaysWhatItDropped) {
  const auto attention = random_attention(2, 2, 300);  // gaps over 255 among them
  const std::size_t budget = 60'000;
  const auto packed = pack_attention(attention, budget);
  EXPECT_LE(packed.deflated.size(), budget);
  EXPECT_GT(packed.deflated.size(), budget / 2);
  EXPECT_GT(packed.threshold, 0);
  EXPECT_LT(packed.kept, 1);
  const auto back = unpack_attention(packed);
  double kept = 0;
  for (std::size_t l = 0; l < back.size(); ++l) {
    const auto wanted = attention[l].values<float>(), found = back[l].values<float>();
    for (std::size_t row = 0; row < wanted.size(); row += 300) {
      float sum = 0;
      std::size_t greatest = row;
      for (std::size_t i = row; i < row + 300; ++i) {
        sum += found[i];
        if (wanted[i] > wanted[greatest]) greatest = i;
        if (static_cast<double>(wanted[i]) > 1.07 * packed.threshold) {
          ASSERT_NEAR(found[i], wanted[i], wanted[i] / 15);
          kept += static_cast<double>(wanted[i]);
        }
      }
      ASSERT_NEAR(sum, 1, 0.07);
      ASSERT_NEAR(found[greatest], wanted[greatest], wanted[greatest] / 15);
    }
  }
  EXPECT_NEAR(kept / 1200, packed.kept, 0.05);
}

TEST(AttentionCodec, RefusesWhatIsNotAttention) {
  EXPECT_THROW(static_cast<void>(pack_attention({}, 100)), ArgumentError);
  const std::vector<Tensor> flat{Tensor::zeros(DType::f32, {2, 9})};
  EXPECT_THROW(static_cast<void>(pack_attention(flat, 100)), ArgumentError);
  auto packed = pack_attention(random_attention(1, 1, 8), 10'000);
  packed.values += 1;
  EXPECT_THROW(static_cast<void>(unpack_attention(packed)), FormatError);
}

TEST(PageTemplate, TextStaysText) {
  EXPECT_EQ(page::escape_html("<b a=\"1\">&'"), "&lt;b a=&quot;1&quot;&gt;&amp;&#39;");
  const std::string nasty = "</script><script>alert(1)</script><!-- & \xE2\x80\xA8";
  const auto escaped = page::escape_script(json(nasty).dump());
  EXPECT_THAT(escaped, Not(HasSubstr("<")));
  EXPECT_THAT(escaped, Not(HasSubstr("\xE2\x80\xA8")));
  EXPECT_EQ(json::parse(escaped), nasty);
  const std::vector<std::pair<std::string_view, std::string_view>> parts{{"a", "{{b}}"},
                                                                         {"b", "2"}};
  EXPECT_EQ(page::fill("x{{a}}y{{b}}", parts), "x{{b}}y2");  // parts are not looked into
  EXPECT_THROW(static_cast<void>(page::fill("{{c}}", parts)), Error);
}

TEST(Inspection, AttentionsAreTheModelsAndRowsSumToOne) {
  const auto inspection = look("pretraining", "the dogs a b", "a dog");
  ASSERT_EQ(inspection.attentions.size(), 2U);
  const auto n = inspection.text.tokens();
  const auto output = BertModel::from_pretrained(golden("pretraining"))(
      inspection.text.batch, {.output_attentions = true});
  for (std::size_t l = 0; l < 2; ++l) {
    EXPECT_EQ(inspection.attentions[l].shape(), (Shape{2, n, n}));
    const auto found = inspection.attentions[l].values<float>();
    const auto wanted = output.attentions[l].values<float>();
    EXPECT_TRUE(std::equal(found.begin(), found.end(), wanted.begin(), wanted.end()));
    for (std::size_t row = 0; row < found.size(); row += static_cast<std::size_t>(n)) {
      double sum = 0;
      for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i)
        sum += static_cast<double>(found[row + i]);
      EXPECT_NEAR(sum, 1, 1e-6);
    }
  }
}

TEST(Inspection, TheLastLayerSaysWhatTheModelSays) {
  const auto inspection = look("masked_lm_untied", "the dog [MASK] a b");
  ASSERT_TRUE(inspection.layers && inspection.explanation && inspection.masks);
  const auto& explanation = *inspection.explanation;
  EXPECT_EQ(explanation.kind, AnswerKind::mask);
  EXPECT_EQ(inspection.layers->ids.shape(), (Shape{4, inspection.text.tokens(), 5}));
  const auto at = static_cast<std::size_t>((3 * inspection.text.tokens() + explanation.at) * 5);
  EXPECT_EQ(inspection.layers->ids.values<std::int32_t>()[at], explanation.logits.front().output);
  EXPECT_NEAR(static_cast<double>(inspection.layers->probabilities.values<float>()[at]),
              explanation.probability, 1e-5);
  // The mask of the text itself is no token to be surprised by.
  EXPECT_EQ(inspection.masks->positions, (std::vector<std::int32_t>{1, 2, 4, 5}));
  EXPECT_GT(inspection.masks->pseudo_perplexity, 1);
}

TEST(Inspection, SurpriseIsWhatTheMaskedModelSays) {
  InspectionOptions options;
  options.batch_tokens = 12;  // two copies at a time
  const auto inspection = look("pretraining", "the dogs a", std::nullopt, options);
  const auto model = BertForMaskedLM::from_pretrained(golden("pretraining"));
  const auto& masks = *inspection.masks;
  for (std::size_t i = 0; i < masks.positions.size(); ++i) {
    auto batch = inspection.text.batch;
    auto& id = batch.input_ids[static_cast<std::size_t>(masks.positions[i])];
    const auto token = static_cast<std::size_t>(id);
    id = 4;
    const auto logits = model(batch, std::span(&masks.positions[i], 1));
    double sum = 0;
    for (const float logit : logits.values<float>()) sum += std::exp(static_cast<double>(logit));
    EXPECT_NEAR(static_cast<double>(masks.surprise.values<float>()[i]),
                std::log(sum) - static_cast<double>(logits.values<float>()[token]), 1e-4);
  }
}

TEST(Inspection, SaysWhyAPartIsMissingAndInsistsWhenAsked) {
  const auto inspection = look("bare_odd", "a b");
  EXPECT_FALSE(inspection.explanation || inspection.layers || inspection.masks);
  EXPECT_THAT(inspection.notes.at("attribution"), HasSubstr("without a head"));
  EXPECT_THAT(inspection.notes.at("masks"), HasSubstr("no masked language model head"));
  InspectionOptions wants;
  wants.layers = Wanted::yes;
  EXPECT_THAT(message_of([&] { look("bare_odd", "a b", std::nullopt, wants); }),
              HasSubstr("masked language model"));
  InspectionOptions explains;
  explains.attribution = Wanted::yes;
  explains.explanation.kind = AnswerKind::label;
  EXPECT_THAT(message_of([&] { look("bare_odd", "a b", std::nullopt, explains); }),
              HasSubstr("classification head"));
  explains.explanation.kind = AnswerKind::answer;
  EXPECT_THAT(message_of([&] { look("question_legacy_names", "a b", std::nullopt, explains); }),
              HasSubstr("give it as the pair"));
  explains.explanation = {.kind = AnswerKind::mask, .at = 1};
  EXPECT_THAT(message_of([&] { look("pretraining", "the [MASK]", std::nullopt, explains); }),
              HasSubstr("token 1 is \"the\", not a [MASK]"));
  explains.explanation = {.kind = AnswerKind::label, .target = "good"};
  EXPECT_THAT(message_of([&] { look("sequence_3_labels", "a b", std::nullopt, explains); }),
              HasSubstr("there is no label \"good\""));
  explains.explanation = {};
  explains.baseline = "no-such-token";
  EXPECT_THAT(message_of([&] { look("sequence_3_labels", "a b", std::nullopt, explains); }),
              HasSubstr("no-such-token"));
  EXPECT_THAT(message_of([&] { look("pretraining", " \n "); }), HasSubstr("empty"));
  EXPECT_THAT(message_of([&] { look("pretraining", "a", ""); }), HasSubstr("second text is empty"));
  std::string text;
  for (int i = 0; i < 30; ++i) text += "a ";
  EXPECT_THAT(message_of([&] { look("pretraining", text); }),
              HasSubstr("32 tokens and the limit is 24"));
  InspectionOptions cut;
  cut.truncate = true;
  EXPECT_EQ(look("pretraining", text, std::nullopt, cut).text.tokens(), 24);
}

TEST(Inspection, WordsAreMergedFromTheirPieces) {
  const auto words = look("pretraining", "The dogs, a", "B").text.words;
  std::vector<std::string> texts;
  for (const auto& word : words) texts.push_back(word.text);
  EXPECT_EQ(texts[0], "[CLS]");
  EXPECT_EQ(texts[1], "The");
  EXPECT_EQ(texts[2], "dogs");
  EXPECT_EQ(words[2].end - words[2].begin, 2);
  EXPECT_TRUE(words[2].space);
  EXPECT_FALSE(words[3].space);
  EXPECT_EQ(words.back().text, "[SEP]");
}

TEST(Report, JsonHasEverything) {
  const auto inspection = look("pretraining", "the [MASK] a");
  std::string text;
  write_json(inspection, [&](std::string_view piece) { text += piece; });
  const auto parsed = json::parse(text);
  EXPECT_EQ(parsed["tokens"], json::parse(R"(["[CLS]","the","[MASK]","a","[SEP]"])"));
  EXPECT_EQ(parsed["attentions"].size(), 2U);
  EXPECT_EQ(parsed["attentions"][1][1].size(), 5U);
  const auto values = inspection.attentions[1].values<float>();
  EXPECT_NEAR(parsed["attentions"][1][1][4][3].get<double>(), static_cast<double>(values[48]),
              1e-6);
  EXPECT_EQ(parsed["prediction"]["question"], "mask");
  EXPECT_EQ(parsed["attribution"]["integrated_gradients"].size(), 5U);
  EXPECT_EQ(parsed["by_layer"]["ids"].size(), 3U);
  EXPECT_EQ(parsed["masks"]["positions"], json::parse("[1,3]"));
  const auto tensors = tensors_of(inspection);
  EXPECT_EQ(tensors.at("attentions.0").shape(), (Shape{2, 5, 5}));
  EXPECT_EQ(tensors.at("layers.ids").shape(), (Shape{3, 5, 5}));
}

TEST(Report, ThePageHoldsTextAsDataOnly) {
  const std::string nasty = "</script><img src=x onerror=alert(1)> \"a\" 'b' \x01 \xE2\x80\xAE dog";
  InspectionOptions cut;
  cut.truncate = true;
  const auto text = inspection_page(look("pretraining", nasty, std::nullopt, cut));
  EXPECT_THAT(text, Not(HasSubstr("<img")));
  EXPECT_THAT(text, Not(HasSubstr("{{")));
  EXPECT_THAT(text, HasSubstr("\\u003c/script\\u003e\\u003cimg"));
  const auto begin = text.find("id=\"data\">") + 10;
  const auto data = json::parse(text.substr(begin, text.find("</script>", begin) - begin));
  EXPECT_EQ(data["text"], nasty);
  EXPECT_THAT(text, Not(HasSubstr("http://")));  // nothing is fetched
  EXPECT_THAT(text, Not(HasSubstr("https://")));
}

TEST(Inspection, TellsItsProgressAndCanBeCancelled) {
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> last;
  std::vector<std::string> stages;
  const auto tell = [&](const Progress& progress) {
    const std::string stage(progress.stage);
    if (stages.empty() || stages.back() != stage) stages.push_back(stage);
    last[stage] = {progress.done, progress.total};
    return true;
  };
  static_cast<void>(inspect(golden("pretraining"), "the [MASK] a", std::nullopt, {}, tell));
  EXPECT_EQ(stages, (std::vector<std::string>{"attributing", "encoding", "layers", "masks"}));
  EXPECT_EQ(last["layers"], (std::pair<std::int64_t, std::int64_t>{3, 3}));
  EXPECT_EQ(last["masks"], (std::pair<std::int64_t, std::int64_t>{2, 2}));
  for (const auto& stage : stages) {
    const auto cancel = [&](const Progress& progress) { return progress.stage != stage; };
    EXPECT_THROW(
        static_cast<void>(inspect(golden("pretraining"), "the [MASK] a", std::nullopt, {}, cancel)),
        Cancelled)
        << stage;
  }
}

TEST(Inspection, WordsAddUpToTheChangeOfTheScore) {
  const auto inspection = look("sequence_3_labels", "the dogs a", "b");
  const auto words = word_attributions(inspection);
  ASSERT_EQ(words.size(), 4U);
  double sum = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    sum += words[i].value;
    EXPECT_GE(words[i].word.sequence, 0);
    if (i > 0) {
      EXPECT_LE(std::abs(words[i].value), std::abs(words[i - 1].value));
    }
  }
  const auto& attribution = *inspection.attribution;
  const double change = attribution.score - attribution.baseline_score;
  EXPECT_NEAR(sum, change, 0.011 * std::abs(change));
  EXPECT_TRUE(word_attributions(look("bare_odd", "a b")).empty());
}

TEST(Report, IsSavedAsTheExtensionSays) {
  const testing::TempDirectory folder;
  const auto inspection = look("pretraining", "the [MASK] a");
  const auto text_of = [&](const char* name) {
    std::ostringstream text;
    text << std::ifstream(folder.path() / name).rdbuf();
    return text.str();
  };
  for (const char* name : {"x.html", "x.json", "x.safetensors"}) {
    save_inspection(inspection, folder.path() / name);
  }
  EXPECT_EQ(text_of("x.html"), inspection_page(inspection));
  EXPECT_EQ(json::parse(text_of("x.json"))["model"], "pretraining");
  const auto tensors = Checkpoint::open(folder.path() / "x.safetensors");
  EXPECT_EQ(tensors.info("masks.ids").shape, (Shape{2, 5}));
  EXPECT_EQ(tensors.metadata().at("model"), "pretraining");
  EXPECT_THAT(message_of([&] { save_inspection(inspection, folder.path() / "x.png"); }),
              HasSubstr(".html"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "x.png"));
}

}  // namespace
}  // namespace cloze
