// cloze inspect and cloze embed-map, as they are typed.
#include "cli/run_command.h"
#include "cloze/checkpoint.h"

namespace cloze::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::string inspected_model(const char* name) { return golden_model(name).string(); }

TEST(Inspect, SummaryJsonTensorsAndPage) {
  const TempDirectory folder;
  const auto summary =
      cloze_command({"inspect", "--model", inspected_model("pretraining"), "the dog [MASK] a"});
  expect_success(summary);
  EXPECT_THAT(summary.out, HasSubstr("explained    the logit of"));
  EXPECT_THAT(summary.out, HasSubstr("pseudo-perplexity"));
  const auto printed =
      cloze_command({"inspect", "--model", inspected_model("pretraining"), "--json", "--show",
                     "attention,attribution", "the dog [MASK] a"});
  expect_success(printed);
  const auto parsed = json::parse(printed.out);
  EXPECT_EQ(parsed["attentions"].size(), 2U);
  EXPECT_LE(parsed["attribution"]["completeness_gap"].get<double>(), 0.01);
  EXPECT_FALSE(parsed.contains("by_layer"));
  const auto tensors = folder / "x.safetensors";
  expect_success(cloze_command({"inspect", "--model", inspected_model("sequence_3_labels"),
                                "the dogs", "--pair", "a b", "--target", "LABEL_2", "--steps", "7",
                                "-o", tensors.string()}));
  EXPECT_EQ(Checkpoint::open(tensors).info("integrated_gradients").shape, (Shape{8}));
  const auto page = folder / "x.html";
  expect_success(cloze_command(
      {"inspect", "--model", inspected_model("bare_odd"), "<i>&\"", "-o", page.string()}));
  EXPECT_THAT(read_file(page), HasSubstr("\\u003ci\\u003e"));
}

TEST(Inspect, BadInput) {
  const auto refuse = [](std::vector<std::string> words, int code,
                         const std::vector<std::string>& parts) {
    words.insert(words.begin(), "inspect");
    expect_failure(cloze_command(words), code, parts);
  };
  refuse({"--model", inspected_model("pretraining"), ""}, 1, {"the text is empty"});
  refuse({"--model", inspected_model("pretraining"), "a", "--pair", " "}, 1,
         {"second text is empty"});
  refuse({"--model", inspected_model("pretraining"), "a a a a", "--max-length", "5"}, 1,
         {"6 tokens", "limit is 5", "--truncate"});
  refuse({"--model", inspected_model("bare_odd"), "a", "--show", "layers"}, 1,
         {"masked language model head"});
  refuse({"--model", inspected_model("bare_odd"), "a", "--show", "masks"}, 1,
         {"masked language model head"});
  refuse({"--model", inspected_model("bare_odd"), "a", "--show", "attribution"}, 1,
         {"without a head"});
  refuse({"--model", inspected_model("bare_odd"), "a", "--explain", "answer", "--pair", "b"}, 1,
         {"question answering head"});
  refuse({"--model", inspected_model("pretraining"), "a", "--explain", "mask"}, 1, {"no [MASK]"});
  refuse({"--model", inspected_model("pretraining"), "[MASK]", "--target", "zzz"}, 1,
         {"\"zzz\" is not a token"});
  refuse({"--model", inspected_model("token_5_layers"), "a", "--at", "9"}, 1,
         {"there is no token 9"});
  refuse({"--model", inspected_model("pretraining"), "a", "--show", "heads"}, 2,
         {"--show has no \"heads\""});
  refuse({"--model", inspected_model("pretraining"), "a", "--explain", "why"}, 2,
         {"\"why\" is not one of"});
  refuse({"--model", inspected_model("pretraining"), "a", "-o", "x.png"}, 2, {".html"});
  refuse({"--model", inspected_model("pretraining"), "a", "-o", "x.html", "--json"}, 2, {"--json"});
  refuse({"--model", inspected_model("sequence_regression"), "a", "--pair", "b"}, 1,
         {"single token type"});
  refuse({"--model", "no-such-model", "a"}, 1, {"no-such-model"});
}

TEST(EmbedMap, PageAndProjector) {
  const TempDirectory folder;
  const auto texts = folder / "texts.tsv", page = folder / "map.html", logs = folder / "logs";
  write_file(texts, "the dog\tanimals\na b\tletters\nb a\tletters\n");
  expect_success(cloze_command({"embed-map", texts.string(), "--model", inspected_model("bare_odd"),
                                "-o", page.string(), "--projector", logs.string()}));
  EXPECT_THAT(read_file(page), HasSubstr("\"labels\":[\"animals\",\"letters\"]"));
  EXPECT_THAT(read_file(logs / "metadata.tsv"), HasSubstr("the dog\tanimals"));
  write_file(texts, "one\n");
  expect_failure(cloze_command({"embed-map", texts.string(), "--model", inspected_model("bare_odd"),
                                "-o", page.string()}),
                 1, {"at least two texts"});
  expect_failure(
      cloze_command({"embed-map", texts.string(), "--model", inspected_model("bare_odd")}), 2,
      {"nothing to write"});
  expect_failure(cloze_command({"embed-map", (folder / "none").string(), "--model",
                                inspected_model("bare_odd"), "-o", page.string()}),
                 1, {"none"});
}

}  // namespace
}  // namespace cloze::testing
