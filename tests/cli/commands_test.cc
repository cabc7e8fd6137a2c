// What the commands answer, against transformers.
#include <cmath>

#include <sys/resource.h>
#include <unistd.h>

#include "cli/run_command.h"
#include "core/child_process.h"
#include "places.h"

namespace cloze::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// The largest difference of two nested lists of numbers; infinity when their forms differ.
double difference(const json& a, const json& b) {
  if (a.is_array() != b.is_array()) return INFINITY;
  if (!a.is_array()) return std::abs(a.get<double>() - b.get<double>());
  if (a.size() != b.size()) return INFINITY;
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, difference(a[i], b[i]));
  }
  return largest;
}

std::vector<std::string> golden_texts(const char* part) {
  std::vector<std::string> texts;
  for (const auto& entry : goldens()[part]) texts.push_back(entry["text"]);
  return texts;
}

std::vector<json> run_json(std::vector<std::string> words, const std::vector<std::string>& texts) {
  words.emplace_back("--json");
  words.emplace_back("--");
  words.insert(words.end(), texts.begin(), texts.end());
  const auto finished = cloze_command(words);
  expect_success(finished);
  return json_lines(finished.out);
}

TEST(Info, SaysWhatTheModelIs) {
  const auto finished = cloze_command({"info", "--model", golden_model("pretraining"), "--json"});
  expect_success(finished);
  const auto info = json::parse(finished.out);
  EXPECT_EQ(info["num_hidden_layers"], 2);
  EXPECT_EQ(info["hidden_size"], 32);
  EXPECT_EQ(info["architectures"], json::parse(R"(["BertForPreTraining"])"));
  EXPECT_EQ(info["pooler"], true);
  ASSERT_EQ(info["heads"].size(), 2U);
  EXPECT_EQ(info["heads"][0]["architecture"], "BertForMaskedLM");
  EXPECT_EQ(info["heads"][1]["architecture"], "BertForNextSentencePrediction");
  EXPECT_EQ(info["tokenizer"]["vocab_size"], 61);
  EXPECT_EQ(info["dtypes"]["f32"], 46);
}

TEST(Info, ReadableNamesHeadsAndPooler) {
  const auto finished = cloze_command({"info", "--model", golden_model("bare_no_pooler")});
  expect_success(finished);
  EXPECT_THAT(finished.out, HasSubstr("pooler        no\n"));
  EXPECT_THAT(finished.out, HasSubstr("heads         none"));
  EXPECT_THAT(finished.out, HasSubstr("1 layers, hidden 33"));
}

TEST(Info, SaysWhatTheMachineIs) {
  const TempDirectory cache;
  const RunOptions options{.environment = {"CLOZE_CACHE=" + cache.path().string()}};
  const auto finished = cloze_command({"info", "--machine", "--json"}, options);
  expect_success(finished);
  const auto info = json::parse(finished.out);
  EXPECT_FALSE(info["processor"].get<std::string>().empty());
  EXPECT_GT(info["f32_gflops"].get<double>(), 0);
  EXPECT_GE(info["threads"].get<int>(), 1);
  const auto best = info["auto"].get<std::string>();
  EXPECT_EQ(best == "bf16", !info["bf16_gflops"].is_null() && info["bf16_gflops"].get<double>() >=
                                                                  info["f32_gflops"].get<double>());
  EXPECT_TRUE(std::filesystem::exists(info["kept_in"].get<std::string>()));
  const auto readable = cloze_command({"info", "--machine"}, options);
  expect_success(readable);
  EXPECT_THAT(readable.out, HasSubstr("--dtype auto  " + best + ": "));
  EXPECT_THAT(readable.out, HasSubstr("kept in       " + cache.path().string()));

  // Kept up to AVX2 apart: there is no bf16.
  auto capped = options;
  capped.environment.emplace_back("ONEDNN_MAX_CPU_ISA=AVX2");
  const auto old = cloze_command({"info", "--machine", "--json"}, capped);
  expect_success(old);
  EXPECT_EQ(json::parse(old.out)["auto"], "f32");
  EXPECT_TRUE(json::parse(old.out)["bf16_gflops"].is_null());
  EXPECT_NE(json::parse(old.out)["kept_in"], info["kept_in"]);

  auto nowhere = options;
  nowhere.environment = {"CLOZE_CACHE=/dev/null/cache"};
  const auto unkept = cloze_command({"info", "--machine"}, nowhere);
  expect_success(unkept);
  EXPECT_THAT(unkept.out, HasSubstr("measured anew by each process"));
  EXPECT_EQ(unkept.err, "");

  expect_failure(cloze_command({"info"}), 2, {"--model", "--machine"});
  expect_failure(cloze_command({"info", "--machine", "--model", golden_model("pretraining")}), 2,
                 {"--machine", "--model"});
}

