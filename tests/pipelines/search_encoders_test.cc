// DPR, SPLADE and ColBERT against transformers and sentence-transformers (make_search_goldens.py), and what
// hostile directories of theirs come to.
#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/convert.h"
#include "cloze/error.h"
#include "cloze/model_info.h"
#include "cloze/multi_vector_encoder.h"
#include "cloze/sentence_settings.h"
#include "cloze/sentence_transformer.h"
#include "cloze/sparse_encoder.h"
#include "core/io/files.h"
#include "core/temp_directory.h"
#include "goldens/golden.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::golden_directory;
using ::testing::HasSubstr;
using testing::max_abs_difference;

constexpr double tolerance = 1e-5;

fs::path directory(std::string_view name) { return golden_directory("search") / name; }

Checkpoint golden(std::string_view name) {
  return Checkpoint::open(directory(name) / "golden.safetensors");
}

std::vector<std::string> texts(const char* of) {
  const auto all = nlohmann::json::parse(files::read_text(directory("texts.json")));
  return all.at(of).get<std::vector<std::string>>();
}

/// A golden's directory, to be spoilt.
class Copy {
 public:
  explicit Copy(std::string_view name) {
    fs::copy(directory(name), folder_ / "m", fs::copy_options::recursive);
  }
  [[nodiscard]] fs::path root() const { return folder_ / "m"; }
  void write(std::string_view name, const nlohmann::json& content) const {
    testing::write_file(root() / name, content.dump());
  }
  /// The file with some fields more.
  void change(std::string_view name, const nlohmann::json& fields) const {
    auto content = nlohmann::json::parse(files::read_text(root() / name));
    content.update(fields);
    write(name, content);
  }

 private:
  testing::TempDirectory folder_;
};

template <class Call>
std::string refusal(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

TEST(Dpr, GivesThePoolerOutputOfTransformers) {
  for (const auto* name : {"dpr_question", "dpr_context"}) {
    SCOPED_TRACE(name);
    const auto model = SentenceTransformer::from_pretrained(directory(name));
    EXPECT_EQ(model.similarity_fn(), SimilarityFunction::dot);
    EXPECT_THAT(model.poolings(), ElementsAre(Pooling::cls));
    EXPECT_EQ(model.config().model_type, "dpr");
    const auto documents = texts("documents");
    const auto vectors = model.encode(documents);
    const auto wanted = golden(name);
    for (std::size_t i = 0; i < documents.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i);
      EXPECT_LE(max_abs_difference(vectors.rows(row, row + 1).reshaped({model.dimension()}),
                                   wanted.tensor("document." + std::to_string(i))),
                tolerance);
    }
  }
  EXPECT_EQ(SentenceTransformer::from_pretrained(directory("dpr_context")).dimension(), 10);
  EXPECT_FALSE(BertModel::from_pretrained(directory("dpr_question")).has_pooler());
}

TEST(Dpr, StaysOneWhenItIsConverted) {
  for (const auto* name : {"dpr_question", "dpr_context"}) {
    SCOPED_TRACE(name);
    const testing::TempDirectory folder;
    const auto converted = convert_model(directory(name).string(), folder / "m");
    EXPECT_EQ(converted.architecture,
              std::string_view(name) == "dpr_context" ? "DPRContextEncoder" : "DPRQuestionEncoder");
    EXPECT_TRUE(converted.left_out.empty());
    EXPECT_EQ(Checkpoint::open(folder / "m").names(), Checkpoint::open(directory(name)).names());
    const auto documents = texts("documents");
    EXPECT_EQ(
        max_abs_difference(SentenceTransformer::from_pretrained(folder / "m").encode(documents),
                           SentenceTransformer::from_pretrained(directory(name)).encode(documents)),
        0);
  }
}

TEST(Dpr, WhatIsNoEncoderIsRefused) {
  const Copy reader("dpr_question");
  reader.change("config.json", {{"architectures", {"DPRReader"}}});
  const auto load = [](const Copy& copy) {
    return refusal([&] { static_cast<void>(SentenceTransformer::from_pretrained(copy.root())); });
  };
  EXPECT_THAT(load(reader), AllOf(HasSubstr("DPRReader"), HasSubstr("cloze answer")));
  const Copy wide("dpr_question");
  for (const std::int64_t width : {std::int64_t{7}, std::int64_t{-1}, std::int64_t{1} << 40}) {
    wide.change("config.json", {{"projection_dim", width}});
    EXPECT_THAT(load(wide), AnyOf(HasSubstr("projection_dim"), HasSubstr("encode_proj.weight")))
        << width;
  }
  const Copy other("dpr_context");
  other.change("config.json", {{"projection_dim", 3}});
  EXPECT_THAT(load(other), AllOf(HasSubstr("encode_proj.weight"), HasSubstr("[3, 24]")));
}

