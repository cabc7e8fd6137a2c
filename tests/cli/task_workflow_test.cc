// From a file of examples to answers: `cloze finetune`, `evaluate` and the commands that answer,
// one after another, on tiny models that learn their few examples by heart.
#include <algorithm>
#include <memory>

#include "cli/run_command.h"
#include "core/utf8.h"

namespace cloze::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// Words in three scripts; every letter that the test's texts need is a token or part of one.
constexpr std::string_view vocabulary =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n.\n?\n,"
    "\nthe\ncalm\nwild\nsea\nship\nstorm\nlives\nin\nwhere\n"
    "who\nwas\nbuilt\nby\nмария\nживет\nв\nосло\nпетр\nработает\n東\n京\n市\n山\n田\nは\nに\n"
    "##s\n##у\n";

/// What `cloze finetune` needs besides task and files. `steps` are enough to learn by heart.
std::vector<std::string> training(const std::string& task, const std::string& vocab,
                                  const std::string& train, const std::string& output,
                                  const std::string& steps = "60",
                                  const std::string& learning_rate = "5e-3") {
  return {"finetune",     "--task",    task,         "--size",
          "tiny",         "--vocab",   vocab,        "--train",
          train,          "--dev",     train,        "--output",
          output,         "--steps",   steps,        "--learning-rate",
          learning_rate,  "--dtype",   "f32",        "--evaluate-every",
          steps,          "--dropout", "0",          "--json",
          "--batch-size", "8",         "--overwrite"};
}

/// The code points [begin, end) of UTF-8.
std::string slice(const std::string& text, std::size_t begin, std::size_t end) {
  std::string part;
  std::size_t at = 0;
  for (std::size_t i = 0; i < text.size(); ++at) {
    std::size_t bytes = 1;
    while (i + bytes < text.size() && !utf8::begins_code_point(text[i + bytes])) ++bytes;
    if (at >= begin && at < end) part += text.substr(i, bytes);
    i += bytes;
  }
  return part;
}

class TaskWorkflow : public ::testing::Test {
 protected:
  TaskWorkflow() { write_file(path("vocab.txt"), vocabulary); }

  [[nodiscard]] std::string path(std::string_view name) const { return (folder / name).string(); }

  /// Trains the task on `examples` (written to `file`), and gives the result's JSON.
  json learn(const std::string& task, const std::string& file, std::string_view examples,
             const std::vector<std::string>& more = {}, const std::string& steps = "60",
             const std::string& learning_rate = "5e-3") {
    write_file(path(file), examples);
    auto words = training(task, path("vocab.txt"), path(file), path("model"), steps, learning_rate);
    words.insert(words.end(), more.begin(), more.end());
    const auto done = cloze_command(words);
    EXPECT_EQ(done.code, 0) << done.err;
    return done.code == 0 ? json::parse(done.out) : json();
  }

  /// `cloze evaluate` on the file; the report, and the predictions.
  std::pair<json, std::vector<json>> measure(const std::string& file) {
    const auto done = cloze_command({"evaluate", "--model", path("model"), "--data", path(file),
                                     "--json", "--predictions", path("predictions.jsonl")});
    expect_success(done);
    return {json::parse(done.out), json_lines(read_file(path("predictions.jsonl")))};
  }

  /// A command that answers, with --json.
  std::vector<json> ask(std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin() + 1, {"--model", path("model"), "--json"});
    const auto done = cloze_command(words, {.input = input});
    expect_success(done);
    return json_lines(done.out);
  }

  TempDirectory folder;
};