TEST(Tokenize, Pairs) {
  const auto lines =
      run_json({"tokenize", "--model", golden_model("pretraining")}, {"the dogs\ta b", "Dog"});
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["tokens"],
            json::parse(R"(["[CLS]","the","dog","##s","[SEP]","a","b","[SEP]"])"));
  EXPECT_EQ(lines[0]["ids"], json::parse("[2,5,6,7,3,11,12,3]"));
  EXPECT_EQ(lines[0]["type_ids"], json::parse("[0,0,0,0,0,1,1,1]"));
  EXPECT_EQ(lines[0]["special"], json::parse("[1,0,0,0,1,0,0,1]"));
  EXPECT_EQ(lines[0]["offsets"], json::parse("[[0,0],[0,3],[4,7],[7,8],[0,0],[0,1],[2,3],[0,0]]"));
  EXPECT_EQ(lines[1]["tokens"], json::parse(R"(["[CLS]","dog","[SEP]"])"));
  EXPECT_EQ(lines[0].size(), 5U);  // the contract's fields and no others
}

TEST(Tokenize, OptionsOfTheText) {
  const auto model = golden_model("pretraining").string();
  const auto bytes = run_json({"tokenize", "--model", model, "--offsets", "bytes"}, {"é a"});
  EXPECT_EQ(bytes[0]["offsets"].at(2), json::parse("[3,4]"));
  const auto points = run_json({"tokenize", "--model", model}, {"é a"});
  EXPECT_EQ(points[0]["offsets"].at(2), json::parse("[2,3]"));
  const auto bare = run_json({"tokenize", "--model", model, "--no-special"}, {"a b"});
  EXPECT_EQ(bare[0]["ids"], json::parse("[11,12]"));
  const auto cut = run_json({"tokenize", "--model", model, "--max-length", "4"}, {"a b c d e"});
  EXPECT_EQ(cut[0]["ids"], json::parse("[2,11,12,3]"));
}

TEST(Tokenize, ReadableTable) {
  const auto finished =
      cloze_command({"tokenize", "--model", golden_model("pretraining"), "the dogs"});
  expect_success(finished);
  EXPECT_EQ(finished.out, "[CLS] the dog ##s [SEP]\n2     5   6   7   3\n");
}

TEST(Encode, LastHiddenState) {
  const auto texts = golden_texts("encode");
  const auto lines = run_json({"encode", "--model", golden_model("bare_odd")}, texts);
  ASSERT_EQ(lines.size(), texts.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto& expected = goldens()["encode"][i];
    EXPECT_EQ(lines[i]["tokens"], expected["tokens"]);
    EXPECT_LT(difference(lines[i]["last_hidden_state"], expected["last_hidden_state"]), 2e-5);
    EXPECT_EQ(lines[i]["shape"], (json{expected["tokens"].size(), 24}));
  }
}

TEST(Encode, PoolingsAndLayers) {
  const auto texts = golden_texts("encode");
  const auto model = golden_model("bare_odd").string();
  const auto check = [&](const std::vector<std::string>& words, const char* got,
                         const char* expected) {
    const auto lines = run_json(words, texts);
    ASSERT_EQ(lines.size(), texts.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
      EXPECT_LT(difference(lines[i][got], goldens()["encode"][i][expected]), 2e-5) << expected;
    }
  };
  check({"encode", "--model", model, "--pooling", "mean"}, "embedding", "mean");
  check({"encode", "--model", model, "--pooling", "pooler"}, "embedding", "pooler");
  check({"encode", "--model", model, "--layers", "0,-1"}, "hidden_states", "layers_0_-1");
  // In tiny batches too, in any order of lengths, on one thread.
  check({"encode", "--model", model, "--pooling", "mean", "--batch-tokens", "7", "--threads", "1"},
        "embedding", "mean");
}

TEST(Encode, NormalizedVectorsHaveLengthOne) {
  const auto lines =
      run_json({"encode", "--model", golden_model("bare_odd"), "--pooling", "cls", "--normalize"},
               {"the dog", "a"});
  for (const auto& line : lines) {
    double squares = 0;
    for (const double value : line["embedding"]) squares += value * value;
    EXPECT_NEAR(squares, 1.0, 1e-5);
  }
}

TEST(Encode, BrainFloats) {
  const auto texts = golden_texts("encode");
  const auto model = golden_model("bare_odd").string();
  const auto finished =
      cloze_command({"encode", "--model", model, "--dtype", "bf16", "--json", "--", texts[0]});
  if (finished.code == 1 && finished.err.find("bf16") != std::string::npos) {
    GTEST_SKIP() << finished.err;
  }
  expect_success(finished);
  const auto off = difference(json_lines(finished.out).at(0)["last_hidden_state"],
                              goldens()["encode"][0]["last_hidden_state"]);
  EXPECT_LT(off, 0.2);
  EXPECT_GT(off, 1e-5);  // it did compute in another type
}

/// Values of an .npy or safetensors file behind its header.
std::vector<float> floats(const std::string& bytes, std::size_t from, std::size_t count) {
  std::vector<float> values(count);
  std::memcpy(values.data(), bytes.data() + from, count * sizeof(float));
  return values;
}

TEST(Encode, WritesNpy) {
  const TempDirectory folder;
  const auto file = (folder / "x.npy").string();
  const auto texts = golden_texts("encode");
  const auto lines = run_json(
      {"encode", "--model", golden_model("bare_odd"), "--pooling", "mean", "-o", file}, texts);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["shape"], (json{texts.size(), 24}));
  const auto bytes = read_file(file);
  ASSERT_EQ(bytes.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_THAT(bytes.substr(10, 118), HasSubstr("'descr': '<f4', 'fortran_order': False, "
                                               "'shape': (4, 24), }"));
  const auto header = static_cast<std::size_t>(static_cast<unsigned char>(bytes[8])) +
                      256 * static_cast<std::size_t>(static_cast<unsigned char>(bytes[9])) + 10;
  ASSERT_EQ(bytes.size(), header + 4 * 24 * sizeof(float));
  EXPECT_EQ(header % 64, 0U);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_LT(difference(floats(bytes, header + i * 96, 24), goldens()["encode"][i]["mean"]), 2e-5);
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Encode, WritesSafetensorsOfTokens) {
  const TempDirectory folder;
  const auto file = (folder / "x.safetensors").string();
  const auto texts = golden_texts("encode");
  run_json({"encode", "--model", golden_model("bare_odd"), "-o", file}, texts);
  const auto bytes = read_file(file);
  std::uint64_t size = 0;
  std::memcpy(&size, bytes.data(), 8);
  const auto header = json::parse(bytes.substr(8, size));
  EXPECT_EQ(header["last_hidden_state"]["shape"], (json{6 + 2 + 10 + 3, 24}));
  EXPECT_EQ(header["cu_seqlens"]["shape"], json{5});
  std::vector<std::int64_t> starts(5);
  std::memcpy(starts.data(),
              bytes.data() + 8 + size + header["cu_seqlens"]["data_offsets"][0].get<std::size_t>(),
              40);
  EXPECT_EQ(starts, (std::vector<std::int64_t>{0, 6, 8, 18, 21}));
  const auto row = floats(bytes, 8 + size + 8 * 24 * sizeof(float), 24);
  EXPECT_LT(difference(row, goldens()["encode"][2]["last_hidden_state"][0]), 2e-5);
}

TEST(Encode, WritesJsonLines) {
  const TempDirectory folder;
  const auto file = (folder / "x.jsonl").string();
  const auto finished = cloze_command(
      {"encode", "--model", golden_model("bare_odd"), "--pooling", "mean", "-o", file, "a", "b"});
  expect_success(finished);
  EXPECT_EQ(json_lines(read_file(file)).size(), 2U);
}

TEST(Encode, AFailureLeavesNoFile) {
  const TempDirectory folder;
  const auto finished = cloze_command(
      {"encode", "--model", golden_model("bare_odd"), "-o", folder / "x.npy", "a\tb\tc"});
  expect_failure(finished, 1, {"tab"});
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Encode, ManyLinesKeepTheirOrder) {
  std::string input;
  const std::vector<std::string> texts{"a", "the dog , the dog", "b c", "", "the dogs ."};
  for (int i = 0; i < 400; ++i) input += texts[static_cast<std::size_t>(i) % 5] + '\n';
  const auto finished = cloze_command({"encode", "--model", golden_model("bare_odd"), "--pooling",
                                       "mean", "--batch-tokens", "32", "--json"},
                                      {.input = input});
  expect_success(finished);
  const auto lines = json_lines(finished.out);
  ASSERT_EQ(lines.size(), 400U);
  for (std::size_t i = 5; i < lines.size(); ++i) {
    EXPECT_LT(difference(lines[i]["embedding"], lines[i % 5]["embedding"]), 1e-6) << i;
  }
}

TEST(Encode, ReadableShowsShapeAndValues) {
  const auto finished =
      cloze_command({"encode", "--model", golden_model("bare_odd"), "the dogs ."});
  expect_success(finished);
  EXPECT_TRUE(finished.out.starts_with("the dogs .\n  last_hidden_state [6, 24]\n    [CLS]"))
      << finished.out;
}

TEST(Encode, FollowsSentenceTransformersSettings) {
  const TempDirectory folder;
  std::filesystem::copy(golden_model("bare_odd"), folder / "m",
                        std::filesystem::copy_options::recursive);
  write_file(folder / "m/modules.json", R"([
    {"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"},
    {"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"}])");
  write_file(folder / "m/sentence_bert_config.json", R"({"max_seq_length": 9})");
  std::filesystem::create_directory(folder / "m/1_Pooling");
  write_file(folder / "m/1_Pooling/config.json",
             R"({"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true})");
  const auto model = (folder / "m").string();
  const auto texts = golden_texts("encode");
  const auto lines = run_json({"encode", "--model", model}, {texts[0], texts[1]});
  EXPECT_LT(difference(lines[0]["embedding"], goldens()["encode"][0]["mean"]), 2e-5);
  // A longer text is cut at the directory's length, as sentence-transformers does.
  const auto cut = cloze_command({"encode", "--model", model, "--json", texts[2]});
  expect_success(cut);
  const auto asked = cloze_command(
      {"encode", "--model", model, "--json", "--max-length", "9", "--truncate", texts[2]});
  EXPECT_EQ(cut.out, asked.out);
  // Asked for something else, the model's own limit holds.
  expect_success(cloze_command({"encode", "--model", model, "--pooling", "none", texts[2]}));
  write_file(folder / "m/1_Pooling/config.json", R"({"pooling_mode": "guess"})");
  expect_failure(cloze_command({"encode", "--model", model, texts[0]}), 1, {"guess"});
}

