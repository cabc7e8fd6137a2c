/// \file
/// cloze zero-shot: labels that the model was not trained on.
#include <ranges>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/text_command.h"
#include "cloze/zero_shot_classification.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
The model is one of natural language inference: its labels are entailment, neutral and contradiction, or
the first and last of them. Each label becomes a hypothesis, and its score says how surely the text entails
it; scores add up to 1, with --multi-label each stands alone. As transformers' zero-shot-classification
pipeline has them. The JSON of a text is {"labels":[...],"scores":[...]}, best first.

Examples:
  cloze zero-shot --model ./mnli --labels sport,politics,music "The match ended in a draw."
  cloze zero-shot --model ./mnli --labels urgent,billing --multi-label --json --input tickets.txt
  cloze zero-shot --model ./mnli --labels good,bad --template "The review is {}." "What a film!"
)";

std::string json_line(const std::vector<LabelScore>& labels) {
  std::string line;
  append_object(line, "labels", labels | std::views::transform(&LabelScore::label), "scores",
                scores_of(labels));
  return line + '\n';
}

}  // namespace

void run_zero_shot(Arguments arguments) {
  TextCommand command("Labels texts with labels of your own, by a model of language inference.",
                      "cloze zero-shot");
  std::vector<std::string> labels;
  ZeroShotClassificationOptions options;
  command.text.add_texts(command.app, "texts");
  command.app.add_option("--labels,-l", labels, "the labels to choose from")
      ->type_name("LABEL,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->required();
  command.app
      .add_option("--template", options.hypothesis_template,
                  "the hypothesis that a label becomes; {} is the label")
      ->type_name("TEXT")
      ->capture_default_str();
  command.app.add_flag("--multi-label", options.multi_label,
                       "any number of labels may hold: each has a score of its own");
  command.text.add_limit(command.app);
  if (!command.parse(examples, arguments)) return;
  command.text.single = true;
  auto reader = command.text.reader();
  const auto classify = command.load<ZeroShotClassificationPipeline>();
  const auto limits = command.text.limits(classify.max_length());
  print_pieces(reader, {.label = "classifying", .bytes = command.piece_bytes(), .limits = limits},
               [&](const Piece& piece, Output& out) {
                 options.limits = piece.limits;
                 const auto results = as_usage(
                     [&] { return classify(piece.items, labels, options, piece.progress); });
                 for (std::size_t i = 0; i < results.size(); ++i) {
                   out.write(command.json ? json_line(results[i])
                                          : label_lines(piece.items[i].text, results[i]));
                 }
               });
}

}  // namespace cloze::cli