TEST_F(TaskWorkflow, Classification) {
  const std::string texts = "the calm sea\nwild storm\ncalm ship\nthe wild sea\n";
  const auto trained = learn("text-classification", "t.tsv",
                             "sentence\tlabel\nthe calm sea\tgood\nwild storm\tbad\ncalm ship\t"
                             "good\nthe wild sea\tbad\n");
  EXPECT_EQ(trained.at("metrics").at("accuracy"), 1.0);
  EXPECT_EQ(trained.at("steps"), 60);
  const auto [report, predictions] = measure("t.tsv");
  EXPECT_EQ(report.at("task"), "text-classification");
  EXPECT_EQ(report.at("examples"), 4);
  EXPECT_EQ(report.at("metrics").at("accuracy"), 1.0);
  EXPECT_EQ(report.at("details").at("confusion"), json::parse("[[2,0],[0,2]]"));

  // What evaluate wrote of each line is what classify says of it, in the order of the lines.
  const auto answers = ask({"classify", "--all"}, texts);
  ASSERT_EQ(answers.size(), 4U);
  ASSERT_EQ(predictions.size(), 4U);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    EXPECT_EQ(predictions[i].at("line"), i + 2);
    EXPECT_EQ(predictions[i].at("label"), predictions[i].at("predicted"));
    double sum = 0;
    for (const auto& label : answers[i].at("labels")) {
      sum += label.at("score").get<double>();
      EXPECT_NEAR(
          label.at("score").get<double>(),
          predictions[i].at("scores").at(label.at("label").get<std::string>()).get<double>(), 1e-5);
    }
    EXPECT_NEAR(sum, 1, 1e-5);
    EXPECT_EQ(answers[i].at("labels").at(0).at("label"), predictions[i].at("predicted"));
    EXPECT_GE(answers[i]["labels"][0]["score"], answers[i]["labels"][1]["score"]);
  }
  // In company and alone, and without --all, a text has the same label and score.
  const auto alone = ask({"classify", "wild storm"});
  ASSERT_EQ(alone.size(), 1U);
  EXPECT_EQ(alone[0].at("label"), "bad");
  EXPECT_EQ(alone[0].at("score"), answers[1]["labels"][0]["score"]);
  // A table for people.
  const auto table = cloze_command({"evaluate", "--model", path("model"), "--data", path("t.tsv")});
  expect_success(table);
  EXPECT_THAT(table.out, HasSubstr("true \\ predicted"));
}

TEST_F(TaskWorkflow, SeveralLabels) {
  const auto trained = learn("text-classification", "t.tsv",
                             "calm sea\twater,good\nwild ship\tbad\ncalm ship\tgood\nthe\t\nwild "
                             "sea\tbad,water\n",
                             {"--multi-label", "--text-column", "1", "--label-column", "2"});
  EXPECT_EQ(trained.at("metrics").at("exact_match_ratio"), 1.0);
  const auto answers = ask({"classify", "--all", "calm sea", "the"});
  ASSERT_EQ(answers.size(), 2U);
  double sum = 0;
  for (const auto& label : answers[0]["labels"]) {
    const auto score = label["score"].get<double>();
    sum += score;
    EXPECT_EQ(score > 0.5, label["label"] != "bad") << label;
  }
  EXPECT_GT(sum, 1.5);  // each stands alone
  for (const auto& label : answers[1]["labels"]) EXPECT_LT(label["score"], 0.5);
}

TEST_F(TaskWorkflow, RegressionOfPairs) {
  learn("regression", "t.csv",
        "sentence1,sentence2,score\nthe sea,the sea,5\nthe calm sea,wild storm,0.5\ncalm "
        "ship,ship,3.5\n",
        {}, "300", "1e-3");
  const auto [report, predictions] = measure("t.csv");
  EXPECT_GT(report.at("metrics").at("pearson"), 0.999);
  ASSERT_EQ(predictions.size(), 3U);
  const auto answers = ask({"classify", "--pair", "the calm sea", "wild storm"});
  EXPECT_NEAR(answers.at(0).at("score").get<double>(), predictions[1].at("predicted").get<double>(),
              1e-4);
  EXPECT_NEAR(answers.at(0).at("score").get<double>(), 0.5, 0.01);
}