TEST(FillMask, AsTransformersPipeline) {
  const auto texts = golden_texts("fill_mask");
  const auto lines =
      run_json({"fill-mask", "--model", golden_model("masked_lm_untied"), "--top-k", "4"}, texts);
  ASSERT_EQ(lines.size(), texts.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto& expected = goldens()["fill_mask"][i]["masks"];
    ASSERT_EQ(lines[i]["masks"].size(), expected.size());
    for (std::size_t m = 0; m < expected.size(); ++m) {
      const auto& got = lines[i]["masks"][m]["predictions"];
      ASSERT_EQ(got.size(), 4U);
      for (std::size_t k = 0; k < got.size(); ++k) {
        EXPECT_EQ(got[k]["token"], expected[m][k]["token"]);
        EXPECT_EQ(got[k]["id"], expected[m][k]["id"]);
        EXPECT_EQ(got[k]["sequence"], expected[m][k]["sequence"]);
        EXPECT_NEAR(got[k]["score"].get<double>(), expected[m][k]["score"].get<double>(), 1e-5);
      }
    }
  }
  EXPECT_EQ(lines[1]["masks"][0]["position"], 1);
  EXPECT_EQ(lines[1]["masks"][1]["position"], 4);
}

TEST(FillMask, Readable) {
  const auto finished = cloze_command(
      {"fill-mask", "--model", golden_model("masked_lm_untied"), "-k", "1", "the dog [MASK] ."});
  expect_success(finished);
  EXPECT_EQ(finished.out, "the dog [MASK] .\n   0.0545  ##r                  54  the dogr.\n");
}

