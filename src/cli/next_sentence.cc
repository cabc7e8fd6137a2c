/// \file
/// cloze next-sentence: does the second text follow the first?
#include "cloze/next_sentence.h"

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/text_command.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Prints the probability that the second text follows the first, a line a pair; with --json
{"is_next": probability}.

Examples:
  cloze next-sentence --model ./bert-base-uncased "I was hungry." "So I ate an apple."
  cloze next-sentence --model ./bert-base-uncased --input pairs.tsv --json
)";

}  // namespace

void run_next_sentence(Arguments arguments) {
  TextCommand command("Predicts whether the second text of each pair follows the first.",
                      "cloze next-sentence");
  command.text.add_texts(command.app, "pairs parted by a tab, or one pair as two arguments");
  command.text.add_limit(command.app);
  if (!command.parse(examples, arguments)) return;

  auto reader = command.text.pair_reader();
  const auto predict = command.load<NextSentencePipeline>();
  const auto limits = command.text.limits(predict.max_length());
  print_pieces(
      reader, {.label = "predicting", .bytes = command.piece_bytes(), .limits = limits},
      [&](const Piece& piece, Output& out) {
        for (const auto& item : piece.items) require_pair(item, reader);
        for (const auto& score : predict(piece.items, {.limits = piece.limits}, piece.progress)) {
          out.write(command.json ? fmt::format("{{\"is_next\":{:.6f}}}\n", score.is_next)
                                 : fmt::format("{:.4f}\n", score.is_next));
        }
      });
}

}  // namespace cloze::cli