TEST(SparseEncoder, WeighsWordsAsSentenceTransformersDoes) {
  for (const auto* name : {"splade_max", "splade_sum", "splade_electra"}) {
    SCOPED_TRACE(name);
    for (const std::int64_t batch_tokens : {8192, 7}) {
      const auto model = SparseEncoder::from_pretrained(
          directory(name), {.pipeline = {.batch_tokens = batch_tokens}});
      EXPECT_THAT(model.warnings(), ::testing::IsEmpty());
      const auto documents = texts("documents");
      const auto vectors = model.encode(documents);
      const auto wanted = golden(name);
      EXPECT_LE(max_abs_difference(vectors.to_dense(), wanted.tensor("document")), tolerance);
      const auto scores = wanted.tensor("similarity");
      const auto found = model.similarity(vectors, vectors);
      for (std::size_t i = 0; i < found.values<float>().size(); ++i) {
        const float expected = testing::elements<float>(scores)[i];
        EXPECT_NEAR(found.values<float>()[i], expected, tolerance * std::max(1.0F, expected));
      }
    }
  }
}

TEST(SparseEncoder, KeepsWeightsOverZeroInOrderOfTheirIds) {
  const auto model = SparseEncoder::from_pretrained(directory("splade_sum"));
  EXPECT_EQ(model.max_active_dims(), 20);
  EXPECT_TRUE(model.splade().sum && model.splade().twice);
  EXPECT_EQ(model.similarity_fn(), SimilarityFunction::cosine);
  const auto vectors = model.encode(texts("documents"));
  EXPECT_EQ(vectors.columns, model.dimension());
  for (std::size_t row = 0; row < vectors.rows(); ++row) {
    const auto ids = vectors.indices_of(row);
    EXPECT_LE(ids.size(), 20U);
    EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
    for (const float value : vectors.values_of(row)) EXPECT_GT(value, 0);
    const auto words = model.decode(vectors, row, 3);
    ASSERT_LE(words.size(), 3U);
    for (std::size_t i = 1; i < words.size(); ++i) {
      EXPECT_GE(words[i - 1].weight, words[i].weight);
    }
    for (const auto& word : words) {
      EXPECT_EQ(word.token, word.id < model.tokenizer().vocab_size()
                                ? model.tokenizer().id_to_token(word.id)
                                : "");
    }
  }
  EXPECT_THROW(static_cast<void>(model.decode(vectors, vectors.rows())), ArgumentError);
  EXPECT_THROW(static_cast<void>(model.decode(vectors, 0, -1)), ArgumentError);
  const auto whole =
      SparseEncoder::from_pretrained(directory("splade_sum"), {.max_active_dims = 1000});
  EXPECT_GT(whole.encode(texts("documents")).indices.size(), vectors.indices.size());
  EXPECT_THROW(static_cast<void>(
                   SparseEncoder::from_pretrained(directory("splade_sum"), {.max_active_dims = 0})),
               ArgumentError);
}

TEST(SparseEncoder, SimilaritiesAreThoseOfDenseVectors) {
  const auto model = SparseEncoder::from_pretrained(directory("splade_max"));
  const auto vectors = model.encode(texts("documents"));
  const auto dense = vectors.to_dense();
  const auto width = static_cast<std::size_t>(vectors.columns);
  for (const auto function : {SimilarityFunction::cosine, SimilarityFunction::dot,
                              SimilarityFunction::euclidean, SimilarityFunction::manhattan}) {
    for (std::size_t i = 0; i < vectors.rows(); ++i) {
      for (std::size_t j = 0; j < vectors.rows(); ++j) {
        EXPECT_NEAR(sparse_similarity(vectors.indices_of(i), vectors.values_of(i),
                                      vectors.indices_of(j), vectors.values_of(j), function),
                    similarity(dense.values<float>().subspan(i * width, width),
                               dense.values<float>().subspan(j * width, width), function),
                    1e-9);
      }
    }
  }
}

