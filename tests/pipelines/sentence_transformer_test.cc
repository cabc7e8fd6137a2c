#include "cloze/sentence_transformer.h"

#include <string>
#include <vector>

#include "cloze/similarity.h"
#include "pipelines/pipeline_tools.h"

namespace cloze {
namespace {

using testing::golden_directory;
using testing::TempDirectory;
using testing::write_file;

/// bare_odd as a sentence-transformers directory.
std::string sentence_directory(const TempDirectory& folder, std::string_view pooling,
                               bool normalize, int max_seq_length) {
  const std::filesystem::path copy = testing::edited_model(folder, "bare_odd", [](auto&) {});
  std::string modules = R"([{"path":"","type":"sentence_transformers.models.Transformer"},
      {"path":"1_Pooling","type":"sentence_transformers.models.Pooling"})";
  if (normalize) modules += R"(,{"path":"2_N","type":"sentence_transformers.models.Normalize"})";
  write_file(copy / "modules.json", modules + "]");
  std::filesystem::create_directory(copy / "1_Pooling");
  write_file(copy / "1_Pooling" / "config.json",
             R"({"pooling_mode_)" + std::string(pooling) + R"(":true})");
  write_file(copy / "sentence_bert_config.json",
             R"({"max_seq_length":)" + std::to_string(max_seq_length) + "}");
  return copy.string();
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::ranges::equal(a.bytes(), b.bytes());
}

TEST(SentenceTransformer, ADirectoryWithoutModulesGetsTheMean) {
  const auto model = SentenceTransformer::from_pretrained(golden_directory("bare_odd"));
  const auto& goldens = testing::answers_of_transformers("goldens.json")["encode"];
  std::vector<std::string> texts;
  for (const auto& golden : goldens) texts.push_back(golden["text"]);
  const auto vectors = model.encode(texts);
  EXPECT_EQ(vectors.shape(), (Shape{4, 24}));
  EXPECT_EQ(model.dimension(), 24);
  EXPECT_EQ(model.pooling(), Pooling::mean);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (std::size_t c = 0; c < 24; ++c) {
      EXPECT_NEAR(vectors.values<float>()[i * 24 + c], goldens[i]["mean"][c].get<double>(), 2e-5);
    }
  }
}

TEST(SentenceTransformer, IdsGiveTheVectorsOfTheirTexts) {
  const auto model = SentenceTransformer::from_pretrained(golden_directory("bare_odd"));
  const std::vector<std::string> texts{"hello world", "", "a b c d"};
  std::vector<std::vector<std::int32_t>> ids;
  for (const auto& text : texts) ids.push_back(model.tokenizer().encode(text).ids);
  EXPECT_TRUE(same_bits(model.encode_ids(ids), model.encode(texts)));
  const SentenceTransformerOptions unit{.normalize = true};
  auto vectors = model.encode_ids(ids);
  normalize(vectors);
  const auto same = SentenceTransformer::from_pretrained(golden_directory("bare_odd"), unit);
  EXPECT_TRUE(same_bits(vectors, same.encode(texts)));
  ids.emplace_back();
  EXPECT_THROW((void)model.encode_ids(ids), ArgumentError);
  ids.back().assign(1, 1 << 30);
  EXPECT_THROW((void)model.encode_ids(ids), ArgumentError);
  ids.back().assign(static_cast<std::size_t>(model.config().max_position_embeddings) + 1, 1);
  EXPECT_THROW((void)model.encode_ids(ids), ArgumentError);
}

TEST(SentenceTransformer, FollowsItsDirectoryUnlessTold) {
  const TempDirectory folder;
  const auto directory = sentence_directory(folder, "cls_token", true, 4);
  const auto model = SentenceTransformer::from_pretrained(directory);
  EXPECT_EQ(model.pooling(), Pooling::cls);
  EXPECT_TRUE(model.normalizes());
  EXPECT_EQ(model.max_length(), 4);
  const std::vector<std::string> longer{"a b c d"}, shorter{"a b"};
  const auto vectors = model.encode(longer);  // cut, as sentence-transformers cuts
  EXPECT_TRUE(same_bits(vectors, model.encode(shorter)));
  EXPECT_NEAR(cosine(vectors.values<float>(), vectors.values<float>()), 1, 1e-9);
  double squares = 0;
  for (const double value : vectors.values<float>()) squares += value * value;
  EXPECT_NEAR(squares, 1, 1e-6);
  EXPECT_THROW(static_cast<void>(model.encode(longer, {.truncate = false})), TextTooLong);
  EXPECT_FALSE(same_bits(model.encode(longer, {.max_length = 6}), vectors));

  const auto plain = SentenceTransformer::from_pretrained(directory, {.normalize = false});
  EXPECT_FALSE(same_bits(plain.encode(longer), vectors));
  EXPECT_EQ(plain.pooling(), Pooling::cls);
  const auto max = SentenceTransformer::from_pretrained(directory, {.pooling = Pooling::max});
  EXPECT_EQ(max.pooling(), Pooling::max);
  EXPECT_FALSE(max.normalizes());
  EXPECT_GT(max.max_length(), 4);
  const auto two = SentenceTransformer::from_pretrained(
      directory, {.pooling = Pooling::mean, .layers = {-1, 0}});
  EXPECT_EQ(two.dimension(), 48);
}

