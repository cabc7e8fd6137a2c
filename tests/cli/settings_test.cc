// Settings of sentence-transformers' directories, through the command: on small models, and on
// all-MiniLM-L6-v2 where it is there, against what sentence-transformers 6.2 computes.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cli/run_command.h"
#include "sentence/sentence_model.h"

namespace cloze::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json first_line(const Finished& finished) {
  expect_success(finished);
  return finished.code == 0 ? json_lines(finished.out).at(0) : json();
}

json encoded(const std::string& model, const std::vector<std::string>& further) {
  std::vector<std::string> words{"encode", "--model", model, "--json"};
  words.insert(words.end(), further.begin(), further.end());
  return first_line(cloze_command(words))["embedding"];
}

/// A copy of all-MiniLM-L6-v2, whose weights are a link.
class MiniLmCopy : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto model = minilm();
    if (model.empty()) GTEST_SKIP() << "all-MiniLM-L6-v2 is not in the model cache";
    const std::filesystem::path from(model);
    std::filesystem::create_directory(root() / "1_Pooling");
    for (const auto* name : {"config.json", "modules.json", "tokenizer.json",
                             "tokenizer_config.json", "vocab.txt", "1_Pooling/config.json"}) {
      std::filesystem::copy_file(from / name, root() / name);
    }
    std::filesystem::create_symlink(from / "model.safetensors", root() / "model.safetensors");
  }

  void edit(const std::string& name, const std::function<void(json&)>& change) const {
    auto content = json::parse(read_file(root() / name));
    change(content);
    folder_.write(name, content.dump());
  }

  void expect_begins(const json& embedding, const std::vector<double>& expected) const {
    ASSERT_EQ(embedding.size(), 384U);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(embedding[i].get<double>(), expected[i], 6e-6) << i;  // five digits are known
    }
  }

  static std::string words(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += "cat ";
    return text;
  }

  [[nodiscard]] const std::filesystem::path& root() const { return folder_.path(); }
  TempDirectory folder_;
};

TEST_F(MiniLmCopy, DefaultPromptsAndPoolingWithoutThem) {
  const auto model = root().string();
  const std::vector<double> plain{-0.06277, 0.05496, 0.05216};
  expect_begins(encoded(model, {"hello"}), plain);
  folder_.write("config_sentence_transformers.json",
                R"({"prompts": {"query": "query: "}, "default_prompt_name": "query"})");
  expect_begins(encoded(model, {"hello"}), {0.03085, 0.07502, 0.00909});
  expect_begins(encoded(model, {"--prompt", "", "hello"}), plain);
  edit("1_Pooling/config.json", [](json& config) { config["include_prompt"] = false; });
  expect_begins(encoded(model, {"hello"}), {0.00619, 0.06501, 0.03065});
  expect_begins(encoded(model, {"--prompt-name", "query", "hello"}), {0.00619, 0.06501, 0.03065});
}

TEST_F(MiniLmCopy, TheTokenizersLimit) {
  folder_.write("sentence_bert_config.json",
                R"({"transformer_task": "feature-extraction", "module_output_name":
                    "token_embeddings", "modality_config": {"text": {"method": "forward",
                    "method_output_name": "last_hidden_state"}}})");
  edit("tokenizer_config.json", [](json& config) { config["model_max_length"] = 256; });
  for (const int count : {300, 600}) {
    expect_begins(encoded(root().string(), {words(count)}), {0.00412, -0.04565, 0.02095});
  }
}

TEST_F(MiniLmCopy, LowerCaseBeforeACasedTokenizer) {
  edit("tokenizer_config.json", [](json& config) { config["do_lower_case"] = false; });
  edit("tokenizer.json", [](json& file) { file["normalizer"]["lowercase"] = false; });
  folder_.write("sentence_bert_config.json", R"({"max_seq_length": 256, "do_lower_case": true})");
  expect_begins(encoded(root().string(), {"HELLO"}), {-0.06277, 0.05496, 0.05216});
}

