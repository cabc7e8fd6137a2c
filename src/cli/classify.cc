/// \file
/// cloze classify: the label of each text or pair.
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/text_command.h"
#include "cloze/text_classification.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Scores are probabilities: of labels that exclude each other they add up to 1, of a multi-label model each
stands alone; a regression model gives its value. As transformers' text-classification pipeline has them.
The JSON of a text is {"label","score"}, with --top-k or --all {"labels":[{"label","score"},...]}.

Examples:
  cloze classify --model ./sentiment "What a film!" "Two hours that I want back."
  cloze classify --model ./paraphrase "He left." "He went away."     (a tab parts a pair in files)
  cloze classify --model ./topics --all --json --input lines.txt
)";

std::string json_line(const std::vector<LabelScore>& labels, bool several) {
  std::string line;
  const auto append = [&](const LabelScore& label) {
    append_object(line, "label", label.label, "score", static_cast<float>(label.score));
  };
  if (several) {
    append_object(line, "labels", [&] { append_list(line, labels, append); });
  } else {
    append(labels.front());
  }
  return line + '\n';
}

std::string readable(const std::string& text, const std::vector<LabelScore>& labels, bool several) {
  if (several) return label_lines(text, labels);
  const auto width = terminal_width();
  const auto& label = labels.front();
  return fmt::format("{:7.4f}  {}  {}\n", label.score, padded(printable(label.label), 12),
                     shortened(text, width > 60 ? width - 24 : 36));
}

}  // namespace

void run_classify(Arguments arguments) {
  TextCommand command("Labels texts, or pairs of texts, with a fine-tuned model.",
                      "cloze classify");
  auto& text = command.text;
  std::int64_t top_k = 1;
  bool all = false, pair = false;
  text.add_texts(command.app, "texts; a tab parts a text from its pair");
  text.add_single(command.app);
  command.app.add_flag("--pair", pair, "two arguments are one pair");
  add_count(command.app, "--top-k,-k", top_k, "the best N labels of each text");
  command.app.add_flag("--all", all, "every label with its score");
  text.add_limit(command.app);
  if (!command.parse(examples, arguments)) return;
  if (pair && text.single) throw UsageError("--pair and --single exclude each other");

  auto reader = pair ? text.pair_reader() : text.reader();
  const auto classify = command.load<TextClassificationPipeline>();
  const auto limits = text.limits(classify.max_length());
  const bool several = all || command.app.count("--top-k") > 0;
  print_pieces(reader, {.label = "classifying", .bytes = command.piece_bytes(), .limits = limits},
               [&](const Piece& piece, Output& out) {
                 const auto results =
                     classify(piece.items, {.top_k = all ? 0 : top_k, .limits = piece.limits},
                              piece.progress);
                 for (std::size_t i = 0; i < results.size(); ++i) {
                   out.write(command.json ? json_line(results[i], several)
                                          : readable(piece.items[i].text, results[i], several));
                 }
               });
}

}  // namespace cloze::cli