TEST(SentenceTransformer, TellsHowManyTextsItCuts) {
  const TempDirectory folder;
  const auto model =
      SentenceTransformer::from_pretrained(sentence_directory(folder, "mean_tokens", false, 4));
  std::vector<std::size_t> told;
  const SentenceEncodeOptions options{.on_cut = [&](std::size_t texts) { told.push_back(texts); }};
  const std::vector<std::string> texts{"a b", "a b c", "a", "a b c d e"};  // 4, 5, 3 and 7 tokens
  const auto vectors = model.encode(texts, options);
  EXPECT_EQ(told, (std::vector<std::size_t>{2}));
  EXPECT_TRUE(same_bits(vectors, model.encode(texts)));
  const std::vector<std::string> whole{"a b", "a"};
  static_cast<void>(model.encode(whole, options));
  EXPECT_EQ(told.size(), 1U);  // nothing was cut
  const std::vector<TextPair> pairs{{"a", "b"}, {"", "a"}};
  static_cast<void>(model.encode(pairs, options));
  EXPECT_EQ(told, (std::vector<std::size_t>{2, 1}));
}

TEST(SentenceTransformer, SimilarityAndSearch) {
  const auto model = SentenceTransformer::from_pretrained(golden_directory("bare_odd"));
  const auto texts = testing::several_texts();
  const auto vectors = model.encode(texts);
  const auto scores = model.similarity(vectors, vectors);
  EXPECT_EQ(scores.shape(), (Shape{6, 6}));
  for (std::int64_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(scores.values<float>()[static_cast<std::size_t>(7 * i)], 1, 1e-6);
    const auto hits = semantic_search(vectors.rows(i, i + 1), vectors, 2).at(0);
    ASSERT_EQ(hits.size(), 2U);
    EXPECT_EQ(hits[0].index, static_cast<std::size_t>(i));
    EXPECT_LE(hits[1].score, hits[0].score);
  }
}

TEST(SentenceTransformer, ProgressCancellationAndThreads) {
  const auto model = SentenceTransformer::from_pretrained(golden_directory("bare_odd"),
                                                          {.pipeline = {.batch_tokens = 7}});
  const auto texts = testing::several_texts();
  testing::expect_good_manners(
      [&](const ProgressCallback& progress) { return model.encode(texts, {}, progress); },
      same_bits);
}

TEST(SentenceTransformer, BadInput) {
  const auto directory = golden_directory("bare_odd");
  const auto model = SentenceTransformer::from_pretrained(directory);
  EXPECT_EQ(model.encode(Texts()).shape(), (Shape{0, 24}));
  EXPECT_THROW(static_cast<void>(
                   SentenceTransformer::from_pretrained(directory, {.pooling = Pooling::none})),
               ArgumentError);
  EXPECT_THROW(static_cast<void>(SentenceTransformer::from_pretrained(directory, {.layers = {7}})),
               ArgumentError);
  EXPECT_THROW(static_cast<void>(SentenceTransformer::from_pretrained(
                   golden_directory("bare_no_pooler"), {.pooling = Pooling::pooler})),
               ModelError);
  const TempDirectory folder;
  const auto unknown = sentence_directory(folder, "cls_token", false, 4);
  write_file(std::filesystem::path(unknown) / "modules.json",
             R"([{"path":"","type":"sentence_transformers.models.LSTM"}])");
  EXPECT_THROW(static_cast<void>(SentenceTransformer::from_pretrained(unknown)), ModelError);
}

TEST(SentenceTransformer, FromALoadedModel) {
  const auto directory = golden_directory("bare_odd");
  const SentenceTransformer model(BertModel::from_pretrained(directory),
                                  Tokenizer::from_pretrained(directory),
                                  {.pooling = Pooling::cls, .normalize = true});
  const auto loaded =
      SentenceTransformer::from_pretrained(directory, {.pooling = Pooling::cls, .normalize = true});
  const auto texts = testing::several_texts();
  EXPECT_TRUE(same_bits(model.encode(texts), loaded.encode(texts)));
}

}  // namespace
}  // namespace cloze
