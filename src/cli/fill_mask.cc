/// \file
/// cloze fill-mask: the likeliest tokens at each [MASK].
#include "cloze/fill_mask.h"

#include <cstddef>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/text_command.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
The JSON of a text is {"masks":[{"position","predictions":[{"token","id","score","sequence"},...]}]}.
Scores are probabilities over the whole vocabulary.

Examples:
  cloze fill-mask --model ./bert-base-uncased "The capital of France is [MASK]."
  cloze fill-mask --model ./bert-base-uncased --top-k 3 --json "[MASK] is a [MASK]."
  cloze fill-mask --model ./bert-base-uncased --targets paris,lyon "The capital of France is [MASK]."
)";

std::string json_line(const std::vector<FilledMask>& masks) {
  std::string line;
  const auto append_candidate = [&](const MaskCandidate& candidate) {
    append_object(line, "token", candidate.token, "id", candidate.id, "score",
                  static_cast<float>(candidate.score), "sequence", candidate.sequence);
  };
  const auto append_mask = [&](const FilledMask& mask) {
    append_object(line, "position", mask.position, "predictions",
                  [&] { append_list(line, mask.candidates, append_candidate); });
  };
  append_object(line, "masks", [&] { append_list(line, masks, append_mask); });
  return line + '\n';
}

std::string readable(const std::string& text, const std::vector<FilledMask>& masks,
                     std::string_view mask) {
  const auto width = terminal_width();
  auto lines = shortened(text, width) + '\n';
  for (std::size_t m = 0; m < masks.size(); ++m) {
    if (masks.size() > 1) lines += fmt::format("  {} {} of {}\n", mask, m + 1, masks.size());
    for (const auto& candidate : masks[m].candidates) {
      lines += fmt::format("  {:7.4f}  {} {:>6}  {}\n", candidate.score,
                           padded(printable(candidate.token), 16), candidate.id,
                           shortened(candidate.sequence, width > 60 ? width - 36 : 24));
    }
  }
  return lines;
}

/// Tells of targets that are no tokens of the vocabulary.
void report_targets(const FillMaskPipeline& fill, const std::vector<std::string>& targets) {
  for (const auto& target : fill.resolve(targets)) {
    if (target.in_vocabulary) continue;
    fmt::print(stderr, "note: the target {} is not in the vocabulary: {}\n", target.target,
               target.id < 0 ? "it is left out"
                             : fmt::format("its first piece, {}, stands for it", target.token));
  }
}

}  // namespace

void run_fill_mask(Arguments arguments) {
  TextCommand command(
      "Predicts the token at each mask of a text: [MASK], or what the model has for it.",
      "cloze fill-mask");
  auto& text = command.text;
  FillMaskOptions options;
  text.add_texts(command.app, "texts with masks; a tab parts a text from its pair");
  text.add_single(command.app);
  add_count(command.app, "--top-k,-k", options.top_k, "how many tokens to show for each mask");
  command.app.add_option("--targets", options.targets, "only these tokens are candidates")
      ->type_name("TOKEN,...")
      ->delimiter(',')
      ->allow_extra_args(false);
  text.add_limit(command.app);
  if (!command.parse(examples, arguments)) return;

  auto reader = text.reader();
  const auto fill = command.load<FillMaskPipeline>();
  const auto limits = text.limits(fill.max_length());
  const auto mask = fill.tokenizer().id_to_token(*fill.tokenizer().mask_token_id());
  report_targets(fill, options.targets);
  print_pieces(reader, {.label = "filling", .bytes = command.piece_bytes(1), .limits = limits},
               [&](const Piece& piece, Output& out) {
                 options.limits = piece.limits;
                 const auto filled =
                     as_usage([&] { return fill(piece.items, options, piece.progress); });
                 for (std::size_t i = 0; i < filled.size(); ++i) {
                   if (filled[i].empty()) {
                     throw FormatError(fmt::format("{} has no {}{}", piece.limits.name(i), mask,
                                                   limits.truncate ? " within the limit" : ""));
                   }
                   out.write(command.json ? json_line(filled[i])
                                          : readable(piece.items[i].text, filled[i], mask));
                 }
               });
}

}  // namespace cloze::cli