TEST(SparseEncoder, WhatItCannotHonourIsRefusedByItsName) {
  const auto load = [](const Copy& copy) {
    return refusal([&] { static_cast<void>(SparseEncoder::from_pretrained(copy.root())); });
  };
  const std::vector<std::tuple<const char*, nlohmann::json, const char*>> cases{
      {"1_SpladePooling/config.json", {{"pooling_strategy", "median"}}, "median"},
      {"1_SpladePooling/config.json", {{"pooling_strategy", 3}}, "pooling_strategy"},
      {"1_SpladePooling/config.json", {{"activation_function", "gelu"}}, "gelu"},
      {"config_sentence_transformers.json", {{"max_active_dims", -1}}, "max_active_dims"},
      {"config_sentence_transformers.json", {{"max_active_dims", 1e300}}, "max_active_dims"},
      {"sentence_bert_config.json",
       {{"transformer_task", "feature-extraction"}},
       "transformer_task"},
      {"sentence_bert_config.json", {{"query_length", 4}}, "query_length"},
      {"config.json", {{"vocab_size", 1 << 30}}, "[1073741824, 24]"}};
  for (const auto& [file, fields, name] : cases) {
    const Copy copy("splade_max");
    copy.change(file, fields);
    EXPECT_THAT(load(copy), HasSubstr(name)) << file << fields;
  }
  const Copy router("splade_max");
  const std::string package = "sentence_transformers.sparse_encoder.modules.";
  router.write("modules.json", {{{"path", ""}, {"type", package + "SparseStaticEmbedding"}}});
  EXPECT_THAT(load(router), HasSubstr("SparseStaticEmbedding"));
  router.write("modules.json", {{{"path", ""}, {"type", package + "MLMTransformer"}}});
  EXPECT_THAT(load(router), HasSubstr("SpladePooling"));
  EXPECT_THAT(refusal([] {
                static_cast<void>(SparseEncoder::from_pretrained(golden_directory("bare_odd")));
              }),
              HasSubstr("BertForMaskedLM"));
  EXPECT_THAT(refusal([] {
                static_cast<void>(SentenceTransformer::from_pretrained(directory("splade_max")));
              }),
              HasSubstr("SparseEncoder"));
}

TEST(SparseEncoder, AnyMaskedLanguageModelGivesWeights) {
  const auto model = SparseEncoder::from_pretrained(golden_directory("masked_lm_untied"),
                                                    {.splade = SpladeOptions{}});
  const std::vector<std::string> one{"a b"};
  const auto ids = model.tokenizer().encode(one.front()).ids;
  Batch batch;
  batch.append(ids);
  std::vector<std::int32_t> positions(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) positions[i] = static_cast<std::int32_t>(i);
  const auto logits =
      BertForMaskedLM::from_pretrained(golden_directory("masked_lm_untied"))(batch, positions);
  const auto found = model.encode(one).to_dense();
  const auto width = static_cast<std::size_t>(logits.dim(1));
  for (std::size_t word = 0; word < width; ++word) {
    float most = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      most = std::max(most, logits.values<float>()[i * width + word]);
    }
    EXPECT_NEAR(found.values<float>()[word], std::log1p(most), tolerance);
  }
}

TEST(MultiVectorEncoder, GivesTheVectorsOfSentenceTransformers) {
  for (const auto* name : {"colbert_native", "colbert_pylate", "colbert_stanford"}) {
    SCOPED_TRACE(name);
    for (const std::int64_t batch_tokens : {8192, 30}) {
      const auto model =
          MultiVectorEncoder::from_pretrained(directory(name), {.batch_tokens = batch_tokens});
      const auto wanted = golden(name);
      const auto queries = model.encode(texts("queries"), {.role = TextRole::query});
      const auto documents = model.encode(texts("documents"));
      for (std::size_t i = 0; i < queries.size(); ++i) {
        EXPECT_EQ(queries[i].ids.size(), static_cast<std::size_t>(queries[i].vectors.dim(0)));
        EXPECT_LE(
            max_abs_difference(queries[i].vectors, wanted.tensor("query." + std::to_string(i))),
            tolerance)
            << i;
      }
      for (std::size_t i = 0; i < documents.size(); ++i) {
        EXPECT_LE(max_abs_difference(documents[i].vectors,
                                     wanted.tensor("document." + std::to_string(i))),
                  tolerance)
            << i;
      }
      EXPECT_LE(max_abs_difference(model.similarity(queries, documents), wanted.tensor("scores")),
                5 * tolerance);
    }
  }
}

