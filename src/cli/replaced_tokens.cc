/// \file
/// cloze replaced-tokens: the tokens of a text that do not fit it.
#include "cloze/replaced_tokens.h"

#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/text_command.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
An ELECTRA discriminator (ElectraForPreTraining) gives every token the probability that it was put in place of
another one. Shown are the tokens over one half, or with --all each. Offsets are [start,end) in code points of
the text. The JSON of a text has all tokens: {"tokens":[{"token","id","score","replaced","start","end"},...]};
those of the second text of a pair have "in_pair":true.

Examples:
  cloze replaced-tokens --model electra-small-discriminator "the quick brown fox fakes over the lazy dog"
  cloze replaced-tokens --model electra-small-discriminator --json --input lines.txt
)";

std::string json_line(const std::vector<CheckedToken>& tokens) {
  std::string line;
  append_object(line, "tokens", [&] {
    append_list(line, tokens, [&](const CheckedToken& token) {
      line += '{';
      append_fields(line, "token", token.token, "id", token.id, "score",
                    static_cast<float>(token.score), "replaced", token.replaced());
      if (token.in_pair) append_fields(line, "in_pair", true);
      append_fields(line, "start", token.offsets.begin, "end", token.offsets.end);
      line += '}';
    });
  });
  return line + '\n';
}

std::string readable(const TextItem& item, const std::vector<CheckedToken>& tokens, bool all) {
  auto lines =
      shortened(item.pair ? item.text + " / " + *item.pair : item.text, terminal_width()) + '\n';
  for (const auto& token : tokens) {
    if (!all && !token.replaced()) continue;
    lines +=
        fmt::format("  {:7.4f}  {} {:>5}-{}\n", token.score, padded(printable(token.token), 16),
                    token.offsets.begin, token.offsets.end);
  }
  return lines;
}

}  // namespace

void run_replaced_tokens(Arguments arguments) {
  TextCommand command("Tells which tokens of a text do not fit it, by an ELECTRA discriminator.",
                      "cloze replaced-tokens");
  bool all = false;
  command.text.add_texts(command.app, "texts; a tab parts a text from its pair");
  command.text.add_single(command.app);
  command.text.add_limit(command.app);
  command.app.add_flag("--all", all, "show every token, not only those that do not fit");
  if (!command.parse(examples, arguments)) return;
  auto reader = command.text.reader();
  const auto check = command.load<ReplacedTokensPipeline>();
  print_pieces(reader,
               {.label = "checking",
                .bytes = command.piece_bytes(),
                .limits = command.text.limits(check.max_length())},
               [&](const Piece& piece, Output& out) {
                 const auto checked = check(piece.items, piece.limits, piece.progress);
                 for (std::size_t i = 0; i < checked.size(); ++i) {
                   out.write(command.json ? json_line(checked[i])
                                          : readable(piece.items[i], checked[i], all));
                 }
               });
}

}  // namespace cloze::cli