TEST_F(TaskWorkflow, EntitiesInThreeScripts) {
  const auto trained =
      learn("token-classification", "t.conll",
            "мария B-PER\nживет O\nв O\nосло B-LOC\n. O\n\nпетр B-PER\nработает O\nв "
            "O\nосло B-LOC\n\n山田 B-PER\nは O\n東京 B-LOC\n市 I-LOC\nに O\n\nthe "
            "O\nship O\n. O\n",
            {"--no-document-context"});
  EXPECT_EQ(trained.at("metrics").at("f1"), 1.0);
  const auto done = cloze_command({"evaluate", "--model", path("model"), "--data", path("t.conll"),
                                   "--no-document-context", "--json", "--predictions",
                                   path("predictions.jsonl")});
  expect_success(done);
  EXPECT_EQ(json::parse(done.out).at("metrics").at("f1"), 1.0);
  const auto predictions = json_lines(read_file(path("predictions.jsonl")));
  ASSERT_EQ(predictions.size(), 4U);
  EXPECT_EQ(predictions[2].at("words"), json::parse(R"(["山田", "は", "東京", "市", "に"])"));
  EXPECT_EQ(predictions[2].at("predicted"), predictions[2].at("labels"));

  // Capital letters, combining accents that the tokenizer drops, and spaces: offsets count the
  // text's own code points.
  const std::vector<std::string> texts{"  МАРИЯ живет в Осло.", "Пе\u0301тр работает в осло",
                                       "the ship."};
  const auto answers =
      ask({"tag", "--aggregation", "first"}, texts[0] + '\n' + texts[1] + '\n' + texts[2] + '\n');
  ASSERT_EQ(answers.size(), 3U);
  const auto entity = [&](std::size_t text, std::size_t index) {
    const auto& found = answers.at(text).at("entities").at(index);
    return found.at("label").get<std::string>() + ' ' +
           slice(texts[text], found.at("start"), found.at("end"));
  };
  ASSERT_EQ(answers[0]["entities"].size(), 2U) << answers[0];
  EXPECT_EQ(entity(0, 0), "PER МАРИЯ");
  EXPECT_EQ(entity(0, 1), "LOC Осло");
  ASSERT_EQ(answers[1]["entities"].size(), 2U) << answers[1];
  EXPECT_EQ(entity(1, 0), "PER Пе\u0301тр");
  EXPECT_TRUE(answers[2]["entities"].empty()) << answers[2];
  for (const auto& found : answers[0]["entities"]) {
    EXPECT_GT(found.at("score"), 0.5);
    EXPECT_LE(found.at("score"), 1);
  }
  // Words as they stand: a line a word, a blank line after each sentence, and no sentence
  // forgotten.
  const auto columns = cloze_command({"tag", "--model", path("model"), "--words"},
                                     {.input = "мария живет в осло .\nthe ship\n"});
  expect_success(columns);
  EXPECT_EQ(columns.out, "мария\tB-PER\nживет\tO\nв\tO\nосло\tB-LOC\n.\tO\n\nthe\tO\nship\tO\n\n");
}

TEST_F(TaskWorkflow, AnswersInThreeScripts) {
  const std::vector<std::string> contexts{"мария живет в осло .", "the ship was built by петр .",
                                          "山田は東京市に"};
  const json squad = {
      {"version", "2.0"},
      {"data",
       json::array(
           {{{"title", "a"},
             {"paragraphs",
              json::array(
                  {{{"context", contexts[0]},
                    {"qas", json::array({{{"id", "q0"},
                                          {"question", "where?"},
                                          {"answers", {{{"text", "осло"}, {"answer_start", 14}}}}},
                                         {{"id", "q1"},
                                          {"question", "the ship?"},
                                          {"is_impossible", true},
                                          {"answers", json::array()}}})}},
                   {{"context", contexts[1]},
                    {"qas",
                     json::array({{{"id", "q2"},
                                   {"question", "who built?"},
                                   {"answers", {{{"text", "петр"}, {"answer_start", 22}}}}}})}},
                   {{"context", contexts[2]},
                    {"qas",
                     json::array(
                         {{{"id", "q3"},
                           {"question", "where?"},
                           {"answers", {{{"text", "東京市"}, {"answer_start", 3}}}}}})}}})}}})}};
  const auto trained = learn("question-answering", "t.json", squad.dump(), {"--version-2"}, "120");
  EXPECT_EQ(trained.at("metrics").at("exact_match"), 100.0);
  const auto [report, predictions] = measure("t.json");
  EXPECT_EQ(report.at("metrics").at("f1"), 100.0);
  EXPECT_EQ(report.at("metrics").at("NoAns_exact"), 100.0);
  ASSERT_EQ(predictions.size(), 4U);
  EXPECT_EQ(predictions[1].at("predicted"), "");
  EXPECT_GT(predictions[1].at("null_score_diff"), 0);

  const auto answers = ask({"answer", "--squad", path("t.json"), "--version-2", "--top-k", "3"});
  ASSERT_EQ(answers.size(), 4U);
  const std::vector<std::string> right{"осло", "", "петр", "東京市"};
  const std::vector<std::size_t> context_of{0, 0, 1, 2};
  for (std::size_t q = 0; q < answers.size(); ++q) {
    EXPECT_EQ(answers[q].at("id"), "q" + std::to_string(q));
    EXPECT_EQ(answers[q]["answers"].at(0).at("answer"), right[q]) << answers[q];
    double before = 1, sum = 0;
    for (const auto& found : answers[q]["answers"]) {
      EXPECT_LE(found.at("score"), before);  // best first
      before = found.at("score");
      sum += before;
      EXPECT_EQ(found.at("answer"),
                slice(contexts[context_of[q]], found.at("start"), found.at("end")));
    }
    EXPECT_LE(sum, 1 + 1e-5);
  }
  // A question on the command line, and pairs from standard input: the same answers.
  EXPECT_EQ(ask({"answer", "--question", "where?", contexts[2]}).at(0)["answers"][0]["answer"],
            "東京市");
  const auto piped =
      ask({"answer"}, "where?\t" + contexts[0] + "\nwho built?\t" + contexts[1] + '\n');
  ASSERT_EQ(piped.size(), 2U);
  EXPECT_EQ(piped[1]["answers"][0]["answer"], "петр");
}

