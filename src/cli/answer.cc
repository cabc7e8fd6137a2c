/// \file
/// cloze answer: where in a text a question is answered.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/task_options.h"
#include "cloze/output.h"
#include "core/mapped_file.h"
#include "datasets/squad_reader.h"
#include "tasks/question_answering.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Scores are those of transformers' question-answering pipeline: probabilities of begin times end. Offsets are
[start,end) in code points of the text; a long text is read in windows that share --stride tokens. With --version-2
"" (no answer) is a possible answer. The JSON of a question is {"answers":[{"answer","score","start","end"},...]},
with "id" where it comes from SQuAD's JSON.

Examples:
  cloze answer --model ./qa --question "Who wrote it?" --context-file book.txt --top-k 3
  cloze answer --model ./qa --question "Who wrote it?" "It was written by Mary Shelley in 1818."
  cloze answer --model ./qa --squad squad2.dev.json --version-2 --json
  cloze answer --model ./qa --input questions-and-texts.tsv         (question, tab, text)
)";

struct Options {
  ModelOptions model;
  TextOptions text;
  std::string question, context_file, squad;
  std::int64_t top_k = 1, stride = 128, max_length = 0, max_answer = 30;
  bool version_2 = false, json = false;
};

struct Asked {
  std::string id, question, context;
};

/// Answers a list of questions together, and prints the answers in order.
void answer(const Options& options, const TaskModelFiles& model, const QuestionOptions& windows,
            const std::vector<Asked>& questions, Output& out) {
  std::vector<std::vector<QuestionWindow>> all;
  std::vector<TokenizedText> texts;
  for (const auto& asked : questions) {
    all.push_back(as_usage(
        [&] { return question_windows(model.tokenizer, asked.question, asked.context, windows); }));
    for (auto& window : all.back()) texts.push_back(std::move(window.tokens));
  }
  const auto logits = model.predictor.predict(texts);
  const PipelineOptions pipeline{.top_k = static_cast<std::size_t>(options.top_k),
                                 .max_answer = static_cast<std::int32_t>(options.max_answer),
                                 .no_answer = options.version_2};
  std::size_t window = 0;
  for (std::size_t q = 0; q < questions.size(); ++q) {
    const auto own = std::span(logits).subspan(window, all[q].size());
    window += all[q].size();
    const auto answers = likely_answers(all[q], own, questions[q].context, pipeline);
    std::string text;
    if (!options.json) {
      text = shortened(questions[q].question, terminal_width()) + '\n';
      for (const auto& found : answers) {
        text += fmt::format("  {:7.4f}  {:>6}-{:<6} {}\n", found.score, found.offsets.begin,
                            found.offsets.end,
                            found.text.empty() ? "(no answer)" : shortened(found.text, 80));
      }
      out.write(text);
      continue;
    }
    text = "{";
    if (!questions[q].id.empty()) {
      text += "\"id\":";
      append_json(text, questions[q].id);
      text += ',';
    }
    text += "\"answers\":[";
    for (std::size_t i = 0; i < answers.size(); ++i) {
      text += i == 0 ? "{\"answer\":" : ",{\"answer\":";
      append_json(text, answers[i].text);
      text += ",\"score\":";
      append_json(text, static_cast<float>(answers[i].score));
      text += fmt::format(",\"start\":{},\"end\":{}}}", answers[i].offsets.begin,
                          answers[i].offsets.end);
    }
    out.write(text + "]}\n");
  }
}

void answer_all(const Options& options, const TaskModelFiles& model, const QuestionOptions& windows,
                Output& out) {
  constexpr std::size_t at_once = 256;
  if (!options.squad.empty()) {
    const auto data = read_squad(options.squad);
    std::vector<Asked> asked;
    for (const auto& question : data.questions) {
      asked.push_back({question.id, question.question, data.contexts[question.context]});
      if (asked.size() < at_once) continue;
      answer(options, model, windows, asked, out);
      asked.clear();
    }
    answer(options, model, windows, asked, out);
    return;
  }
  if (!options.question.empty()) {
    if (!options.context_file.empty()) {
      const auto file = MappedFile::open(options.context_file);
      answer(options, model, windows, {{"", options.question, std::string(file->text())}}, out);
      return;
    }
    auto text = options.text;
    text.single = true;
    auto reader = text.reader();
    for_each_piece(reader, piece_bytes(options.model), "answering", [&](const auto& items) {
      std::vector<Asked> asked;
      asked.reserve(items.size());
      for (const auto& item : items) asked.push_back({"", options.question, item.text});
      answer(options, model, windows, asked, out);
    });
    return;
  }
  auto reader = options.text.pair_reader();
  for_each_piece(reader, piece_bytes(options.model), "answering", [&](const auto& items) {
    std::vector<Asked> asked;
    asked.reserve(items.size());
    for (const auto& item : items) {
      require_pair(item, reader);
      asked.push_back({"", item.text, *item.pair});
    }
    answer(options, model, windows, asked, out);
  });
}

}  // namespace

void run_answer(Arguments arguments) {
  CLI::App app("Finds the answers to questions in texts, with a model fine-tuned for that.",
               "cloze answer");
  Options options;
  options.model.add_model(app);
  options.text.add_texts(app, "with --question the texts, else question and text parted by a tab");
  app.add_option("--question,-q", options.question, "the question")->type_name("TEXT");
  app.add_option("--context-file", options.context_file, "the text: a whole file")
      ->type_name("FILE");
  app.add_option("--squad", options.squad, "questions and texts from SQuAD's JSON")
      ->type_name("FILE");
  const auto count = [&](const char* name, std::int64_t& target, const char* about,
                         std::int64_t lowest) {
    app.add_option(name, target, about)
        ->type_name("N")
        ->capture_default_str()
        ->check(in_range(lowest, std::int64_t{1} << 20));
  };
  count("--top-k,-k", options.top_k, "the best N answers", 1);
  count("--max-answer-length", options.max_answer, "most tokens of an answer", 1);
  count("--stride", options.stride, "tokens that windows of a long text share", 0);
  app.add_option("--max-length", options.max_length,
                 "most tokens of a window (384, or the model's)")
      ->type_name("N")
      ->check(in_range(8, std::int64_t{1} << 30));
  app.add_flag("--version-2", options.version_2, "there may be no answer: \"\" with its score");
  app.add_flag("--json", options.json, "a JSON object a line");
  options.model.add_computation(app);
  app.footer(examples);
  if (!parse(app, arguments)) return;
  if (!options.context_file.empty() && (options.question.empty() || !options.text.texts.empty())) {
    throw UsageError("--context-file goes with --question, and without further texts");
  }
  const auto model = open_task_model(options.model, internal::TaskHead::span);
  const auto most = model.config.max_position_embeddings;
  if (options.max_length > most) {
    throw UsageError(
        fmt::format("--max-length {} is more than this model reads, which is {} tokens",
                    options.max_length, most));
  }
  constexpr std::int64_t usual = 384;
  const QuestionOptions windows{
      .max_length = options.max_length > 0 ? options.max_length : std::min(usual, most),
      .stride = options.stride};
  auto out = Output::standard_output();
  answer_all(options, model, windows, out);
  out.finish();
}

}  // namespace cloze::cli
