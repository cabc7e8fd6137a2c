/// \file
/// cloze answer: where in a text a question is answered.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/text_command.h"
#include "cloze/output.h"
#include "cloze/question_answering.h"
#include "cloze/squad.h"
#include "cloze/text_reader.h"

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

std::string json_line(const std::string& id, const std::vector<Answer>& answers) {
  std::string line = "{";
  if (!id.empty()) append_fields(line, "id", id);
  append_fields(line, "answers", [&] {
    append_list(line, answers, [&](const Answer& answer) {
      append_object(line, "answer", answer.text, "score", static_cast<float>(answer.score), "start",
                    answer.offsets.begin, "end", answer.offsets.end);
    });
  });
  return line + "}\n";
}

std::string readable(std::string_view question, const std::vector<Answer>& answers) {
  auto lines = shortened(question, terminal_width()) + '\n';
  for (const auto& answer : answers) {
    lines += fmt::format("  {:7.4f}  {:>6}-{:<6} {}\n", answer.score, answer.offsets.begin,
                         answer.offsets.end,
                         answer.text.empty() ? "(no answer)" : shortened(answer.text, 80));
  }
  return lines;
}

/// Answers questions together, and prints the answers in order. `ids` has an id for each, or none.
using AnswerAll =
    std::function<void(std::span<const QuestionContext> asked, std::span<const SquadQuestion> ids,
                       const ProgressCallback& progress)>;

void answer_squad(const std::string& file, const AnswerAll& answer) {
  constexpr std::size_t at_once = 256;
  const auto data = read_squad(file);
  for (std::size_t begin = 0; begin < data.questions.size(); begin += at_once) {
    const auto part =
        std::span(data.questions).subspan(begin, std::min(at_once, data.questions.size() - begin));
    std::vector<QuestionContext> asked;
    for (const auto& each : part) asked.push_back({each.question, data.contexts[each.context]});
    answer(asked, part, {});
  }
}

/// The lines of the input: texts for `question`, or if that is empty, questions with their texts.
void answer_lines(const TextCommand& command, const std::string& question,
                  const AnswerAll& answer) {
  auto text = command.text;
  text.single = !question.empty();
  auto reader = text.single ? text.reader() : text.pair_reader();
  for_each_piece(reader, {.label = "answering", .bytes = command.piece_bytes()},
                 [&](const Piece& piece) {
                   std::vector<QuestionContext> asked;
                   for (const auto& item : piece.items) {
                     if (!text.single) require_pair(item, reader);
                     asked.push_back(text.single ? QuestionContext{question, item.text}
                                                 : QuestionContext{item.text, *item.pair});
                   }
                   answer(asked, {}, piece.progress);
                 });
}

}  // namespace

void run_answer(Arguments arguments) {
  TextCommand command("Finds the answers to questions in texts, with a model fine-tuned for that.",
                      "cloze answer");
  auto& app = command.app;
  QuestionAnsweringOptions options;
  std::string question, context_file, squad;
  command.text.add_texts(app, "with --question the texts, else question and text parted by a tab");
  app.add_option("--question,-q", question, "the question")->type_name("TEXT");
  app.add_option("--context-file", context_file, "the text: a whole file")->type_name("FILE");
  app.add_option("--squad", squad, "questions and texts from SQuAD's JSON")->type_name("FILE");
  constexpr std::int64_t most = 1 << 20;
  add_count(command.app, "--top-k,-k", options.top_k, "the best N answers", 1, most);
  add_count(command.app, "--max-answer-length", options.max_answer_length,
            "most tokens of an answer", 1, most);
  add_count(command.app, "--stride", options.stride, "tokens that windows of a long text share", 0,
            most);
  add_count(command.app, "--max-length", command.text.max_length,
            "most tokens of a window (384, or the model's)", 8);
  app.add_flag("--version-2", options.handle_impossible_answer,
               "there may be no answer: \"\" with its score");
  if (!command.parse(examples, arguments)) return;
  if (!context_file.empty() && (question.empty() || !command.text.texts.empty())) {
    throw UsageError("--context-file goes with --question, and without further texts");
  }
  const auto pipeline = command.load<QuestionAnsweringPipeline>();
  options.max_length = command.text.limits(pipeline.max_length()).max_length;
  auto out = Output::standard_output();
  const AnswerAll answer = [&](std::span<const QuestionContext> asked,
                               std::span<const SquadQuestion> ids,
                               const ProgressCallback& progress) {
    const auto all = as_usage([&] { return pipeline(asked, options, progress); });
    for (std::size_t i = 0; i < all.size(); ++i) {
      out.write(command.json ? json_line(ids.empty() ? "" : ids[i].id, all[i])
                             : readable(asked[i].question, all[i]));
    }
  };
  if (!squad.empty()) {
    answer_squad(squad, answer);
  } else if (!context_file.empty()) {
    const auto context = read_text(context_file);
    answer(std::vector<QuestionContext>{{question, context}}, {}, {});
  } else {
    answer_lines(command, question, answer);
  }
  out.finish();
}

}  // namespace cloze::cli
