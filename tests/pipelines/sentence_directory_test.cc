// What a sentence-transformers directory says changes the vectors as it says.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "cloze/feature_extraction.h"
#include "cloze/sentence_transformer.h"
#include "cloze/similarity.h"
#include "pipelines/pipeline_tools.h"
#include "sentence/sentence_model.h"

namespace cloze {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SentenceModel;

using Values = std::vector<float>;

Values vector_of(const SentenceTransformer& model, const std::string& text,
                 const SentenceEncodeOptions& options = {}) {
  const auto vectors = model.encode(std::vector<std::string>{text}, options);
  const auto values = vectors.values<float>();
  return {values.begin(), values.end()};
}

Values vector_of(const SentenceModel& model, const std::string& text,
                 const SentenceEncodeOptions& options = {}) {
  return vector_of(SentenceTransformer::from_pretrained(model.path()), text, options);
}

void expect_near_values(const Values& a, const Values& b, double tolerance = 1e-6) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], tolerance) << i;
}

/// transformers' vectors of the tokens, [tokens, 24].
std::vector<Values> token_vectors(const SentenceModel& model, const std::string& text) {
  const auto extract = FeatureExtractionPipeline::from_pretrained(model.path());
  const auto features = extract(std::vector<std::string>{text});
  const auto values = features.at(0).vectors.values<float>();
  std::vector<Values> rows;
  for (std::size_t at = 0; at < values.size(); at += 24) {
    rows.emplace_back(values.begin() + static_cast<std::ptrdiff_t>(at),
                      values.begin() + static_cast<std::ptrdiff_t>(at + 24));
  }
  return rows;
}

Values normalized(Values values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  for (float& value : values) value = static_cast<float>(value / std::sqrt(squares));
  return values;
}

constexpr const char* kPrompts =
    R"({"prompts": {"query": "a dog ", "none": ""}, "default_prompt_name": "query"})";

TEST(Prompts, TheDefaultOneIsAppliedUnlessTold) {
  const SentenceModel model;
  const auto plain = vector_of(model, "the dogs"), prompted = vector_of(model, "a dog the dogs");
  model.write("config_sentence_transformers.json", R"({"prompts": {"query": "a dog "}})");
  EXPECT_EQ(vector_of(model, "the dogs"), plain);
  EXPECT_EQ(vector_of(model, "the dogs", {.prompt_name = "query"}), prompted);
  model.write("config_sentence_transformers.json", kPrompts);
  const auto loaded = SentenceTransformer::from_pretrained(model.path());
  EXPECT_EQ(vector_of(loaded, "the dogs"), prompted);
  EXPECT_EQ(vector_of(loaded, "the dogs", {.prompt = ""}), plain);
  EXPECT_EQ(vector_of(loaded, "the dogs", {.prompt_name = "none"}), plain);
  EXPECT_EQ(vector_of(loaded, "dogs", {.prompt = "the "}), plain);
  EXPECT_NE(prompted, plain);
  EXPECT_THAT(error_of([&] { vector_of(loaded, "a", {.prompt_name = "passage"}); }),
              AllOf(HasSubstr("\"passage\""), HasSubstr("none, query")));
  // A pooling of one's own changes nothing about the text.
  EXPECT_EQ(
      vector_of(SentenceTransformer::from_pretrained(model.path(), {.pooling = Pooling::mean}),
                "the dogs"),
      prompted);
}

TEST(Prompts, OfAPairTheyGoBeforeTheFirst) {
  const SentenceModel model;
  const auto loaded = SentenceTransformer::from_pretrained(model.path());
  const auto prompted = loaded.encode(std::vector<TextPair>{{"dogs", "a b"}}, {.prompt = "the "});
  const auto plain = loaded.encode(std::vector<TextPair>{{"the dogs", "a b"}});
  EXPECT_TRUE(std::ranges::equal(prompted.bytes(), plain.bytes()));
}