TEST_F(TaskWorkflow, Choices) {
  const auto trained =
      learn("multiple-choice", "t.jsonl",
            R"({"prompt": "the sea was", "choices": ["calm", "wild ship", "who?"], "label": 0}
{"prompt": "the storm was", "choices": ["calm", "wild ship", "who?"], "label": 1}
{"prompt": "where", "choices": ["calm", "wild ship", "who?"], "label": 2}
)");
  EXPECT_EQ(trained.at("metrics").at("accuracy"), 1.0);
  const auto [report, predictions] = measure("t.jsonl");
  EXPECT_EQ(report.at("metrics").at("accuracy"), 1.0);
  const auto answers =
      ask({"choose"}, "the sea was\tcalm\twild ship\twho?\nthe storm was\twho?\tcalm\twild ship\n");
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].at("choice"), 0);
  EXPECT_EQ(answers[1].at("choice"), 2);  // the order of the choices does not matter to it
  for (const auto& answer : answers) {
    double sum = 0;
    for (const auto& score : answer.at("scores")) sum += score.get<double>();
    EXPECT_NEAR(sum, 1, 1e-5);
  }
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(answers[0]["scores"][c].get<double>(),
                predictions.at(0).at("scores").at(c).get<double>(), 1e-5);
  }
  expect_failure(cloze_command({"choose", "--model", path("model")}, {.input = "the sea\tcalm\n"}),
                 1, {"line 1 of standard input", "two choices", "tabs"});
}

TEST_F(TaskWorkflow, Ranking) {
  const auto trained = learn("ranking", "t.tsv",
                             "query\tcandidate\tlabel\nwhere?\tin the "
                             "sea\t1\nwhere?\tcalm\t0\nwho?\tby петр\t1\nwho?\twild\t0\n");
  EXPECT_EQ(trained.at("metrics").at("mrr"), 1.0);
  const auto [report, predictions] = measure("t.tsv");
  EXPECT_EQ(report.at("metrics").at("recall@1"), 1.0);
  const std::string candidates = "calm\nwild\nin the sea\nthe\n";
  const auto ranked = ask({"rank", "--query", "where?"}, candidates);
  ASSERT_EQ(ranked.size(), 4U);
  EXPECT_EQ(ranked[0].at("text"), "in the sea");
  EXPECT_EQ(ranked[0].at("index"), 2);
  EXPECT_NEAR(ranked[0].at("score").get<double>(), predictions.at(0).at("score").get<double>(),
              1e-5);
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    EXPECT_EQ(ranked[i].at("rank"), i + 1);
    if (i > 0) {
      EXPECT_LE(ranked[i].at("score"), ranked[i - 1].at("score"));
    }
  }
  const auto best = ask({"rank", "--query", "where?", "--top-k", "2"}, candidates);
  ASSERT_EQ(best.size(), 2U);
  EXPECT_EQ(best[0], ranked[0]);
  EXPECT_EQ(best[1], ranked[1]);
}

