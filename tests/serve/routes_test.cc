// The whole server over sockets, with small models: every route, its errors, its headers, and that an
// answer does not depend on what else is being served.
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/similarity.h"
#include "core/temp_directory.h"
#include "goldens/golden.h"
#include "serve/raw_client.h"
#include "serve/run/server.h"

namespace cloze::serve {
namespace {

using cloze::testing::Answer;
using cloze::testing::golden_directory;
using cloze::testing::RawClient;
using cloze::testing::TempDirectory;
using nlohmann::json;
using ::testing::HasSubstr;

/// A server of these models, on its own thread.
class Running {
 public:
  explicit Running(const std::map<std::string, std::filesystem::path>& models,
                   ServerOptions options = {}) {
    for (const auto& [name, directory] : models) {
      options.models.push_back({.name = name, .given = "org/" + name, .directory = directory});
    }
    options.port = 0;
    options.log = LogFormat::none;
    server_ = std::make_unique<Server>(options);
    thread_ = std::thread([this] { clean = server_->run(false); });
  }
  ~Running() { end(); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  Running(Running&&) = delete;
  Running& operator=(Running&&) = delete;

  void end() {
    server_->shutdown();
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] RawClient client() const { return RawClient(server_->port()); }
  [[nodiscard]] const Server& server() const { return *server_; }

  /// The answer's JSON; the status must be `status`.
  [[nodiscard]] json post(const std::string& path, const json& body, int status = 200) const {
    const auto answer = client().post(path, body.dump());
    EXPECT_EQ(answer.status, status) << path << " " << body << " " << answer.body;
    EXPECT_EQ(answer.headers.at("content-type"), "application/json");
    return json::parse(answer.body);
  }

  bool clean = false;

 private:
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

/// A classifier of three labels, an NLI model.
std::filesystem::path inference_model(const TempDirectory& folder) {
  const auto copy = folder / "nli";
  std::filesystem::copy(golden_directory("sequence_3_labels"), copy);
  auto config = json::parse(cloze::testing::read_file(copy / "config.json"));
  config.erase("label2id");
  config["id2label"] = {{"0", "contradiction"}, {"1", "entailment"}, {"2", "neutral"}};
  cloze::testing::write_file(copy / "config.json", config.dump());
  return copy;
}

/// The same with one output: a cross-encoder.
std::filesystem::path ranking_model(const TempDirectory& folder) {
  const auto copy = folder / "rank";
  std::filesystem::copy(golden_directory("sequence_3_labels"), copy);
  auto config = json::parse(cloze::testing::read_file(copy / "config.json"));
  config.erase("label2id");
  config["id2label"] = {{"0", "LABEL_0"}};
  cloze::testing::write_file(copy / "config.json", config.dump());
  TensorMap tensors;
  {
    const auto source = Checkpoint::open(copy);
    for (const auto& name : source.names()) {
      auto tensor = source.tensor(name);
      if (name.starts_with("classifier.")) tensor = tensor.rows(0, 1);
      tensors.emplace(name, tensor);
    }
    save_safetensors(copy / "other.safetensors", tensors);
  }
  std::filesystem::rename(copy / "other.safetensors", copy / "model.safetensors");
  return copy;
}

/// One server of every kind of model for all tests of routes.
class Routes : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TempDirectory>();
    server_ = std::make_unique<Running>(std::map<std::string, std::filesystem::path>{
        {"encoder", golden_directory("bare_odd")},
        {"tagger", golden_directory("token_5_layers")},
        {"reader", golden_directory("question_legacy_names")},
        {"filler", golden_directory("masked_lm_untied")},
        {"nli", inference_model(*folder_)},
        {"ranker", ranking_model(*folder_)},
        {"sparse", golden_directory("search/splade_max")}});
  }
  static void TearDownTestSuite() {
    server_ = nullptr;
    folder_ = nullptr;
  }
  static json post(const std::string& path, const json& body, int status = 200) {
    return server_->post(path, body, status);
  }