TEST(Prompts, AreLeftOutOfThePoolingWhereTheDirectorySaysSo) {
  const SentenceModel model;
  model.write("config_sentence_transformers.json", kPrompts);
  const auto tokens = token_vectors(model, "a dog the dogs");
  const auto own = token_vectors(model, "the dogs");
  const auto prompt = tokens.size() - own.size() + 1;  // and [CLS]
  Values mean(24), weighted(24), roots(24);
  double weights = 0;
  for (std::size_t t = prompt; t < tokens.size(); ++t) {
    const auto weight = static_cast<float>(t + 1);
    weights += weight;
    const auto count = static_cast<float>(tokens.size() - prompt);
    for (std::size_t c = 0; c < 24; ++c) {
      mean[c] += tokens[t][c] / count;
      roots[c] += tokens[t][c] / std::sqrt(count);
      weighted[c] += tokens[t][c] * weight;
    }
  }
  for (auto& value : weighted) value = static_cast<float>(value / weights);
  for (const auto& [mode, expected] :
       std::vector<std::pair<const char*, Values>>{{"mean", mean},
                                                   {"weightedmean", weighted},
                                                   {"mean_sqrt_len_tokens", roots},
                                                   {"cls", tokens[prompt]},
                                                   {"lasttoken", tokens.back()}}) {
    model.write("1_Pooling/config.json", std::string(R"({"include_prompt": false, )") +
                                             R"("pooling_mode": ")" + mode + "\"}");
    expect_near_values(vector_of(model, "the dogs"), expected, 2e-6);
  }
  EXPECT_NE(vector_of(model, "the dogs", {.prompt = ""}), tokens.back());
}

TEST(Prompts, WithoutRoomForATextAreRefused) {
  const SentenceModel model;
  model.write("sentence_bert_config.json", R"({"max_seq_length": 4})");
  EXPECT_THAT(error_of([&] { vector_of(model, "a", {.prompt = "a b "}); }),
              AllOf(HasSubstr("the prompt \"a b \" has 4 tokens"), HasSubstr("no room")));
  EXPECT_EQ(vector_of(model, "b c d", {.prompt = "a "}), vector_of(model, "a b"));
}

TEST(SentenceDirectory, SeveralPoolingsSideBySide) {
  const SentenceModel model;
  const auto tokens = token_vectors(model, "the dogs .");
  const auto mean = vector_of(model, "the dogs .");
  model.write("1_Pooling/config.json", R"({"pooling_mode": ["lasttoken", "mean", "cls"]})");
  auto expected = tokens.back();
  expected.insert(expected.end(), mean.begin(), mean.end());
  expected.insert(expected.end(), tokens.front().begin(), tokens.front().end());
  EXPECT_EQ(vector_of(model, "the dogs ."), expected);
  const auto loaded = SentenceTransformer::from_pretrained(model.path());
  EXPECT_EQ(loaded.dimension(), 72);
  EXPECT_THAT(loaded.poolings(), ElementsAre(Pooling::last_token, Pooling::mean, Pooling::cls));
}

TEST(SentenceDirectory, ModulesInTheirOrder) {
  const SentenceModel plain;
  const auto mean = vector_of(plain, "the dogs .");
  const SentenceModel model({"1_Pooling", "2_Normalize", "3_Dense", "4_Normalize"});
  model.write_dense("3_Dense", 24, 5, R"("activation_function": "torch.nn.Identity",)");
  const auto weight = SentenceModel::numbers({5, 24}, 37), bias = SentenceModel::numbers({5}, 11);
  const auto unit = normalized(mean);
  Values expected(5);
  for (std::size_t o = 0; o < 5; ++o) {
    double sum = bias.values<float>()[o];
    for (std::size_t i = 0; i < 24; ++i)
      sum += double{weight.values<float>()[o * 24 + i]} * unit[i];
    expected[o] = static_cast<float>(sum);
  }
  expect_near_values(vector_of(model, "the dogs ."), normalized(expected));
  // Told not to normalize, what is before the dense layer stays.
  const auto loaded = SentenceTransformer::from_pretrained(model.path(), {.normalize = false});
  expect_near_values(vector_of(loaded, "the dogs ."), expected);
  EXPECT_FALSE(loaded.normalizes());
}