TEST_F(TaskWorkflow, SentenceVectors) {
  const std::string scored =
      "sentence1\tsentence2\tscore\nthe calm sea\tcalm sea\t5\nthe calm sea\twild storm\t0\nмария "
      "живет\tпетр работает\t3\nthe ship\tthe wild ship\t4\nwho\tосло\t1\n";
  const auto trained = learn("sentence-embedding", "t.tsv", scored);
  EXPECT_GT(trained.at("metrics").at("spearman"), 0.85);
  const auto [report, predictions] = measure("t.tsv");
  EXPECT_EQ(report.at("task"), "sentence-embedding");
  EXPECT_NEAR(report.at("metrics").at("spearman").get<double>(),
              trained.at("metrics").at("spearman").get<double>(), 1e-6);
  ASSERT_EQ(predictions.size(), 5U);
  // The directory is sentence-transformers' own: similarity and encode take it as it says.
  const auto likeness = ask({"similarity", "the calm sea", "wild storm"});
  EXPECT_NEAR(likeness.at(0).at("score").get<double>(), predictions[1].at("cosine").get<double>(),
              1e-4);
  const auto vector = ask({"encode", "the calm sea"}).at(0).at("embedding");
  double length = 0;
  for (const auto& value : vector) length += value.get<double>() * value.get<double>();
  EXPECT_NEAR(length, 1, 1e-5);  // 2_Normalize
  EXPECT_TRUE(std::filesystem::exists(path("model") + "/1_Pooling/config.json"));
  expect_failure(cloze_command({"classify", "--model", path("model"), "a"}), 1, {"classifier"});

  // Pairs without scores learn from one another, and are measured on scores.
  write_file(
      path("pairs.tsv"),
      "the calm sea\tcalm sea\nмария живет\tосло\nwild storm\twild ship\nwho built\tby петр\n");
  auto words = training("sentence-embedding", path("vocab.txt"), path("pairs.tsv"), path("pairs"));
  *std::find(words.begin() + 9, words.end(), path("pairs.tsv")) = path("t.tsv");
  const auto done = cloze_command(words);
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_LT(json::parse(done.out).at("history").at(0).at("train_loss"), 0.7);  // by chance: log 4
  const auto refused = cloze_command(
      training("sentence-embedding", path("vocab.txt"), path("pairs.tsv"), path("no")));
  expect_failure(refused, 1, {path("pairs.tsv"), "without scores", "label column"});
  write_file(path("bad.tsv"), "sentence1\tsentence2\tscore\nthe\tsea\tmuch\n");
  expect_failure(
      cloze_command(training("sentence-embedding", path("vocab.txt"), path("bad.tsv"), path("no"))),
      1, {"line 2 of " + path("bad.tsv"), "\"much\""});
}

TEST_F(TaskWorkflow, SearchForManyQueries) {
  write_file(path("queries.txt"), "the dog\na b c\n");
  const auto command = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"similarity", "--model", golden_model("bare_odd"), "--json"});
    const auto done = cloze_command(words, {.input = "the dogs\na b\nthe dog\nx y z\n"});
    expect_success(done);
    return json_lines(done.out);
  };
  const auto both = command({"--query-file", path("queries.txt"), "--top-k", "2"});
  ASSERT_EQ(both.size(), 4U);  // the best two of each query
  const auto first = command({"--query", "the dog", "--top-k", "2"});
  const auto second = command({"--query", "a b c", "--top-k", "2"});
  for (std::size_t i = 0; i < 2; ++i) {
    for (const auto* key : {"rank", "index", "text"}) {
      EXPECT_EQ(both[i].at(key), first.at(i).at(key));
      EXPECT_EQ(both[i + 2].at(key), second.at(i).at(key));
    }
    EXPECT_NEAR(both[i + 2].at("score").get<double>(), second[i].at("score").get<double>(), 1e-6);
  }
  EXPECT_EQ(first[0].at("text"), "the dog");
  EXPECT_NEAR(first[0].at("score").get<double>(), 1, 1e-5);
}