TEST(MultiVectorEncoder, RanksByItsScores) {
  const auto model = MultiVectorEncoder::from_pretrained(directory("colbert_stanford"));
  const auto scores = testing::elements<float>(golden("colbert_stanford").tensor("scores"));
  const auto documents = texts("documents");
  const auto ranked = model.rank(texts("queries").front(), documents);
  ASSERT_EQ(ranked.size(), documents.size());
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    EXPECT_NEAR(ranked[i].score, scores[ranked[i].index], 5 * tolerance);
    if (i > 0) {
      EXPECT_GE(ranked[i - 1].score, ranked[i].score);
    }
  }
  EXPECT_EQ(model.rank("a", documents, {.top_k = 2}).size(), 2U);
  EXPECT_THROW(static_cast<void>(model.rank("a", documents, {.top_k = -1})), ArgumentError);
}

TEST(MultiVectorEncoder, ReadsWhatItsFilesSay) {
  const auto stanford = MultiVectorEncoder::from_pretrained(directory("colbert_stanford"));
  EXPECT_EQ(stanford.max_length(TextRole::query), 16);
  EXPECT_EQ(stanford.max_length(TextRole::document), 20);
  EXPECT_EQ(stanford.dimension(), 8);
  EXPECT_TRUE(stanford.expands_queries());
  EXPECT_FALSE(stanford.means());
  EXPECT_EQ(stanford.prompts().prompts.at("query"), "[unused0] ");
  EXPECT_TRUE(MultiVectorEncoder::from_pretrained(directory("colbert_native")).means());
  EXPECT_EQ(text_role_from("query"), TextRole::query);
  EXPECT_THROW(static_cast<void>(text_role_from("passage")), ArgumentError);
}

// PyLate's first directories do not state their type: no Pooling, but a Dense, tells.
TEST(MultiVectorEncoder, PyLatesDirectoryNeedsNoType) {
  const Copy copy("colbert_pylate");
  auto settings =
      nlohmann::json::parse(files::read_text(copy.root() / "config_sentence_transformers.json"));
  settings.erase("model_type");
  copy.write("config_sentence_transformers.json", settings);
  const auto model = MultiVectorEncoder::from_pretrained(copy.root());
  const auto documents = model.encode(texts("documents"));
  const auto wanted = golden("colbert_pylate");
  for (std::size_t i = 0; i < documents.size(); ++i) {
    EXPECT_LE(
        max_abs_difference(documents[i].vectors, wanted.tensor("document." + std::to_string(i))),
        tolerance);
  }
}