TEST(SettingsCommands, Encode) {
  const SentenceModel model;
  model.write("config_sentence_transformers.json", R"({"prompts": {"query": "a dog "}})");
  const auto prompted = encoded(model.path(), {"a dog the dogs"});
  EXPECT_EQ(encoded(model.path(), {"--prompt-name", "query", "the dogs"}), prompted);
  EXPECT_EQ(encoded(model.path(), {"--prompt", "a dog ", "the dogs"}), prompted);
  const auto first = encoded(model.path(), {"--dimensions", "3", "a dog the dogs"});
  EXPECT_EQ(first, json(std::vector<json>(prompted.begin(), prompted.begin() + 3)));
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"encode", "--model", model.path()});
    return cloze_command(words);
  };
  expect_failure(run({"--prompt-name", "passage", "a"}), 2, {"\"passage\"", "it has query"});
  expect_failure(run({"--prompt-name", "query", "--prompt", "x", "a"}), 2, {"--prompt"});
  expect_failure(run({"--pooling", "none", "--prompt", "x", "a"}), 2, {"pooling"});
  expect_failure(run({"--pooling", "none", "--dimensions", "3", "a"}), 2, {"--dimensions"});
  expect_failure(run({"--dimensions", "0", "a"}), 2, {"--dimensions"});
}

TEST(SettingsCommands, SimilarityByTheModelsFunction) {
  const SentenceModel model;
  const auto score = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"similarity", "--model", model.path(), "--json"});
    return first_line(cloze_command(words))["score"].get<double>();
  };
  const auto a = encoded(model.path(), {"the dogs"}), b = encoded(model.path(), {"a b c"});
  double dot = 0, manhattan = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i].get<double>(), y = b[i].get<double>();
    dot += x * y;
    manhattan -= std::abs(x - y);
  }
  EXPECT_NEAR(score({"--function", "dot", "the dogs\ta b c"}), dot, 1e-4);
  model.write("config_sentence_transformers.json",
              R"({"similarity_fn_name": "manhattan", "prompts": {"q": "a ", "d": "the "}})");
  EXPECT_NEAR(score({"the dogs\ta b c"}), manhattan, 1e-4);
  EXPECT_NEAR(score({"--query", "b c", "--prompt-name", "q", "--text-prompt-name", "d", "dogs"}),
              manhattan, 1e-4);
  expect_failure(
      cloze_command({"similarity", "--model", model.path(), "--function", "maxsim", "a\tb"}), 2,
      {"maxsim", "euclidean"});
  expect_failure(
      cloze_command({"similarity", "--model", model.path(), "--text-prompt", "x", "a\tb"}), 2,
      {"--query"});
}

TEST(SettingsCommands, WarningsGoToStandardErrorOnce) {
  const SentenceModel model;
  model.write("sentence_bert_config.json", R"({"glue": true})");
  const auto finished = cloze_command({"encode", "--model", model.path(), "--json", "a", "b"});
  EXPECT_EQ(finished.code, 0);
  EXPECT_EQ(json_lines(finished.out).size(), 2U);
  EXPECT_THAT(finished.err, ::testing::StartsWith("warning: "));
  EXPECT_THAT(finished.err, HasSubstr("glue"));
  EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1);
}