  static std::unique_ptr<TempDirectory> folder_;
  static std::unique_ptr<Running> server_;
};
std::unique_ptr<TempDirectory> Routes::folder_;
std::unique_ptr<Running> Routes::server_;

std::vector<float> floats(const json& list) { return list.get<std::vector<float>>(); }

std::vector<float> row(const Tensor& matrix, std::size_t index) {
  const auto columns = static_cast<std::size_t>(matrix.dim(1));
  const auto values = matrix.values<float>().subspan(index * columns, columns);
  return {values.begin(), values.end()};
}

TEST_F(Routes, VectorsAreThoseOfTheLibraryToTheBit) {
  const auto raw = SentenceTransformer::from_pretrained(golden_directory("bare_odd"));
  const auto unit =
      SentenceTransformer::from_pretrained(golden_directory("bare_odd"), {.normalize = true});
  const std::vector<std::string> texts{"hello world", "", "a b"};
  const auto body = json{{"inputs", texts}};
  const auto embedded = post("/embed", body);
  auto plain = body;
  plain["normalize"] = false;
  const auto as_they_are = post("/embed", plain);
  ASSERT_EQ(embedded.size(), 3U);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(floats(embedded[i]), row(unit.encode(texts), i));
    EXPECT_EQ(floats(as_they_are[i]), row(raw.encode(texts), i));
  }
  EXPECT_EQ(post("/pipeline/feature-extraction", body), embedded);
  EXPECT_EQ(post("/models/encoder", body), embedded);
  EXPECT_EQ(post("/models/org/encoder/pipeline/feature-extraction", body), embedded);
  // By ids, special tokens as they are.
  const auto ids = raw.tokenizer().encode(texts[0]).ids;
  EXPECT_EQ(post("/embed", {{"inputs", ids}})[0], embedded[0]);
  EXPECT_EQ(post("/embed", {{"inputs", {ids, texts[2]}}})[1], embedded[2]);
}

TEST_F(Routes, DimensionsAreCutThenNormalized) {
  const auto raw = SentenceTransformer::from_pretrained(golden_directory("bare_odd"));
  const std::vector<std::string> texts{"hello world"};
  const auto whole = raw.encode(texts);
  auto first = Tensor::from<float>({1, 5}, whole.values<float>().first(5));
  normalize(first);
  EXPECT_EQ(floats(post("/embed", {{"inputs", texts[0]}, {"dimensions", 5}})[0]), row(first, 0));
  EXPECT_THAT(post("/embed", {{"inputs", "a"}, {"dimensions", 0}}, 422)["error"].get<std::string>(),
              HasSubstr("`dimensions`"));
  EXPECT_EQ(post("/embed", {{"inputs", "a"}, {"dimensions", 25}}, 422)["error_type"], "Validation");
}

TEST_F(Routes, OpenAisEmbeddings) {
  const auto answer = post("/v1/embeddings", {{"input", {"a", "b"}}, {"model", "encoder"}});
  EXPECT_EQ(answer["object"], "list");
  EXPECT_EQ(answer["data"][1]["index"], 1);
  EXPECT_EQ(answer["data"][0]["embedding"], post("/embed", {{"inputs", "a"}})[0]);
  EXPECT_EQ(answer["model"], "encoder");
  EXPECT_EQ(answer["usage"]["prompt_tokens"], 6);
  const auto coded = post("/embeddings", {{"input", "a"}, {"encoding_format", "base64"}});
  EXPECT_EQ(coded["data"][0]["embedding"].get<std::string>().size(), 128U);  // of 24 f32
  EXPECT_EQ(post("/v1/embeddings", {{"input", "a"}, {"model", "x"}}, 404)["error"]["code"],
            "model_not_found");
  const auto wrong = post("/v1/embeddings", {{"input", {83923}}}, 400);
  EXPECT_EQ(wrong["error"]["param"], "input");
  EXPECT_THAT(wrong["error"]["message"].get<std::string>(), HasSubstr("vocabulary"));
  EXPECT_EQ(post("/v1/embeddings", {{"input", json::array()}}, 400)["error"]["type"],
            "invalid_request_error");
  EXPECT_EQ(post("/v1/embeddings", {{"input", "a"}, {"model", "tagger"}}, 400)["error"]["param"],
            "model");
}

TEST_F(Routes, TokenVectorsSimilarityAndSparseVectors) {
  const auto extract = FeatureExtractionPipeline::from_pretrained(golden_directory("bare_odd"));
  const std::vector<std::string> texts{"hello world"};
  const auto features = extract(texts)[0].vectors;
  const auto all = post("/embed_all", {{"inputs", texts}});
  ASSERT_EQ(all[0].size(), static_cast<std::size_t>(features.dim(0)));
  for (std::size_t i = 0; i < all[0].size(); ++i) EXPECT_EQ(floats(all[0][i]), row(features, i));

  const auto alike =
      post("/similarity", {{"inputs", {{"source_sentence", "a b"}, {"sentences", {"a b", "c"}}}}});
  ASSERT_EQ(alike.size(), 2U);
  EXPECT_NEAR(alike[0].get<double>(), 1, 1e-6);
  EXPECT_EQ(post("/", {{"inputs", {{"source_sentence", "a b"}, {"sentences", {"a b", "c"}}}},
                       {"model", "encoder"}}),
            alike);

  const auto splade = SparseEncoder::from_pretrained(golden_directory("search/splade_max"));
  const auto expected = splade.encode(texts);
  const auto sparse = post("/embed_sparse", {{"inputs", texts[0]}});
  ASSERT_EQ(sparse[0].size(), expected.indices_of(0).size());
  for (std::size_t i = 0; i < sparse[0].size(); ++i) {
    EXPECT_EQ(sparse[0][i]["index"], expected.indices_of(0)[i]);
    EXPECT_EQ(sparse[0][i]["value"].get<float>(), expected.values_of(0)[i]);
  }
}

TEST_F(Routes, LabelsOfTextsAndPairs) {
  const auto model = TextClassificationPipeline::from_pretrained(folder_->path() / "nli");
  const std::vector<std::string> text{"a b"};
  const std::vector<TextPair> pair{{"a", "b"}};
  const auto expect_same = [](const json& answer, const std::vector<LabelScore>& labels) {
    ASSERT_EQ(answer.size(), labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
      EXPECT_EQ(answer[i]["label"], labels[i].label);
      EXPECT_EQ(answer[i]["score"].get<float>(), static_cast<float>(labels[i].score));
    }
  };
  const auto on = [](json inputs) { return json{{"inputs", std::move(inputs)}, {"model", "nli"}}; };
  expect_same(post("/predict", on("a b")), model(text, {.top_k = 0})[0]);
  expect_same(post("/predict", on({"a", "b"})), model(pair, {.top_k = 0})[0]);
  const auto both = post("/predict", on({{"a b"}, {"a", "b"}}));
  expect_same(both[0], model(text, {.top_k = 0})[0]);
  expect_same(both[1], model(pair, {.top_k = 0})[0]);
  auto raw = on("a b");
  raw["raw_scores"] = true;
  expect_same(post("/predict", raw),
              model(text, {.top_k = 0, .function_to_apply = ScoreFunction::none})[0]);
  EXPECT_EQ(post("/predict", on({{"a", "b", "c"}}), 422)["error_type"], "Validation");

  auto nested = on("a b");
  nested["parameters"] = {{"top_k", 2}, {"function_to_apply", "sigmoid"}};
  const auto answer = post("/pipeline/text-classification", nested);
  ASSERT_EQ(answer.size(), 1U);
  expect_same(answer[0], model(text, {.top_k = 2, .function_to_apply = ScoreFunction::sigmoid})[0]);
  EXPECT_EQ(post("/pipeline/text-classification", on({{{"text", "a"}, {"text_pair", "b"}}, "a b"})),
            both[1].is_array() ? json({both[1], both[0]}) : json());
  nested["parameters"] = {{"function_to_apply", "x"}};
  EXPECT_THAT(post("/pipeline/text-classification", nested, 422)["error"].get<std::string>(),
              HasSubstr("parameters.function_to_apply"));
}

TEST_F(Routes, RanksInFourDialects) {
  const auto encoder = CrossEncoder::from_pretrained(folder_->path() / "rank");
  const std::vector<std::string> documents{"b", "c d", "a b", "b"};
  const auto expected = encoder.rank("a", documents, {.function_to_apply = ScoreFunction::sigmoid});
  const auto expect_same = [&](const json& list, const char* score, std::size_t most = 4) {
    ASSERT_EQ(list.size(), most);
    for (std::size_t i = 0; i < most; ++i) {
      EXPECT_EQ(list[i]["index"], expected[i].index);
      EXPECT_EQ(list[i][score].get<float>(), static_cast<float>(expected[i].score));
    }
  };
  const json texts{{"query", "a"}, {"texts", documents}};
  const json jina{{"query", "a"}, {"documents", documents}};
  expect_same(post("/rerank", texts), "score");
  EXPECT_FALSE(post("/rerank", texts)[0].contains("text"));
  auto wanted = texts;
  wanted["return_text"] = true;
  EXPECT_EQ(post("/rerank", wanted)[0]["text"], documents[expected[0].index]);
  auto top = jina;
  top["top_n"] = 2;
  top["return_documents"] = true;
  const auto answer = post("/v1/rerank", top);
  expect_same(answer["results"], "relevance_score", 2);
  EXPECT_EQ(answer["results"][0]["document"]["text"], documents[expected[0].index]);
  EXPECT_GT(answer["usage"]["total_tokens"].get<int>(), 0);
  expect_same(post("/rerank", jina)["results"], "relevance_score");
  expect_same(post("/v2/rerank", jina)["results"], "relevance_score");
  EXPECT_EQ(post("/v2/rerank", jina)["meta"]["api_version"]["version"], "2");
  auto named = jina;
  named["model"] = "ranker";
  expect_same(post("/", named), "score");
  EXPECT_EQ(post("/rerank", {{"query", "a"}, {"texts", json::array()}}, 400)["error_type"],
            "Empty");
  const auto error = post("/v1/rerank", {{"query", "a"}, {"documents", {1}}}, 400);
  EXPECT_TRUE(error["detail"].is_string());
  EXPECT_EQ(
      post("/rerank", {{"query", "a"}, {"texts", {"b"}}, {"model", "nli"}}, 424)["error_type"],
      "Backend");
}

TEST_F(Routes, CoheresEmbed) {
  const json body{{"model", "encoder"},
                  {"texts", {"a", "b"}},
                  {"input_type", "search_query"},
                  {"embedding_types", {"float", "binary", "ubinary", "base64"}}};
  const auto answer = post("/v2/embed", body);
  const auto& vectors = answer["embeddings"];
  EXPECT_EQ(vectors["float"], post("/embed", {{"inputs", {"a", "b"}}}));
  EXPECT_EQ(vectors["ubinary"][0].size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(vectors["binary"][0][i].get<int>(), vectors["ubinary"][0][i].get<int>() - 128);
    const auto bits = vectors["ubinary"][0][i].get<unsigned>();
    for (std::size_t k = 0; k < 8; ++k) {
      EXPECT_EQ((bits >> (7 - k)) & 1U, vectors["float"][0][i * 8 + k] > 0 ? 1U : 0U);
    }
  }
  EXPECT_EQ(answer["response_type"], "embeddings_by_type");
  auto wrong = body;
  wrong["embedding_types"] = {"int8"};
  EXPECT_EQ(post("/v2/embed", wrong, 400)["error"]["param"], "embedding_types");
}

TEST_F(Routes, EntitiesAnswersMasksAndLabels) {
  const auto tagger =
      TokenClassificationPipeline::from_pretrained(golden_directory("token_5_layers"));
  const std::vector<std::string> texts{"a b c"};
  const auto entities = tagger(texts)[0];
  const auto tagged = post("/pipeline/token-classification", {{"inputs", texts[0]}});
  ASSERT_EQ(tagged.size(), entities.size());
  for (std::size_t i = 0; i < entities.size(); ++i) {
    EXPECT_EQ(tagged[i]["entity_group"], entities[i].label);
    EXPECT_EQ(tagged[i]["score"].get<float>(), static_cast<float>(entities[i].score));
    EXPECT_EQ(tagged[i]["start"], entities[i].offsets.begin);
  }
  const auto each = post("/pipeline/token-classification",
                         {{"inputs", texts}, {"parameters", {{"aggregation_strategy", "none"}}}});
  EXPECT_TRUE(each[0][0].contains("index"));
  EXPECT_EQ(
      post("/pipeline/token-classification",
           {{"inputs", "a"}, {"parameters", {{"aggregation_strategy", "x"}}}}, 422)["error_type"],
      "Validation");

  const auto reader =
      QuestionAnsweringPipeline::from_pretrained(golden_directory("question_legacy_names"));
  const std::vector<QuestionContext> asked{{"a b", "c d e a"}};
  const auto answers = reader(asked, {.top_k = 2})[0];
  const json question{{"question", "a b"}, {"context", "c d e a"}};
  const auto one = post("/pipeline/question-answering", {{"inputs", question}});
  EXPECT_EQ(one["answer"], answers[0].text);
  EXPECT_EQ(one["score"].get<float>(), static_cast<float>(answers[0].score));
  const auto two =
      post("/pipeline/question-answering", {{"inputs", question}, {"parameters", {{"top_k", 2}}}});
  EXPECT_EQ(two[1]["answer"], answers[1].text);
  EXPECT_EQ(post("/pipeline/question-answering", {{"inputs", "a"}}, 422)["error_type"],
            "Validation");

  const auto filler = FillMaskPipeline::from_pretrained(golden_directory("masked_lm_untied"));
  const std::vector<std::string> masked{"a [MASK] b"};
  const auto masks = filler(masked, {.top_k = 3})[0];
  const auto filled =
      post("/pipeline/fill-mask", {{"inputs", masked[0]}, {"parameters", {{"top_k", 3}}}});
  ASSERT_EQ(filled.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(filled[i]["token"], masks[0].candidates[i].id);
    EXPECT_EQ(filled[i]["score"].get<float>(), static_cast<float>(masks[0].candidates[i].score));
    EXPECT_EQ(filled[i]["sequence"], masks[0].candidates[i].sequence);
  }
  EXPECT_EQ(post("/pipeline/fill-mask", {{"inputs", "[MASK] [MASK]"}}).size(), 2U);
  EXPECT_THAT(
      post("/pipeline/fill-mask", {{"inputs", {"[MASK]", "a"}}}, 422)["error"].get<std::string>(),
      HasSubstr("input 1"));

  const auto zero = ZeroShotClassificationPipeline::from_pretrained(folder_->path() / "nli");
  const std::vector<std::string> labels{"a", "b", "c"};
  const auto expected = zero(texts, labels)[0];
  const auto scored = post("/pipeline/zero-shot-classification",
                           {{"inputs", texts[0]}, {"parameters", {{"candidate_labels", labels}}}});
  ASSERT_EQ(scored.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(scored[i]["label"], expected[i].label);
    EXPECT_EQ(scored[i]["score"].get<float>(), static_cast<float>(expected[i].score));
  }
  EXPECT_EQ(post("/pipeline/zero-shot-classification",
                 {{"inputs", "a"}, {"parameters", {{"candidate_labels", json::array()}}}},
                 400)["error_type"],
            "Empty");
  EXPECT_EQ(post("/pipeline/summarization", {{"inputs", "a"}}, 404)["error_type"], "Validation");
}

TEST_F(Routes, TokensAndTexts) {
  const auto tokens = post("/tokenize", {{"inputs", "a b"}, {"model", "encoder"}});
  ASSERT_EQ(tokens[0].size(), 4U);
  EXPECT_TRUE(tokens[0][0]["special"]);
  EXPECT_TRUE(tokens[0][0]["start"].is_null());
  EXPECT_EQ(tokens[0][2]["text"], "b");
  EXPECT_EQ(tokens[0][2]["start"], 2);
  EXPECT_EQ(tokens[0][2]["stop"], 3);
  std::vector<int> ids;
  for (const auto& each : tokens[0]) ids.push_back(each["id"]);
  EXPECT_EQ(post("/decode", {{"ids", ids}, {"model", "encoder"}}), json({"a b"}));
  EXPECT_EQ(post("/decode", {{"ids", {ids, ids}}, {"model", "encoder"}}).size(), 2U);
  EXPECT_EQ(post("/decode", {{"ids", {-1}}}, 422)["error_type"], "Validation");
  EXPECT_EQ(post("/decode", {{"ids", {1 << 30}}}, 422)["error_type"], "Validation");
}

TEST_F(Routes, LongTextsAreCutAndToldOf) {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "a ";
  auto client = server_->client();
  const auto cut = client.post("/embed", json{{"inputs", {"a", text}}}.dump());
  EXPECT_EQ(cut.status, 200);
  EXPECT_EQ(cut.headers.at("x-truncated"), "1");
  const auto refused = post("/embed", {{"inputs", {"a", text}}, {"truncate", false}}, 422);
  EXPECT_THAT(refused["error"].get<std::string>(), HasSubstr("input 1 has 2002 tokens"));
  const auto left = post("/embed", {{"inputs", text + "b"}, {"truncation_direction", "Left"}});
  const auto right = post("/embed", {{"inputs", text + "b"}});
  EXPECT_NE(left, right);
  EXPECT_EQ(
      post("/predict", {{"inputs", "a"}, {"truncation_direction", "left"}}, 422)["error_type"],
      "Validation");
}

TEST_F(Routes, WrongRequestsAreToldWhatIsWrong) {
  auto client = server_->client();
  const auto expect = [&](const Answer& answer, int status) {
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_TRUE(json::parse(answer.body)["error"].is_string()) << answer.body;
    EXPECT_FALSE(answer.headers.at("x-request-id").empty());
    return answer;
  };
  expect(client.post("/embed", "{\"inputs\":"), 400);
  expect(client.post("/embed", "{\"inputs\":\"\xFF\"}"), 400);
  expect(client.post("/embed", ""), 400);
  expect(client.post("/embed", "[]"), 422);
  expect(client.post("/embed", "{}"), 422);
  expect(client.post("/embed", R"({"inputs":1.5})"), 422);
  expect(client.post("/embed", R"({"inputs":{"a":1}})"), 422);
  expect(client.post("/embed", R"({"inputs":["a",1]})"), 422);
  expect(client.post("/embed", R"({"inputs":[1.0]})"), 422);
  expect(client.post("/embed", R"({"inputs":[-1]})"), 422);
  expect(client.post("/embed", R"({"inputs":[[]]})"), 400);
  expect(client.post("/embed", R"({"inputs":"a","prompt_name":"x"})"), 422);
  expect(client.post("/embed", R"({"inputs":"a","truncate":"yes"})"), 422);
  expect(client.post("/embed", R"({"inputs":"a","model":1})"), 422);
  expect(server_->client().post("/nothing", "{}"), 404);
  RawClient other = server_->client();
  EXPECT_EQ(expect(other.get("/embed"), 405).headers.at("allow"), "POST");
  EXPECT_EQ(other.exchange("DELETE /embed HTTP/1.1\r\nHost: x\r\n\r\n").status, 405);
  EXPECT_EQ(other.exchange("POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").status,
            415);
  expect(server_->client().post("/embed", "{}", "Content-Encoding: gzip\r\n"), 415);
  json many{{"inputs", json::array()}};
  for (int i = 0; i < 2049; ++i) many["inputs"].push_back("a");
  EXPECT_THAT(expect(client.post("/embed", many.dump()), 422).body,
              HasSubstr("batch size 2049 > maximum allowed batch size 2048"));
  EXPECT_EQ(client.post("/embed", R"({"inputs":"a"})").status, 200);  // the connection lives on
}

TEST_F(Routes, TellsAboutItself) {
  auto client = server_->client();
  EXPECT_EQ(client.get("/health").status, 200);
  EXPECT_EQ(client.get("/").body, "");
  const auto info = json::parse(client.get("/info").body);
  EXPECT_EQ(info["models"].size(), 7U);
  EXPECT_EQ(info["max_client_batch_size"], 2048);
  EXPECT_EQ(info["models"][0]["model_type"]["embedding"]["pooling"], "mean");
  const auto models = json::parse(client.get("/v1/models").body);
  EXPECT_EQ(models["data"].size(), 7U);
  EXPECT_EQ(json::parse(client.get("/v1/models/org%2Ftagger").body)["id"], "tagger");
  EXPECT_EQ(client.get("/v1/models/nothing").status, 404);
  const auto api = json::parse(client.get("/openapi.json").body);
  for (const auto& [path, methods] : api["paths"].items()) {
    if (path.find('{') != std::string::npos) continue;
    const auto get = server_->client().get(path);
    EXPECT_EQ(get.status, methods.contains("get") ? 200 : 405) << path;
    const auto post = server_->client().post(path, "{}");
    EXPECT_EQ(post.status == 405, !methods.contains("post")) << path;
  }
  const auto metrics = client.get("/metrics");
  EXPECT_THAT(metrics.headers.at("content-type"),
              ::testing::StartsWith("text/plain; version=0.0.4"));
  for (const auto* name :
       {"te_request_count{method=\"single\"}", "te_request_duration_bucket{le=\"+Inf\"}",
        "te_queue_size", "cloze_tokens_total{state=\"computed\"}", "process_resident_memory_bytes",
        "cloze_http_responses_total{route=\"/health\",code=\"200\"}"}) {
    EXPECT_THAT(metrics.body, HasSubstr(name));
  }
  const auto answer = client.post("/embed", R"({"inputs":"a"})", "X-Request-Id: mine-1\r\n");
  EXPECT_EQ(answer.headers.at("x-request-id"), "mine-1");
  EXPECT_EQ(answer.headers.at("x-compute-tokens"), "3");
  EXPECT_THAT(answer.headers.at("server-timing"), HasSubstr("inference;dur="));
}

// What the server promises: the same bytes whoever else is being served.
TEST_F(Routes, AnAnswerIsTheSameAmongAThousandOthers) {
  const std::string wanted = R"({"inputs":["hello world","a b c d"],"model":"encoder"})";
  const auto alone = server_->client().post("/embed", wanted).body;
  std::vector<RawClient> others;
  const auto send = [](const RawClient& client, const std::string& path, const std::string& body) {
    client.send("POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  };
  std::vector<RawClient> same;
  for (int i = 0; i < 1000; ++i) {
    others.push_back(server_->client());
    std::string text = "b";
    for (int k = 0; k < i % 17; ++k) text += " a";
    if (i % 10 == 9) {
      send(others.back(), "/pipeline/token-classification", json{{"inputs", text}}.dump());
    } else {
      send(others.back(), "/embed", json{{"inputs", text}}.dump());
    }
    if (i % 50 == 25) {
      same.push_back(server_->client());
      send(same.back(), "/embed", wanted);
    }
  }
  for (auto& client : same) EXPECT_EQ(client.read().body, alone);
  for (auto& client : others) EXPECT_EQ(client.read().status, 200);
}

TEST_F(Routes, ClientsMayLeave) {
  json body{{"inputs", json::array()}};
  for (int i = 0; i < 500; ++i) body["inputs"].push_back("a b c d e f g");
  for (int i = 0; i < 20; ++i) {
    auto client = server_->client();
    const auto text = body.dump();
    client.send(
        "POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " +
        std::to_string(text.size()) + "\r\n\r\n" + text);
  }
  EXPECT_EQ(post("/embed", {{"inputs", "a"}}).size(), 1U);
}

TEST(Server, KeysOpenIt) {
  ServerOptions options;
  options.api_keys = {"secret", "other"};
  options.protect_metrics = true;
  const Running running({{"encoder", golden_directory("bare_odd")}}, options);
  auto client = running.client();
  const std::string body = R"({"inputs":"a"})";
  EXPECT_EQ(client.get("/health").status, 200);
  EXPECT_EQ(client.get("/metrics").status, 401);
  EXPECT_EQ(client.get("/metrics", "Authorization: Bearer other\r\n").status, 200);
  EXPECT_EQ(client.get("/info").status, 401);
  const auto refused = running.client().post("/embed", body);
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.headers.at("www-authenticate"), "Bearer");
  for (const auto* header : {"Authorization: Bearer secret\r\n", "Authorization: secret\r\n",
                             "X-Api-Key: secret\r\n", "api-key: other\r\n"}) {
    EXPECT_EQ(running.client().post("/embed", body, header).status, 200) << header;
  }
  for (const auto* header : {"Authorization: Bearer secre\r\n", "Authorization: Bearer secrets\r\n",
                             "X-Api-Key: \r\n", "Authorization: Basic secret\r\n"}) {
    EXPECT_EQ(running.client().post("/embed", body, header).status, 401) << header;
  }
  EXPECT_EQ(json::parse(running.client().post("/v1/embeddings", "{}").body)["error"]["code"],
            "invalid_api_key");
}

TEST(Server, ALoneModelHasEveryName) {
  const Running running({{"encoder", golden_directory("bare_odd")}});
  EXPECT_EQ(running.post("/v1/embeddings", {{"input", "a"}, {"model", "text-embedding-3-small"}})
                .at("model"),
            "encoder");
  EXPECT_EQ(running.post("/predict", {{"inputs", "a"}}, 424)["error_type"], "Backend");
}

TEST(Server, IsOverloadedRatherThanSlow) {
  ServerOptions options;
  options.scheduler.queue_tokens = 10;
  options.scheduler.batch_tokens = 1;
  options.scheduler.patience = std::chrono::milliseconds(1);
  const Running running({{"encoder", golden_directory("bare_odd")}}, options);
  json body{{"inputs", json::array()}};
  for (int i = 0; i < 300; ++i) body["inputs"].push_back("a b c d e f g");
  const auto text = body.dump();
  std::vector<RawClient> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(running.client());
    clients.back().send(
        "POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " +
        std::to_string(text.size()) + "\r\n\r\n" + text);
  }
  int served = 0, refused = 0;
  for (auto& client : clients) {
    const auto answer = client.read();
    served += answer.status == 200 ? 1 : 0;
    refused += answer.status == 429 ? 1 : 0;
    if (answer.status == 429) {
      EXPECT_GE(std::stoi(answer.headers.at("retry-after")), 1);
    }
  }
  EXPECT_EQ(served + refused, 12);
  EXPECT_GE(served, 1);
  EXPECT_GE(refused, 1);
}

TEST(Server, AnswersWhatItAcceptedBeforeItEnds) {
  auto running = std::make_unique<Running>(
      std::map<std::string, std::filesystem::path>{{"encoder", golden_directory("bare_odd")}});
  json body{{"inputs", json::array()}};
  for (int i = 0; i < 200; ++i) body["inputs"].push_back("a b c d e f g");
  const auto text = body.dump();
  std::vector<RawClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(running->client());
    clients.back().send(
        "POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " +
        std::to_string(text.size()) + "\r\n\r\n" + text);
  }
  running->end();
  EXPECT_TRUE(running->clean);
  for (auto& client : clients) EXPECT_EQ(json::parse(client.read().body).size(), 200U);
}

TEST(Server, RefusesModelsWithoutARoute) {
  EXPECT_THROW(Running({{"m", golden_directory("next_sentence_f16")}}), ModelError);
  EXPECT_THROW(Running({{"m", golden_directory("search/colbert_native")}}), ModelError);
}

}  // namespace
}  // namespace cloze::serve