TEST(SentenceDirectory, DimensionsAreCutAfterItsOwnNormalizationAndBeforeTheCallers) {
  const SentenceModel model({"1_Pooling", "2_Normalize"});
  const auto whole = vector_of(model, "the dogs .");
  const Values first(whole.begin(), whole.begin() + 3);
  const auto cut = SentenceTransformer::from_pretrained(model.path(), {.truncate_dim = 3});
  EXPECT_EQ(vector_of(cut, "the dogs ."), first);
  EXPECT_EQ(cut.dimension(), 3);
  EXPECT_FALSE(cut.normalizes());
  model.write("config_sentence_transformers.json", R"({"truncate_dim": 3})");
  EXPECT_EQ(vector_of(model, "the dogs ."), first);
  const auto unit = SentenceTransformer::from_pretrained(model.path(), {.normalize = true});
  expect_near_values(vector_of(unit, "the dogs ."), normalized(first));
  EXPECT_TRUE(unit.normalizes());
  EXPECT_EQ(SentenceTransformer::from_pretrained(model.path(), {.truncate_dim = 99}).dimension(),
            24);
  EXPECT_THROW(
      static_cast<void>(SentenceTransformer::from_pretrained(model.path(), {.truncate_dim = 0})),
      ArgumentError);
}

TEST(SentenceDirectory, SimilarityFunction) {
  const SentenceModel model;
  model.write("config_sentence_transformers.json", R"({"similarity_fn_name": "euclidean"})");
  const auto loaded = SentenceTransformer::from_pretrained(model.path());
  const auto vectors = loaded.encode(std::vector<std::string>{"a", "the dogs ."});
  const auto expected = similarity_matrix(vectors, vectors, SimilarityFunction::euclidean);
  const auto found = loaded.similarity(vectors, vectors);
  EXPECT_TRUE(std::ranges::equal(found.bytes(), expected.bytes()));
  const auto dot = SentenceTransformer::from_pretrained(model.path(),
                                                        {.similarity_fn = SimilarityFunction::dot});
  EXPECT_EQ(dot.similarity_fn(), SimilarityFunction::dot);
}

TEST(SentenceDirectory, TheTokenizersLimitCountsWhereNoOtherIsStated) {
  const SentenceModel model;
  const auto positions = SentenceTransformer::from_pretrained(model.path()).max_length();
  auto config = nlohmann::json::parse(testing::read_file(model.root() / "tokenizer_config.json"));
  for (const auto* name : {"model_max_length", "max_len"}) {
    config.erase("model_max_length");
    config[name] = 5;
    model.write("tokenizer_config.json", config.dump());
    EXPECT_EQ(SentenceTransformer::from_pretrained(model.path()).max_length(), 5) << name;
    EXPECT_EQ(vector_of(model, "a b c d"), vector_of(model, "a b c"));
    config.erase(name);
  }
  config["model_max_length"] = 100000;
  model.write("tokenizer_config.json", config.dump());
  const auto loaded = SentenceTransformer::from_pretrained(model.path());
  EXPECT_EQ(loaded.max_length(), positions);
  std::string longer;
  for (std::int64_t i = 0; i < positions; ++i) longer += "a ";
  EXPECT_EQ(vector_of(loaded, longer + "b"), vector_of(loaded, longer));  // cut, not refused
  model.write("sentence_bert_config.json", R"({"max_seq_length": 6})");
  EXPECT_EQ(SentenceTransformer::from_pretrained(model.path()).max_length(), 6);
}

TEST(SentenceDirectory, LowerCasesTextsOfACasedTokenizer) {
  const SentenceModel model;
  auto config = nlohmann::json::parse(testing::read_file(model.root() / "tokenizer_config.json"));
  config["do_lower_case"] = false;
  config.erase("strip_accents");
  model.write("tokenizer_config.json", config.dump());
  const auto lower = vector_of(model, "the dogs");
  EXPECT_NE(vector_of(model, "THE Dogs"), lower);
  model.write("sentence_bert_config.json", R"({"do_lower_case": true})");
  EXPECT_EQ(vector_of(model, "THE Dogs"), lower);
  const auto loaded = SentenceTransformer::from_pretrained(model.path());
  EXPECT_EQ(loaded.tokenizer().encode("[MASK]").ids,
            Tokenizer::from_pretrained(model.path()).encode("[MASK]").ids);
}

