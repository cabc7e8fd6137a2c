#include "cli/text_command.h"

#include <algorithm>
#include <utility>

#include "cli/format.h"

namespace cloze::cli {

void tell_warnings(const std::vector<std::string>& warnings) {
  for (const auto& warning : warnings) fmt::print(stderr, "warning: {}\n", printable(warning));
}

void PromptOptions::add(CLI::App& app, const std::string& option, const std::string& what) {
  const auto set = [](std::optional<std::string>& target) {
    return [&target](const std::string& value) { target = value; };
  };
  auto* text = app.add_option_function<std::string>(
      option, set(prompt), fmt::format("text to put before {}; \"\" for none", what));
  text->type_name("TEXT");
  app.add_option_function<std::string>(
         option + "-name", set(prompt_name),
         fmt::format("the model's prompt of this name before {} (default: the model's own default)",
                     what))
      ->type_name("NAME")
      ->excludes(text);
}

bool TextCommand::parse(const char* examples, Arguments arguments) {
  app.add_flag("--json", json, "a JSON object a line");
  model.add_computation(app);
  app.footer(examples);
  return cli::parse(app, arguments);
}

void for_each_piece(TextReader& reader, PieceOptions options,
                    const std::function<void(const Piece&)>& use) {
  ProgressBar bar(std::move(options.label), reader.total_bytes(), "bytes", std::move(options.bar));
  Piece piece{.items = {}, .limits = options.limits, .progress = {}};
  piece.limits.name = [&](std::size_t i) { return reader.place(piece.items[i].number); };
  std::int64_t before = 0, shown = 0;
  const auto show = [&](std::int64_t bytes) {
    if (bytes > shown) bar.advance(bytes - std::exchange(shown, bytes));
  };
  piece.progress = [&](const Progress& state) {
    const auto bytes = reader.bytes_read() - before;
    if (state.total > 0) show(before + bytes * state.done / state.total);
    return true;
  };
  while (true) {
    piece.items = reader.next_items(options.bytes);
    if (piece.items.empty()) return;
    suggesting_truncate([&] { use(piece); });
    before = reader.bytes_read();
    show(before);
  }
}

void print_pieces(TextReader& reader, PieceOptions options,
                  const std::function<void(const Piece&, Output&)>& print) {
  auto out = Output::standard_output();
  for_each_piece(reader, std::move(options), [&](const Piece& piece) { print(piece, out); });
  out.finish();
}

SentenceEncodeOptions sentence_options(const TextLimits& limits, const PromptOptions& prompt) {
  SentenceEncodeOptions options{.max_length = limits.max_length, .name = limits.name};
  if (limits.truncate) options.truncate = true;
  prompt.apply_to(options);
  return options;
}

std::string label_lines(const std::string& text, const std::vector<LabelScore>& labels) {
  auto lines = shortened(text, terminal_width()) + '\n';
  for (const auto& label : labels) {
    lines += fmt::format("  {:7.4f}  {}\n", label.score, printable(label.label));
  }
  return lines;
}

std::string ranked_row(std::int64_t place, const ScoredText& found) {
  const auto width = terminal_width();
  return fmt::format("{:>4}  {:7.4f}  {}\n", place, found.score,
                     shortened(found.text, width > 40 ? width - 15 : 25));
}

std::vector<std::string_view> split(std::string_view line, std::string_view between) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = line.find_first_of(between);
    parts.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return parts;
    line.remove_prefix(end + 1);
  }
}

}  // namespace cloze::cli