TEST(SettingsCommands, FineTuningAndConversionKeepPrompts) {
  const SentenceModel model;
  model.write("config_sentence_transformers.json",
              R"({"prompts": {"query": "a dog "}, "default_prompt_name": "query"})");
  const TempDirectory folder;
  const auto pairs = folder.write("pairs.tsv", "the dogs\ta dog\t0.9\na b\tc d\t0.1\n").string();
  const auto trained = (folder / "trained").string(), converted = (folder / "converted").string();
  const auto finished = cloze_command({"finetune", "--task", "sentence-embedding", "--model",
                                       model.path(), "--train", pairs, "--dev", pairs, "--output",
                                       trained, "--epochs", "1", "--batch-size", "2"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  ASSERT_EQ(cloze_command({"convert", trained, converted}).code, 0);
  for (const auto& directory : {trained, converted}) {
    const auto prompted = encoded(directory, {"the dogs"});
    EXPECT_EQ(prompted, encoded(directory, {"--prompt", "", "a dog the dogs"}));
    EXPECT_NE(prompted, encoded(directory, {"--prompt", "", "the dogs"}));
  }
}

TEST(SettingsCommands, FineTuningKeepsACrossEncodersActivation) {
  const TempDirectory folder;
  const auto model = folder / "model", trained = folder / "trained";
  std::filesystem::copy(golden_model("bare_odd"), model);
  write_file(model / "config_sentence_transformers.json",
             R"({"model_type": "CrossEncoder", "prompts": {"query": "a "},
                 "activation_fn": "torch.nn.modules.activation.Tanh"})");
  const auto rows = folder.write("r.tsv", "query\tcandidate\tlabel\na\tb\t1\na\tc\t0\n").string();
  const auto finished =
      cloze_command({"finetune", "--task", "ranking", "--model", model.string(), "--train", rows,
                     "--output", trained.string(), "--epochs", "1"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const auto config = json::parse(read_file(trained / "config.json"));
  EXPECT_EQ(config["sentence_transformers"]["activation_fn"], "torch.nn.modules.activation.Tanh");
  const auto hit = first_line(cloze_command({"rank", "--model", trained.string(), "--prompt-name",
                                             "query", "--json", "--query", "b", "c"}));
  EXPECT_NEAR(hit["score"].get<double>(), std::tanh(hit["logit"].get<double>()), 1e-6);
}

TEST(SettingsCommands, EvaluateTakesTheDefaultPromptAndRefusesOtherVectors) {
  const SentenceModel model;
  const TempDirectory folder;
  const auto evaluate = [&](const char* rows) {
    return cloze_command({"evaluate", "--model", model.path(), "--task", "sentence-embedding",
                          "--data", folder.write("pairs.tsv", rows).string()});
  };
  const auto prompted =
      evaluate("a dog the\ta dog dogs\t0.9\na dog a\ta dog b c\t0.2\na dog c\ta dog dogs .\t0.5\n");
  expect_success(prompted);
  model.write("config_sentence_transformers.json",
              R"({"prompts": {"query": "a dog "}, "default_prompt_name": "query"})");
  EXPECT_EQ(evaluate("the\tdogs\t0.9\na\tb c\t0.2\nc\tdogs .\t0.5\n").out, prompted.out);
  model.write("1_Pooling/config.json", R"({"pooling_mode": "cls"})");
  expect_failure(evaluate("the\tdogs\t0.9\na\tb c\t0.2\n"), 1, {"another pooling"});
}

TEST(SettingsCommands, InfoTellsWhatIsHonoured) {
  const SentenceModel model({"1_Pooling", "2_Normalize"});
  model.write("config_sentence_transformers.json",
              R"({"prompts": {"query": "q: "}, "default_prompt_name": "query",
                  "similarity_fn_name": "dot", "truncate_dim": 8, "colour": "red"})");
  model.write("sentence_bert_config.json", R"({"max_seq_length": 7, "do_lower_case": true})");
  const auto info = json::parse(cloze_command({"info", "--model", model.path(), "--json"}).out);
  std::map<std::string, std::pair<json, json>> settings;
  for (const auto& each : info["settings"]) {
    settings[each["name"]] = {each["value"], each["from"]};
  }
  const std::string whole = "config_sentence_transformers.json", bert = "sentence_bert_config.json";
  using Stated = std::pair<json, json>;
  EXPECT_EQ(settings["prompt query"], Stated("\"q: \"", whole));
  EXPECT_EQ(settings["default prompt"], Stated("query", whole));
  EXPECT_EQ(settings["limit"], Stated("7 tokens", bert));
  EXPECT_EQ(settings["pooling"], Stated("mean", "modules.json"));
  EXPECT_EQ(settings["normalization"], Stated("length 1", "modules.json"));
  EXPECT_EQ(settings["dimensions"], Stated("the first 8", whole));
  EXPECT_EQ(settings["similarity"], Stated("dot", whole));
  EXPECT_TRUE(settings.contains("lower case"));
  EXPECT_THAT(info["warnings"].dump(), HasSubstr("colour"));
  EXPECT_EQ(info["tokenizer"]["decided_by"], "tokenizer_config.json");
  const auto readable = cloze_command({"info", "--model", model.path()});
  expect_success(readable);
  for (const auto* part : {"prompt query", "\"q: \"", "7 tokens (sentence_bert_config.json)",
                           "colour", "dot (config_sentence_transformers.json)"}) {
    EXPECT_THAT(readable.out, HasSubstr(part));
  }
}

}  // namespace
}  // namespace cloze::testing