TEST(NextSentence, Probabilities) {
  std::string input;
  for (const auto& entry : goldens()["next_sentence"]) {
    input +=
        entry["pair"][0].get<std::string>() + '\t' + entry["pair"][1].get<std::string>() + '\n';
  }
  const auto model = golden_model("pretraining").string();
  const auto finished =
      cloze_command({"next-sentence", "--model", model, "--json"}, {.input = input});
  expect_success(finished);
  const auto lines = json_lines(finished.out);
  ASSERT_EQ(lines.size(), goldens()["next_sentence"].size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_NEAR(lines[i]["is_next"].get<double>(),
                goldens()["next_sentence"][i]["is_next"].get<double>(), 2e-6);
  }
  const auto two = cloze_command({"next-sentence", "--model", model, "abc", "the dogs ."});
  expect_success(two);
  EXPECT_EQ(two.out, "0.9649\n");
}

TEST(Similarity, RanksByCosine) {
  const auto model = golden_model("bare_odd").string();
  const auto lines = run_json({"similarity", "--model", model, "--query", "the dogs ."},
                              {"a b c d e f", "the dogs .", "the dog ."});
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0]["text"], "the dogs .");
  EXPECT_EQ(lines[0]["index"], 1);
  EXPECT_EQ(lines[0]["rank"], 1);
  EXPECT_NEAR(lines[0]["score"].get<double>(), 1.0, 1e-6);
  EXPECT_GT(lines[1]["score"], lines[2]["score"]);
  const auto best = run_json(
      {"similarity", "--model", model, "--query", "the dogs .", "--top-k", "1"}, {"a", "dog"});
  EXPECT_EQ(best.size(), 1U);
}

