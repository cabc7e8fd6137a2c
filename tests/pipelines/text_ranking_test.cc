#include "cloze/text_ranking.h"

#include <cmath>
#include <string>
#include <vector>

#include "pipelines/pipeline_tools.h"

namespace cloze {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

class Ranking : public ::testing::Test {
 protected:
  CrossEncoder encoder(std::int64_t batch_tokens = 8192) {
    if (model_.empty()) model_ = testing::classifier_of(folder_, {"LABEL_0"});
    return CrossEncoder::from_pretrained(model_, {.batch_tokens = batch_tokens});
  }
  testing::TempDirectory folder_;

 private:
  std::string model_;
};

float logit(const CrossEncoder& encoder, std::string_view a, std::string_view b,
            std::size_t index) {
  const auto logits = encoder.model()(encoder.tokenizer()(a, b));
  return logits.values<float>()[index];
}

TEST_F(Ranking, ScoresOfPairs) {
  const auto one = encoder();
  const std::vector<TextPair> pairs{{"the dog", "a"}, {"b", "c dogs"}};
  const auto scores = one.predict(pairs);
  const auto logits = one.predict(pairs, {.function_to_apply = ScoreFunction::none});
  for (std::size_t i = 0; i < 2; ++i) {
    const double expected = logit(one, pairs[i].first, pairs[i].second, 0);
    EXPECT_NEAR(logits[i], expected, 1e-5);
    EXPECT_NEAR(scores[i], 1 / (1 + std::exp(-expected)), 1e-6);
  }
}

TEST_F(Ranking, OfTwoOutputsTheSecondMeansYes) {
  const auto two = CrossEncoder::from_pretrained(testing::classifier_of(folder_, {"no", "yes"}));
  const std::vector<TextPair> pairs{{"the dog", "a"}};
  const auto no = logit(two, "the dog", "a", 0), yes = logit(two, "the dog", "a", 1);
  const auto expected = testing::plain_softmax({no, yes});
  EXPECT_NEAR(two.predict(pairs)[0], expected[1], 1e-6);
  EXPECT_NEAR(two.logits(pairs)[0], double{yes} - no, 1e-6);
}

TEST_F(Ranking, DocumentsBestFirst) {
  const auto one = encoder();
  const auto documents = testing::several_texts();
  const auto ranked = one.rank("the dog", documents);
  ASSERT_EQ(ranked.size(), documents.size());
  std::vector<char> seen(documents.size(), 0);
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    seen[ranked[i].index] = 1;
    EXPECT_EQ(ranked[i].score, one.rank("the dog", documents, {.top_k = 6})[i].score);
    if (i > 0) {
      EXPECT_LE(ranked[i].score, ranked[i - 1].score);
    }
  }
  EXPECT_THAT(seen, ::testing::Each(1));
  const auto best = one.rank("the dog", documents, {.top_k = 2});
  ASSERT_EQ(best.size(), 2U);
  EXPECT_EQ(best[0].index, ranked[0].index);
  EXPECT_NEAR(best[0].score,
              1 / (1 + std::exp(-double{logit(one, "the dog", documents[best[0].index], 0)})),
              1e-6);
}

/// A model whose logits are what the others' are, and `bias` more.
std::string with_bias(const testing::TempDirectory& folder, float bias) {
  const auto path = testing::classifier_of(folder, {"LABEL_0"});
  const auto file = std::filesystem::path(path) / "model.safetensors";
  TensorMap tensors;
  {
    const auto checkpoint = Checkpoint::open(path);
    for (const auto& name : checkpoint.names()) {
      auto copy = Tensor::zeros(DType::f32, checkpoint.info(name).shape);
      const auto values = checkpoint.tensor(name).to(DType::f32);
      std::ranges::copy(values.bytes(), copy.mutable_bytes().begin());
      tensors[name] = copy;
    }
  }
  tensors.at("classifier.bias").mutable_values<float>()[0] += bias;
  save_safetensors(file, tensors);
  return path;
}

// Scores that are all 1 do not rank.
TEST(RankingByLogits, WhereScoresAreAllTheSame) {
  const testing::TempDirectory low_folder, high_folder;
  const auto low = CrossEncoder::from_pretrained(with_bias(low_folder, 0));
  const auto high = CrossEncoder::from_pretrained(with_bias(high_folder, 60));
  const auto documents = testing::several_texts();
  const auto expected = low.rank("the dog", documents), found = high.rank("the dog", documents);
  ASSERT_EQ(found.size(), expected.size());
  std::vector<char> in_order;
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].index, expected[i].index);
    EXPECT_EQ(found[i].score, 1);
    EXPECT_NEAR(found[i].logit, expected[i].logit + 60, 1e-4);
    in_order.push_back(found[i].index == i ? 1 : 0);
  }
  EXPECT_THAT(in_order, ::testing::Contains(0)) << "the test's texts must not be in order";
}

/// A model with one output, whose config.json has further fields.
std::string stating(const testing::TempDirectory& folder, const nlohmann::json& fields) {
  const auto path = testing::classifier_of(folder, {"LABEL_0"});
  const auto file = std::filesystem::path(path) / "config.json";
  auto config = nlohmann::json::parse(testing::read_file(file));
  config.update(fields);
  testing::write_file(file, config.dump());
  return path;
}

/// modules.json, beside which sentence-transformers reads its other files.
void list_modules(const std::string& path) {
  testing::write_file(
      path + "/modules.json",
      R"([{"path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"}])");
}

