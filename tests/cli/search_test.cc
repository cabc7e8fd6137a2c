// `cloze similarity` and `cloze rank` on models of queries and documents: the scores are the library's, which
// tests/pipelines/search_encoders_test.cc holds against sentence-transformers.
#include <map>
#include <string>
#include <vector>

#include "cli/run_command.h"
#include "cloze/multi_vector_encoder.h"
#include "cloze/sparse_encoder.h"
#include "goldens/golden.h"

namespace cloze::testing {
namespace {

using nlohmann::json;

const std::vector<std::string> kQueries{"who wrote the cat?", "Dog"};
const std::vector<std::string> kDocuments{"The cat sat on the mat.", "dog!", "sat"};

std::string lines(const std::vector<std::string>& texts) {
  std::string joined;
  for (const auto& text : texts) joined += text + '\n';
  return joined;
}

std::string model_of(const std::string& name) {
  return (golden_directory("search") / name).string();
}

std::vector<json> asked(std::vector<std::string> words, const std::string& input) {
  words.emplace_back("--json");
  const auto finished = cloze_command(words, {.input = input});
  expect_success(finished);
  return json_lines(finished.out);
}

/// What is ranked for each query of a file, by query and text: their scores.
std::map<std::pair<std::size_t, std::size_t>, double> ranked(const std::string& model) {
  const TempDirectory folder;
  const auto queries = folder.write("queries.txt", lines(kQueries));
  std::map<std::pair<std::size_t, std::size_t>, double> scores;
  for (const auto& found : asked({"similarity", "--model", model, "--query-file", queries.string()},
                                 lines(kDocuments))) {
    scores[{found["query"].get<std::size_t>(), found["index"].get<std::size_t>()}] =
        found["score"].get<double>();
  }
  return scores;
}

std::vector<double> paired(const std::string& model) {
  std::string pairs;
  for (const auto& query : kQueries) {
    for (const auto& document : kDocuments) pairs += query + '\t' + document + '\n';
  }
  std::vector<double> scores;
  for (const auto& found : asked({"similarity", "--model", model}, pairs)) {
    scores.push_back(found["score"].get<double>());
  }
  return scores;
}

void expect_scores(const std::string& model, const Tensor& wanted) {
  const auto by_query = ranked(model);
  const auto by_pair = paired(model);
  ASSERT_EQ(by_query.size(), kQueries.size() * kDocuments.size());
  ASSERT_EQ(by_pair.size(), by_query.size());
  for (std::size_t q = 0; q < kQueries.size(); ++q) {
    for (std::size_t d = 0; d < kDocuments.size(); ++d) {
      const auto at = q * kDocuments.size() + d;
      const double expected = wanted.values<float>()[at];
      EXPECT_NEAR(by_query.at({q, d}), expected, 1e-5) << q << ' ' << d;
      EXPECT_NEAR(by_pair[at], expected, 1e-5) << q << ' ' << d;
    }
  }
}

TEST(SimilarityCommand, ComparesWeightsOfWords) {
  for (const auto* name : {"splade_max", "splade_sum", "splade_electra"}) {
    SCOPED_TRACE(name);
    const auto model = SparseEncoder::from_pretrained(model_of(name));
    expect_scores(model_of(name),
                  model.similarity(model.encode(kQueries), model.encode(kDocuments)));
  }
  const auto cosine = SparseEncoder::from_pretrained(model_of("splade_max"),
                                                     {.similarity_fn = SimilarityFunction::cosine});
  const auto score = asked({"similarity", "--model", model_of("splade_max"), "--function", "cosine",
                            kQueries[0], kDocuments[0]},
                           "");
  const std::vector<std::string> query{kQueries[0]}, document{kDocuments[0]};
  const auto expected = cosine.similarity(cosine.encode(query), cosine.encode(document));
  EXPECT_NEAR(score.at(0)["score"].get<double>(), expected.values<float>()[0], 1e-5);
}

TEST(SimilarityCommand, ComparesTokenByToken) {
  for (const auto* name : {"colbert_native", "colbert_pylate", "colbert_stanford"}) {
    SCOPED_TRACE(name);
    const auto model = MultiVectorEncoder::from_pretrained(model_of(name));
    const auto queries = model.encode(kQueries, {.role = TextRole::query});
    const auto documents = model.encode(kDocuments);
    const auto scores = model.similarity(queries, documents);
    expect_scores(model_of(name), scores);
    // What `rank` says is the same.
    const auto found =
        asked({"rank", "--model", model_of(name), "--query", kQueries[0]}, lines(kDocuments));
    ASSERT_EQ(found.size(), kDocuments.size());
    for (const auto& each : found) {
      const auto at = each["index"].get<std::size_t>();
      EXPECT_NEAR(each["score"].get<double>(), scores.values<float>()[at], 1e-5);
      EXPECT_FALSE(each.contains("logit"));
    }
  }
}

TEST(SimilarityCommand, RefusesWhatSuchModelsDoNotHave) {
  const auto run = [](const std::string& name, std::vector<std::string> words) {
    words.insert(words.begin(), {"similarity", "--model", model_of(name)});
    return cloze_command(words);
  };
  expect_failure(run("colbert_native", {"--function", "dot", "a\tb"}), 2, {"--function", "MaxSim"});
  expect_failure(run("colbert_native", {"--dimensions", "3", "a\tb"}), 2, {"--dimensions"});
  expect_failure(run("splade_max", {"--dimensions", "3", "a\tb"}), 2, {"--dimensions"});
  expect_failure(run("splade_max", {"--function", "maxsim", "a\tb"}), 2, {"maxsim"});
  expect_failure(run("splade_max", {"--prompt-name", "none", "a\tb"}), 2, {"none"});
  expect_failure(cloze_command({"rank", "--model", model_of("splade_max"), "--activation",
                                "sigmoid", "--query", "a", "b"}),
                 2, {"--activation", "cross-encoder"});
}

}  // namespace
}  // namespace cloze::testing