TEST(MultiVectorEncoder, WhatItCannotHonourIsRefusedByItsName) {
  const auto load = [](const Copy& copy) {
    return refusal([&] { static_cast<void>(MultiVectorEncoder::from_pretrained(copy.root())); });
  };
  using Json = nlohmann::json;
  const auto expansion = [](const Json& value) { return Json{{"query_expansion", value}}; };
  const std::vector<std::tuple<const char*, Json, const char*>> cases{
      {"sentence_bert_config.json", expansion({{"strategy", "fixed"}}), "length"},
      {"sentence_bert_config.json", expansion({{"strategy", "some"}, {"length", 4}}), "some"},
      {"sentence_bert_config.json", expansion({{"strategy", "fixed"}, {"length", 0}}), "length"},
      {"sentence_bert_config.json", expansion({{"strategy", "fixed"}, {"length", 1 << 30}}),
       "the model reads 40"},
      {"sentence_bert_config.json",
       expansion({{"strategy", "fixed"}, {"length", 9}, {"token", "[none]"}}), "[none]"},
      {"sentence_bert_config.json", expansion({{"strategy", "fixed"}, {"length", 9}, {"x", 1}}),
       "\"x\""},
      {"sentence_bert_config.json", {{"query_length", 5}}, "query_length"},
      {"sentence_bert_config.json", {{"document_length", 0}}, "document_length"},
      {"1_Dense/config.json", {{"module_input_name", "sentence_embedding"}}, "module_input_name"},
      {"1_Dense/config.json", {{"out_features", 999999999}}, "out_features"},
      {"2_MultiVectorMask/config.json", {{"skiplist_words", 7}}, "skiplist_words"},
      {"2_MultiVectorMask/config.json", {{"keep_only_token_ids", {-1}}}, "keep_only_token_ids"}};
  for (const auto& [file, fields, name] : cases) {
    const Copy copy("colbert_native");
    copy.change(file, fields);
    EXPECT_THAT(load(copy), HasSubstr(name)) << file << fields;
  }
  const Copy pooled("colbert_native");
  auto list = Json::parse(files::read_text(pooled.root() / "modules.json"));
  list.push_back({{"path", "4"}, {"type", "sentence_transformers.x.HierarchicalTokenPooling"}});
  pooled.write("modules.json", list);
  EXPECT_THAT(load(pooled), HasSubstr("HierarchicalTokenPooling"));
  const Copy stanford("colbert_stanford");
  stanford.write("artifact.metadata", {{"query_maxlen", -4}});
  EXPECT_THAT(load(stanford), HasSubstr("query_maxlen"));
  stanford.write("artifact.metadata", {{"similarity", "l2"}});
  EXPECT_THAT(load(stanford), HasSubstr("similarity"));
  EXPECT_THAT(
      refusal([] {
        static_cast<void>(MultiVectorEncoder::from_pretrained(golden_directory("bare_odd")));
      }),
      HasSubstr("token by token"));
  EXPECT_THAT(
      refusal([] {
        static_cast<void>(SentenceTransformer::from_pretrained(directory("colbert_native")));
      }),
      HasSubstr("MultiVectorEncoder"));
  EXPECT_THAT(
      refusal([] {
        static_cast<void>(SentenceTransformer::from_pretrained(directory("colbert_stanford")));
      }),
      AllOf(HasSubstr("HF_ColBERT"), HasSubstr("cloze encode, similarity and rank")));
}

TEST(SearchEncoders, ConvertedOnesComputeTheSame) {
  const auto documents = texts("documents");
  for (const auto* name : {"splade_max", "splade_sum", "splade_electra"}) {
    SCOPED_TRACE(name);
    const testing::TempDirectory folder;
    static_cast<void>(convert_model(directory(name).string(), folder / "m"));
    EXPECT_EQ(max_abs_difference(
                  SparseEncoder::from_pretrained(folder / "m").encode(documents).to_dense(),
                  SparseEncoder::from_pretrained(directory(name)).encode(documents).to_dense()),
              0);
  }
  for (const auto* name : {"colbert_native", "colbert_pylate", "colbert_stanford"}) {
    SCOPED_TRACE(name);
    const testing::TempDirectory folder;
    static_cast<void>(convert_model(directory(name).string(), folder / "m"));
    const auto converted = MultiVectorEncoder::from_pretrained(folder / "m");
    const auto original = MultiVectorEncoder::from_pretrained(directory(name));
    const auto ours = converted.encode(documents), theirs = original.encode(documents);
    for (std::size_t i = 0; i < documents.size(); ++i) {
      EXPECT_EQ(max_abs_difference(ours[i].vectors, theirs[i].vectors), 0);
    }
  }
}

TEST(SearchEncoders, InfoTellsWhatTheyAre) {
  EXPECT_THAT(model_info(directory("splade_sum").string()).sentence_pooling,
              AllOf(HasSubstr("weights of words"), HasSubstr("20 greatest")));
  EXPECT_THAT(model_info(directory("colbert_stanford").string()).sentence_pooling,
              HasSubstr("token by token"));
  EXPECT_THAT(model_info(directory("dpr_context").string()).sentence_pooling, HasSubstr("cls"));
  EXPECT_EQ(vector_kind(directory("dpr_context")), VectorKind::sentence);
  EXPECT_EQ(vector_kind(directory("splade_max")), VectorKind::sparse);
  EXPECT_EQ(vector_kind(directory("colbert_pylate")), VectorKind::multi_vector);
  EXPECT_EQ(vector_kind(golden_directory("bare_odd")), VectorKind::tokens);
}

}  // namespace
}  // namespace cloze
