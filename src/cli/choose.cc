/// \file
/// cloze choose: which of several continuations is right.
#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/text_command.h"
#include "cloze/multiple_choice.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Arguments are a prompt and its choices; in a file they stand on one line, parted by tabs. Scores are
probabilities over the choices. The JSON of a prompt is {"choice":NUMBER,"scores":[...]}, numbers from 0.

Examples:
  cloze choose --model ./swag "She opened the umbrella because" "it rained." "it was noon."
  cloze choose --model ./swag --json --input prompts.tsv
)";

std::string json_line(const Choice& choice) {
  std::string line;
  const std::vector<float> scores(choice.scores.begin(), choice.scores.end());
  append_object(line, "choice", choice.choice, "scores", scores);
  return line + '\n';
}

std::string readable(const Prompt& prompt, const Choice& choice) {
  std::vector<std::size_t> order(choice.scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return choice.scores[a] > choice.scores[b];
  });
  auto lines = shortened(prompt.text, terminal_width()) + '\n';
  for (const auto c : order) {
    lines +=
        fmt::format("  {:7.4f}  {}  {}\n", choice.scores[c], c, shortened(prompt.choices[c], 80));
  }
  return lines;
}

}  // namespace

void run_choose(Arguments arguments) {
  TextCommand command("Chooses the right continuation of each prompt.", "cloze choose");
  auto& text = command.text;
  text.add_texts(command.app, "a prompt and its choices");
  text.add_limit(command.app);
  if (!command.parse(examples, arguments)) return;
  text.single = true;
  if (text.texts.size() > 1 && text.input.empty()) {
    std::string line;
    for (const auto& part : text.texts) line += (line.empty() ? "" : "\t") + part;
    text.texts = {line};
  }
  auto reader = text.reader();
  const auto choose = command.load<MultipleChoicePipeline>();
  const auto limits = text.limits(choose.max_length());
  print_pieces(
      reader, {.label = "choosing", .bytes = command.piece_bytes(), .limits = limits},
      [&](const Piece& piece, Output& out) {
        std::vector<std::vector<std::string_view>> lines;
        std::vector<Prompt> prompts;
        for (const auto& item : piece.items) {
          lines.push_back(split(item.text, "\t"));
          if (lines.back().size() < 3) {
            throw FormatError(
                fmt::format("{} has no two choices: a prompt and its choices are parted by tabs",
                            reader.place(item.number)));
          }
          prompts.push_back({lines.back().front(), std::span(lines.back()).subspan(1)});
        }
        const auto choices = choose(prompts, {.limits = piece.limits}, piece.progress);
        for (std::size_t i = 0; i < choices.size(); ++i) {
          out.write(command.json ? json_line(choices[i]) : readable(prompts[i], choices[i]));
        }
      });
}

}  // namespace cloze::cli