// What is wrong with a file is said with the file, the line and what to do, and nothing is left
// behind.
TEST_F(TaskWorkflow, BadExamples) {
  struct Case {
    std::string task, train, dev;
    std::vector<std::string> said, more = {};
  };
  const std::string good = "sentence\tlabel\ncalm sea\tgood\nwild sea\tbad\n";
  const std::string train = path("train"), dev = path("dev");
  const std::vector<Case> cases{
      {"text-classification",
       good,
       "",
       {train, "no column \"text\"", "sentence, label"},
       {"--text-column", "text"}},
      {"text-classification",
       good,
       "sentence\tlabel\ncalm sea\tgood\nwild\tugly\n",
       {"line 3 of " + dev, "\"ugly\"", "bad, good"}},
      {"text-classification",
       "calm sea\tgood\nwild\tgood\n",
       "",
       {train, "\"good\"", "nothing to learn"}},
      {"text-classification",
       "calm sea\tgood\n\tbad\n",
       "",
       {"line 2 of " + train, "no text", "remove the row"}},
      {"text-classification", "sentence\tlabel\n", "", {train, "no rows"}},
      {"regression",
       "calm sea\t1.5\nwild\tmuch\n",
       "",
       {"line 2 of " + train, "\"much\"", "--label-column"},
       {"--text-column", "1", "--label-column", "2"}},
      {"ranking",
       "where?\tcalm\t1\nwho?\tcalm\t2\n",
       "",
       {"line 2 of " + train, "\"2\"", "--label-column"}},
      {"ranking",
       "where?\tcalm\t1\nwho?\tcalm\t1\n",
       "",
       {train, "nothing to learn", "both kinds"}},
      {"token-classification",
       "мария B-PER\nв O\n\nосло I-LOC\n",
       "",
       {"line 4 of " + train, "line 1", "IOB1"}},
      {"token-classification", "calm O\nsea O\n", "", {train, "nothing to learn"}},
      {"token-classification",
       "мария B-PER\nв O\n",
       "осло B-LOC\nв O\n",
       {"line 1 of " + dev, "B-LOC", "B-PER"}},
      {"question-answering",
       R"({"data":[{"paragraphs":[{"context":"the sea","qas":[{"id":"q7",)"
       R"("question":"who?","answers":[{"text":"ship","answer_start":0}]}]}]}]})",
       "",
       {train, "no answer is in its context"}},
      {"question-answering",
       R"({"data":[{"paragraphs":[{"context":"the sea","qas":[{"id":"q7",)"
       R"("question":"who?","answers":[]}]}]}]})",
       "",
       {train, "q7", "--version-2"}},
      {"question-answering", "{\"data\":[", "", {train, "JSON"}},
      {"multiple-choice",
       "{\"prompt\":\"a\",\"choices\":[\"calm\",\"wild\"],\"label\":0}\n{\"prompt\":\"b\","
       "\"choices\":"
       "[\"calm\",\"wild\",\"sea\"],\"label\":0}\n",
       "",
       {"line 2 of " + train, "3 choices", "first row has 2"}},
      {"multiple-choice",
       "{\"prompt\":\"a\",\"choices\":[\"calm\",\"wild\"],\"label\":2}\n",
       "",
       {"line 1 of " + train, "\"2\"", "0 to 1"}},
  };
  for (const auto& each : cases) {
    SCOPED_TRACE(each.task + ": " + each.train + each.dev);
    write_file(train, each.train);
    write_file(dev, each.dev);
    auto words = training(each.task, path("vocab.txt"), train, path("refused"));
    *std::find(words.begin() + 9, words.end(), train) = each.dev.empty() ? train : dev;
    words.insert(words.end(), each.more.begin(), each.more.end());
    expect_failure(cloze_command(words), each.said.front().starts_with("--") ? 2 : 1, each.said);
    EXPECT_FALSE(std::filesystem::exists(path("refused")));
  }
}

TEST_F(TaskWorkflow, AnAnswerThatIsNotInItsTextIsCounted) {
  write_file(path("t.json"),
             R"({"data":[{"paragraphs":[{"context":"the sea was calm","qas":[
      {"id":"q1","question":"who?","answers":[{"text":"ship","answer_start":0}]},
      {"id":"q2","question":"where?","answers":[{"text":"sea","answer_start":4}]},
      {"id":"q3","question":"the sea?","answers":[{"text":"calm","answer_start":1}]}]}]}]})");
  auto words = training("question-answering", path("vocab.txt"), path("t.json"), path("model"));
  const auto done = cloze_command(words);
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("1 answers are not in their context, the first of question q1"));
  EXPECT_THAT(done.err, HasSubstr("1 answers do not stand where"));
  EXPECT_THAT(done.err, HasSubstr("2 examples to learn from, 3 to evaluate on"));
}

TEST_F(TaskWorkflow, ModelsOfOtherLabelsAreRefused) {
  write_file(path("rank.tsv"), "where?\tin the sea\t1\nwhere?\tby\t0\n");
  const auto three = golden_model("sequence_3_labels").string();
  expect_failure(cloze_command({"evaluate", "--model", three, "--task", "ranking", "--data",
                                path("rank.tsv")}),
                 1, {"3 labels", "one output", "the task text-classification"});
  expect_failure(cloze_command({"evaluate", "--model", three, "--task", "regression", "--data",
                                path("rank.tsv")}),
                 1, {"3 labels", "one output"});
  expect_failure(cloze_command({"rank", "--model", three, "--query", "a", "b"}), 1,
                 {"3 labels", "cloze classify"});
  expect_failure(cloze_command({"tag", "--model", three, "a"}), 1,
                 {three, "BertForSequenceClassification", "cloze classify"});
}

}  // namespace
}  // namespace cloze::testing
