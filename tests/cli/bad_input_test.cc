// Input that is not what it should be: one clear line, exit code 1, no crash.
#include "cli/run_command.h"

namespace cloze::testing {
namespace {

/// A copy of a golden model that a test may spoil.
class SpoiltModel {
 public:
  explicit SpoiltModel(std::string_view name = "bare_odd") {
    std::filesystem::copy(golden_model(name), folder_ / "model",
                          std::filesystem::copy_options::recursive);
  }
  [[nodiscard]] std::string path() const { return (folder_ / "model").string(); }
  [[nodiscard]] std::filesystem::path file(std::string_view name) const {
    return folder_ / "model" / name;
  }
  void remove(std::string_view name) const { std::filesystem::remove(file(name)); }
  void set(std::string_view field, const nlohmann::json& value) const {
    auto config = nlohmann::json::parse(read_file(file("config.json")));
    config[std::string(field)] = value;
    write_file(file("config.json"), config.dump());
  }
  /// Replaces the header of the checkpoint by `change` of it.
  template <class Change>
  void change_header(const Change& change) const {
    auto bytes = read_file(file("model.safetensors"));
    std::uint64_t size = 0;
    std::memcpy(&size, bytes.data(), sizeof(size));
    auto header = nlohmann::json::parse(bytes.substr(8, size));
    change(header);
    const auto text = header.dump();
    size = text.size();
    std::string changed(8, '\0');
    std::memcpy(changed.data(), &size, sizeof(size));
    write_file(file("model.safetensors"),
               changed + text + bytes.substr(8 + bytes_of_header(bytes)));
  }