TEST(RankingActivation, IsTheOneThatTheDirectoryStates) {
  const std::vector<TextPair> pairs{{"the dog", "a"}};
  const auto* identity = "torch.nn.modules.linear.Identity";
  const std::vector<std::pair<nlohmann::json, nlohmann::json>> cases{
      {{{"sbert_ce_default_activation_function", identity}}, {}},
      {{{"sentence_transformers", {{"activation_fn", identity}, {"version", "4.1.0"}}}}, {}},
      {nlohmann::json::object(), {{"model_type", "CrossEncoder"}, {"activation_fn", identity}}}};
  for (const auto& [config, model] : cases) {
    const testing::TempDirectory folder;
    const auto path = stating(folder, config);
    if (!model.is_null()) {
      testing::write_file(path + "/config_sentence_transformers.json", model.dump());
      list_modules(path);
    }
    const auto encoder = CrossEncoder::from_pretrained(path);
    EXPECT_EQ(encoder.activation(), "Identity");
    const double expected = logit(encoder, "the dog", "a", 0);
    EXPECT_NEAR(encoder.predict(pairs)[0], expected, 1e-6);
    EXPECT_NEAR(encoder.rank("the dog", std::vector<std::string>{"a"})[0].score, expected, 1e-6);
    const auto sigmoid = encoder.predict(pairs, {.function_to_apply = ScoreFunction::sigmoid});
    EXPECT_NEAR(sigmoid[0], 1 / (1 + std::exp(-expected)), 1e-6);
  }
  const testing::TempDirectory folder;
  const auto path = stating(folder, {{"sbert_ce_default_activation_function", "torch.nn.ELU"}});
  EXPECT_THAT(error_of([&] { static_cast<void>(CrossEncoder::from_pretrained(path)); }),
              HasSubstr("ELU"));
}

TEST(RankingPrompts, GoBeforeTheQuery) {
  const testing::TempDirectory folder;
  const auto path = testing::classifier_of(folder, {"LABEL_0"});
  testing::write_file(path + "/config_sentence_transformers.json",
                      R"({"model_type": "CrossEncoder", "prompts": {"q": "the ", "none": ""},
                          "default_prompt_name": "q",
                          "activation_fn": "torch.nn.modules.linear.Identity"})");
  const auto unlisted = CrossEncoder::from_pretrained(path);
  list_modules(path);
  const auto encoder = CrossEncoder::from_pretrained(path);
  const std::vector<std::string> documents{"a b"};
  const double prompted = logit(encoder, "the dog", "a b", 0),
               plain = logit(encoder, "dog", "a b", 0);
  EXPECT_NE(prompted, plain);
  // Without modules.json sentence-transformers does not read the file.
  EXPECT_NEAR(unlisted.rank("dog", documents)[0].logit, plain, 1e-6);
  EXPECT_NEAR(unlisted.rank("dog", documents, {.prompt_name = "q"})[0].logit, prompted, 1e-6);
  EXPECT_EQ(unlisted.activation(), "Sigmoid");
  EXPECT_THAT(unlisted.warnings(), ::testing::Contains(HasSubstr("no modules.json")));
  EXPECT_TRUE(encoder.warnings().empty());
  EXPECT_NEAR(encoder.rank("dog", documents)[0].logit, prompted, 1e-6);
  EXPECT_NEAR(encoder.rank("dog", documents, {.prompt_name = "none"})[0].logit, plain, 1e-6);
  EXPECT_NEAR(encoder.rank("dog", documents, {.prompt = ""})[0].logit, plain, 1e-6);
  EXPECT_THAT(
      error_of([&] { static_cast<void>(encoder.rank("dog", documents, {.prompt_name = "x"})); }),
      HasSubstr("none, q"));
}

TEST(RankingLimit, IsTheDirectorysOwn) {
  const testing::TempDirectory folder;
  const auto path = testing::classifier_of(folder, {"LABEL_0"});
  testing::write_file(path + "/sentence_bert_config.json", R"({"max_seq_length": 6})");
  testing::write_file(path + "/config_sentence_transformers.json",
                      R"({"model_type": "CrossEncoder"})");
  list_modules(path);
  const auto encoder = CrossEncoder::from_pretrained(path);
  EXPECT_EQ(encoder.max_length(), 6);
  const std::vector<std::string> longer{"b c d"};
  EXPECT_THROW(static_cast<void>(encoder.rank("a", longer)), TextTooLong);
  const RankOptions cut{.limits = {.truncate = true}};
  EXPECT_NEAR(encoder.rank("a", longer, cut)[0].logit, logit(encoder, "a", "b c", 0), 1e-6);
}

TEST_F(Ranking, ProgressCancellationAndThreads) {
  const auto one = encoder(12);
  const auto documents = testing::several_texts();
  testing::expect_good_manners(
      [&](const ProgressCallback& progress) { return one.rank("a", documents, {}, progress); },
      [](const auto& a, const auto& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
          return x.index == y.index && x.score == y.score;
        });
      });
}

TEST_F(Ranking, BadInput) {
  const auto one = encoder();
  EXPECT_TRUE(one.predict(Texts()).empty());
  EXPECT_TRUE(one.rank("a", Texts()).empty());
  EXPECT_THROW(static_cast<void>(one.predict(std::vector<std::string>{"a"})), ArgumentError);
  EXPECT_THROW(static_cast<void>(one.rank("a", std::vector<TextPair>{{"b", "c"}})), ArgumentError);
  EXPECT_THROW(static_cast<void>(one.rank("a", Texts(), {.top_k = -1})), ArgumentError);
  EXPECT_THAT(error_of([] {
                static_cast<void>(
                    CrossEncoder::from_pretrained(testing::golden_directory("sequence_3_labels")));
              }),
              ::testing::AllOf(HasSubstr("has 3 labels"), HasSubstr("TextClassificationPipeline")));
}

}  // namespace
}  // namespace cloze