TEST(Similarity, ScoresPairs) {
  // The same cosine as of the vectors that transformers computes.
  const auto& a = goldens()["encode"][0];
  const auto& b = goldens()["encode"][2];
  double product = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a["mean"].size(); ++i) {
    const double x = a["mean"][i], y = b["mean"][i];
    product += x * y;
    aa += x * x;
    bb += y * y;
  }
  const auto pair = a["text"].get<std::string>() + '\t' + b["text"].get<std::string>();
  const auto lines = run_json({"similarity", "--model", golden_model("bare_odd")}, {pair});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NEAR(lines[0]["score"].get<double>(), product / std::sqrt(aa * bb), 1e-5);
}

TEST(BenchEncode, PrintsTheContractsFields) {
  const auto finished = cloze_command({"bench", "encode", "--size", "tiny", "--batch", "2",
                                       "--length", "16", "--iterations", "3", "--json"});
  expect_success(finished);
  const auto result = json::parse(finished.out);
  EXPECT_GT(result["ms_median"], 0.0);
  EXPECT_NEAR(result["tokens_per_s"].get<double>(), 32e3 / result["ms_median"].get<double>(), 1.0);
  EXPECT_GT(result["gemm_gflops"], 0.0);
  EXPECT_NEAR(result["fraction_of_gemm"].get<double>(),
              result["gflops"].get<double>() / result["gemm_gflops"].get<double>(), 1e-9);
  EXPECT_LE(result["ms_p50"], result["ms_p90"]);
  EXPECT_LE(result["ms_p90"], result["ms_p99"]);
  EXPECT_EQ(result["dtype"], "f32");
  EXPECT_EQ(result["tokens"], 32);
  EXPECT_GT(result["peak_memory_mib"], 1.0);
}

TEST(BenchEncode, ManyCallersBesideOne) {
  const auto finished =
      cloze_command({"bench", "encode", "--size", "tiny", "--batch", "2", "--length", "16",
                     "--iterations", "6", "--callers", "4", "--json"});
  expect_success(finished);
  const auto result = json::parse(finished.out);
  EXPECT_EQ(result["callers"], 4);
  for (const char* rate : {"one_caller_tokens_per_s", "callers_tokens_per_s", "callers_over_one"}) {
    EXPECT_GT(result[rate].get<double>(), 0) << rate;
  }
}

TEST(Threads, AreWhatTheEnvironmentSays) {
  const std::vector<std::string> words{"bench",    "encode", "--size",       "tiny", "--batch", "1",
                                       "--length", "8",      "--iterations", "1",    "--json"};
  const auto one = cloze_command(words, {.environment = {"CLOZE_NUM_THREADS=1"}});
  expect_success(one);
  EXPECT_EQ(json::parse(one.out)["threads"], 1);
  expect_failure(cloze_command(words, {.environment = {"CLOZE_NUM_THREADS=three"}}), 1,
                 {"CLOZE_NUM_THREADS is \"three\": set it to 1 to 4096, or unset it"});
}