 private:
  static std::size_t bytes_of_header(const std::string& bytes) {
    std::uint64_t size = 0;
    std::memcpy(&size, bytes.data(), sizeof(size));
    return size;
  }
  TempDirectory folder_;
};

Finished encode(const SpoiltModel& model) {
  return cloze_command({"encode", "--model", model.path(), "the dog"});
}

TEST(BadInput, TheCopyItselfIsGood) { expect_success(encode(SpoiltModel())); }

TEST(BadInput, MissingDirectory) {
  for (const auto* command :
       {"info", "tokenize", "encode", "similarity", "fill-mask", "next-sentence"}) {
    if (std::string_view(command) == "info") {
      expect_failure(cloze_command({command, "--model", "/no/such/place"}), 1, {"/no/such/place"});
    } else {
      expect_failure(cloze_command({command, "--model", "/no/such/place", "a\tb"}), 1,
                     {"/no/such/place"});
    }
  }
  expect_failure(cloze_command({"bench", "encode", "--model", "/no/such/place"}), 1,
                 {"/no/such/place"});
}

TEST(BadInput, MissingFiles) {
  for (const auto* name : {"config.json", "model.safetensors"}) {
    const SpoiltModel model;
    model.remove(name);
    expect_failure(encode(model), 1, {name});
    expect_failure(cloze_command({"info", "--model", model.path()}), 1, {name});
  }
  const SpoiltModel model;
  model.remove("vocab.txt");
  expect_failure(encode(model), 1, {"vocab.txt"});
  expect_failure(cloze_command({"tokenize", "--model", model.path(), "a"}), 1, {"vocab.txt"});
  expect_success(cloze_command({"info", "--model", model.path()}));  // and says what is missing
}

TEST(BadInput, TruncatedCheckpoint) {
  const SpoiltModel model;
  const auto bytes = read_file(model.file("model.safetensors"));
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, std::size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    write_file(model.file("model.safetensors"), bytes.substr(0, size));
    expect_failure(encode(model), 1, {"model.safetensors"});
    expect_failure(cloze_command({"info", "--model", model.path()}), 1, {"model.safetensors"});
  }
}

TEST(BadInput, LyingCheckpoint) {
  const auto name = "embeddings.word_embeddings.weight";
  const auto offsets = "data_offsets";
  {
    const SpoiltModel model;  // beyond the file
    model.change_header([&](nlohmann::json& header) {
      header[name][offsets] = {1 << 30, (1 << 30) + 53 * 24 * 4};
    });
    expect_failure(encode(model), 1, {"model.safetensors"});
  }
  {
    const SpoiltModel model;  // overlapping
    model.change_header([&](nlohmann::json& header) { header[name][offsets] = {0, 53 * 24 * 4}; });
    expect_failure(encode(model), 1, {"model.safetensors"});
  }
  {
    const SpoiltModel model;  // a dtype that does not fit the bytes
    model.change_header([&](nlohmann::json& header) { header[name]["dtype"] = "F16"; });
    expect_failure(encode(model), 1, {"model.safetensors", name});
  }
  {
    const SpoiltModel model;  // a header longer than the file
    auto bytes = read_file(model.file("model.safetensors"));
    bytes[6] = '\x7F';
    write_file(model.file("model.safetensors"), bytes);
    expect_failure(encode(model), 1, {"model.safetensors"});
  }
}

TEST(BadInput, ConfigThatDisagreesWithTheTensors) {
  const SpoiltModel model;
  model.set("intermediate_size", 40);
  expect_failure(encode(model), 1, {"intermediate.dense.weight", "[40, 24]", "[37, 24]"});
  const SpoiltModel other;
  other.set("vocab_size", 99);
  expect_failure(encode(other), 1, {"word_embeddings", "[99, 24]", "[53, 24]"});
  expect_failure(cloze_command({"info", "--model", other.path()}), 1,
                 {"word_embeddings", "[99, 24]", "[53, 24]"});
  const SpoiltModel deeper;
  deeper.set("num_hidden_layers", 3);
  expect_failure(encode(deeper), 1, {"encoder.layer.2"});
}

TEST(BadInput, ConfigThatIsNone) {
  const SpoiltModel model;
  write_file(model.file("config.json"), "{\"hidden_size\": ");
  expect_failure(encode(model), 1, {"config.json"});
  const SpoiltModel gpt;
  gpt.set("model_type", "gpt2");
  expect_failure(encode(gpt), 1, {"gpt2"});
  const SpoiltModel heads;
  heads.set("num_attention_heads", 7);
  expect_failure(encode(heads), 1, {"7", "24"});
}

TEST(BadInput, VocabularyLargerThanTheEmbedding) {
  const SpoiltModel model;
  write_file(model.file("vocab.txt"), read_file(model.file("vocab.txt")) + "more\nwords\n");
  expect_failure(encode(model), 1, {"55", "53"});
}

TEST(BadInput, MissingHeadsAndPooler) {
  const auto bare = golden_model("bare_no_pooler").string();
  expect_failure(cloze_command({"fill-mask", "--model", bare, "a [MASK]"}), 1, {"masked"});
  expect_failure(cloze_command({"next-sentence", "--model", bare, "a", "b"}), 1, {"next"});
  expect_failure(cloze_command({"encode", "--model", bare, "--pooling", "pooler", "a"}), 1,
                 {"pooler"});
}

TEST(BadInput, TextLongerThanTheModel) {
  const auto model = golden_model("bare_odd").string();
  const std::string fits = "a b c d e f g h i j k l m n o p q r s t u v";
  expect_success(cloze_command({"encode", "--model", model, fits}));
  const RunOptions input{.input = "a\n" + fits + " w x\nb\n"};
  expect_failure(cloze_command({"encode", "--model", model}, input), 1,
                 {"line 2 of standard input", "26 tokens", "24", "--truncate"});
  const auto cut = cloze_command({"encode", "--model", model, "--truncate", "--json"}, input);
  expect_success(cut);
  EXPECT_EQ(json_lines(cut.out).at(1)["tokens"].size(), 24U);
  expect_failure(cloze_command({"similarity", "--model", model, "--query", fits + fits, "a"}), 1,
                 {"query 1"});
  const auto masked = golden_model("pretraining").string();
  expect_failure(cloze_command({"fill-mask", "--model", masked, fits + " w [MASK]"}), 1,
                 {"argument 1", "26 tokens"});
  expect_failure(cloze_command({"next-sentence", "--model", masked, fits, fits}), 1,
                 {"argument 1", "47 tokens"});
}

TEST(BadInput, MalformedPairs) {
  const auto model = golden_model("pretraining").string();
  const auto lines = [](std::string text) { return RunOptions{.input = std::move(text)}; };
  expect_failure(cloze_command({"next-sentence", "--model", model}, lines("a\tb\nno tab\n")), 1,
                 {"line 2 of standard input", "tab"});
  expect_failure(cloze_command({"similarity", "--model", model}, lines("no tab\n")), 1,
                 {"line 1 of standard input", "tab"});
  expect_failure(cloze_command({"encode", "--model", model}, lines("a\tb\tc\n")), 1,
                 {"line 1 of standard input", "more than one tab"});
  expect_success(cloze_command({"encode", "--model", model, "--single"}, lines("a\tb\tc\n")));
}

TEST(BadInput, TextWithoutAMask) {
  const auto model = golden_model("pretraining").string();
  expect_failure(cloze_command({"fill-mask", "--model", model, "the dog"}), 1,
                 {"argument 1", "no [MASK]"});
  expect_failure(cloze_command({"fill-mask", "--model", model, "--top-k", "62", "the [MASK]"}), 2,
                 {"62", "61"});
}

TEST(BadInput, UnreadableInputAndUnwritableOutput) {
  const auto model = golden_model("bare_odd").string();
  expect_failure(cloze_command({"encode", "--model", model, "-i", "/no/file"}), 1, {"/no/file"});
  expect_failure(cloze_command({"encode", "--model", model, "-i", "/tmp"}), 1,
                 {"/tmp", "directory"});
  expect_failure(cloze_command({"encode", "--model", model, "-o", "/no/place/x.npy", "a"}), 1,
                 {"/no/place/x.npy"});
}

TEST(BadInput, InvalidUtf8IsReplacedAndTheOffsetsStayRight) {
  const auto model = golden_model("pretraining").string();
  const RunOptions input{.input = "a\xFF\xFE dog\xC3\n\xE6\x97 a\n"};
  const auto finished = cloze_command({"tokenize", "--model", model, "--json"}, input);
  expect_success(finished);
  const auto lines = json_lines(finished.out);
  ASSERT_EQ(lines.size(), 2U);
  // U+FFFD is removed, as Hugging Face does; each invalid sequence counts as one character.
  EXPECT_EQ(lines[0]["tokens"], nlohmann::json::parse(R"(["[CLS]","a","dog","[SEP]"])"));
  EXPECT_EQ(lines[0]["offsets"], nlohmann::json::parse("[[0,0],[0,1],[4,7],[0,0]]"));
  EXPECT_EQ(lines[1]["offsets"], nlohmann::json::parse("[[0,0],[2,3],[0,0]]"));
}

TEST(BadInput, EmptyTextsAndEmptyInput) {
  const auto model = golden_model("bare_odd").string();
  const auto empty = cloze_command({"encode", "--model", model, "--json", "", "a"});
  expect_success(empty);
  EXPECT_EQ(json_lines(empty.out).at(0)["tokens"], nlohmann::json::parse(R"(["[CLS]","[SEP]"])"));
  const auto nothing = cloze_command({"encode", "--model", model, "--json"});
  expect_success(nothing);
  EXPECT_EQ(nothing.out, "");
  const auto lines = cloze_command({"encode", "--model", model, "--json"}, {.input = "\n\na\n"});
  EXPECT_EQ(json_lines(lines.out).size(), 3U);
}

TEST(BadInput, TokenizerFilesThatAreNone) {
  const SpoiltModel empty;
  write_file(empty.file("vocab.txt"), "");
  expect_failure(encode(empty), 1, {"vocab.txt"});
  const SpoiltModel broken;
  write_file(broken.file("tokenizer.json"), "{\"model\": ");
  expect_failure(encode(broken), 1, {"tokenizer.json"});
}

TEST(BadInput, SentenceTransformersSettings) {
  const SpoiltModel model("sharded");
  write_file(model.file("modules.json"), "[{\"type\":\"sentence_transformers.models.CNN\"}]");
  expect_failure(encode(model), 1, {"modules.json", "CNN", "a pooling of your choice"});
  expect_success(cloze_command({"encode", "--model", model.path(), "--pooling", "cls", "a"}));
  write_file(model.file("modules.json"), "{");
  expect_failure(encode(model), 1, {"modules.json"});
}

}  // namespace
}  // namespace cloze::testing