TEST(SentenceDirectory, WarnsOfWhatItDoesNotKnow) {
  const SentenceModel model;
  EXPECT_THAT(SentenceTransformer::from_pretrained(model.path()).warnings(), IsEmpty());
  auto config = nlohmann::json::parse(testing::read_file(model.root() / "config.json"));
  config["flavour"] = "vanilla";
  model.write("config.json", config.dump());
  model.write("sentence_bert_config.json", R"({"glue": true})");
  EXPECT_THAT(SentenceTransformer::from_pretrained(model.path()).warnings(),
              ElementsAre(AllOf(HasSubstr("sentence_bert_config.json"), HasSubstr("glue")),
                          AllOf(HasSubstr("config.json"), HasSubstr("flavour"))));
  EXPECT_THAT(FeatureExtractionPipeline::from_pretrained(model.path()).warnings(),
              ElementsAre(HasSubstr("flavour")));
}

TEST(SentenceDirectory, WarnsOfFieldsOfTheTokenizerThatItDoesNotKnow) {
  const SentenceModel model;
  auto config = nlohmann::json::parse(testing::read_file(model.root() / "tokenizer_config.json"));
  config["flavour"] = "vanilla";
  model.write("tokenizer_config.json", config.dump());
  EXPECT_THAT(FeatureExtractionPipeline::from_pretrained(model.path()).warnings(),
              ElementsAre(AllOf(HasSubstr("tokenizer_config.json"), HasSubstr("flavour"))));
}

// transformers 4 gives a PreTrainedTokenizerFast's types to a model, 5 does not.
TEST(SentenceDirectory, WarnsOfTypesThatNothingStates) {
  const testing::TempDirectory folder;
  const auto warnings = [&](const nlohmann::json& fields, const char* architecture) {
    const auto path = testing::edited_model(
        folder, "bare_odd", [&](auto& config) { config["architectures"] = {architecture}; });
    Tokenizer::from_pretrained(path).save_pretrained(path);  // with its tokenizer.json
    const auto file = std::filesystem::path(path) / "tokenizer_config.json";
    auto config = nlohmann::json::parse(testing::read_file(file));
    config.update(fields);
    testing::write_file(file, config.dump());
    const auto found = FeatureExtractionPipeline::from_pretrained(path).warnings();
    std::filesystem::remove_all(path);
    return found;
  };
  const nlohmann::json fast{{"tokenizer_class", "PreTrainedTokenizerFast"}};
  auto stated = fast;
  stated["model_input_names"] = {"input_ids", "token_type_ids"};
  EXPECT_THAT(warnings(fast, "BertForSequenceClassification"),
              ElementsAre(HasSubstr("model_input_names")));
  EXPECT_THAT(warnings(stated, "BertForSequenceClassification"), IsEmpty());
  EXPECT_THAT(warnings(fast, "BertModel"), IsEmpty());
  EXPECT_THAT(warnings(nlohmann::json::object(), "BertForSequenceClassification"), IsEmpty());
}

TEST(SentenceDirectory, WarnsOfACasedVocabularyThatIsLowerCased) {
  const testing::TempDirectory folder;
  const std::vector<std::string> tokens{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"};
  auto cased = tokens;
  cased.emplace_back("Berlin");
  const auto warnings = [&](const std::vector<std::string>& vocabulary, bool lowercase) {
    const auto path =
        testing::edited_model(folder, "bare_odd", [&](auto& config) { config["vocab_size"] = 53; });
    std::filesystem::remove(std::filesystem::path(path) / "tokenizer.json");
    Tokenizer::from_vocabulary(vocabulary, {.lowercase = lowercase}).save_pretrained(path);
    const auto found = FeatureExtractionPipeline::from_pretrained(path).warnings();
    std::filesystem::remove_all(path);
    return found;
  };
  EXPECT_THAT(warnings(cased, true), ElementsAre(HasSubstr("\"Berlin\"")));
  EXPECT_THAT(warnings(cased, false), IsEmpty());
  EXPECT_THAT(warnings(tokens, true), IsEmpty());
}

}  // namespace
}  // namespace cloze