TEST(Threads, AWarningSaysThatSomeAreMissing) {
  constexpr int kCannotBecome = 10, kCannotRun = 11;
  const TempDirectory directory;
  const auto said = directory.path() / "err";
  write_file(said, "");
  std::filesystem::permissions(directory.path(), std::filesystem::perms::all);
  std::filesystem::permissions(said, std::filesystem::perms::all);
  const auto model = golden_model("pretraining");
  const int code = in_child([&] {
    // The limit does not hold for root.
    const rlimit none{1, 1};
    constexpr uid_t kSomebody = 64'322;
    if (::setrlimit(RLIMIT_NPROC, &none) != 0) return kCannotBecome;
    if (::getuid() == 0 && ::setuid(kSomebody) != 0) return kCannotBecome;
    if (std::freopen(said.c_str(), "w", stderr) == nullptr) return kCannotBecome;
    // The leak checker would need a thread, too.
    if (::setenv("ASAN_OPTIONS", "detect_leaks=0", 1) != 0) return kCannotBecome;
    if (std::freopen("/dev/null", "w", stdout) == nullptr) return kCannotBecome;
    ::execl(kClozeBinary, kClozeBinary, "encode", "--model", model.c_str(), "--threads", "4",
            "hello world", nullptr);
    return kCannotRun;
  });
  if (code == kCannotBecome) GTEST_SKIP() << "this user cannot lower its limit on processes";
  if (code == kCannotRun) GTEST_SKIP() << "another user may not run the command";
  EXPECT_EQ(code, 0) << read_file(said);
  const auto err = read_file(said);
  if (err.empty()) GTEST_SKIP() << "the system does not enforce a limit on processes";
  EXPECT_THAT(err, ::testing::StartsWith("warning: the system gave 1 of the 4 threads wanted ("));
  EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), 1) << err;
}

TEST(BenchEncode, LengthsAndConfig) {
  const TempDirectory folder;
  write_file(folder / "lengths", "3\n24\n1\n");
  write_file(folder / "texts", "the dog\na b c\n");
  const auto model = golden_model("bare_odd");
  const auto config = (model / "config.json").string();
  const std::vector<std::string> end{"--iterations", "1", "--json"};
  const auto bench = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"bench", "encode"});
    words.insert(words.end(), end.begin(), end.end());
    return cloze_command(words);
  };
  const auto lengths = bench({"--config", config, "--lengths", folder / "lengths"});
  expect_success(lengths);
  EXPECT_EQ(json::parse(lengths.out)["tokens"], 28);
  EXPECT_EQ(json::parse(lengths.out)["longest"], 24);
  const auto texts = bench({"--model", model, "--lengths", folder / "texts"});
  expect_success(texts);
  EXPECT_EQ(json::parse(texts.out)["tokens"], 4 + 5);
  expect_failure(bench({"--config", config, "--lengths", folder / "texts"}), 2, {"--model"});
  write_file(folder / "lengths", "3\nfour\n");
  expect_failure(bench({"--config", config, "--lengths", folder / "lengths"}), 1, {"line 2"});
  write_file(folder / "lengths", "25\n");
  expect_failure(bench({"--config", config, "--lengths", folder / "lengths"}), 1, {"25", "24"});
}

TEST(MiniLm, SentenceVectorsAsSentenceTransformers) {
  const auto model = minilm();
  if (model.empty()) GTEST_SKIP() << "all-MiniLM-L6-v2 is not in the model cache";
  const auto texts = golden_texts("minilm");
  const auto lines =
      run_json({"encode", "--model", model, "--max-length", "256", "--truncate"}, texts);
  ASSERT_EQ(lines.size(), texts.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto& embedding = lines[i]["embedding"];
    ASSERT_EQ(embedding.size(), 384U);
    const json first(std::vector<json>(embedding.begin(), embedding.begin() + 32));
    EXPECT_LT(difference(first, goldens()["minilm"][i]["mean"]), 2e-6) << texts[i];
  }
}

}  // namespace
}  // namespace cloze::testing
