/// \file
/// cloze fill-mask: the likeliest tokens at each [MASK].
#include "tasks/fill_mask.h"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/progress_bar.h"
#include "cloze/bert.h"
#include "cloze/output.h"
#include "cloze/tokenizer.h"
#include "datasets/batching.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
The JSON of a text is {"masks":[{"position","predictions":[{"token","id","score","sequence"},...]}]}.
Scores are probabilities over the whole vocabulary.

Examples:
  cloze fill-mask --model ./bert-base-uncased "The capital of France is [MASK]."
  cloze fill-mask --model ./bert-base-uncased --top-k 3 --json "[MASK] is a [MASK]."
)";

void append_json_line(std::string& line, const std::vector<FilledMask>& masks) {
  line += "{\"masks\":[";
  for (std::size_t m = 0; m < masks.size(); ++m) {
    fmt::format_to(std::back_inserter(line), "{}{{\"position\":{},\"predictions\":[",
                   m > 0 ? "," : "", masks[m].position);
    bool first = true;
    for (const auto& candidate : masks[m].candidates) {
      line += first ? "{\"token\":" : ",{\"token\":";
      first = false;
      append_json(line, candidate.token);
      fmt::format_to(std::back_inserter(line), ",\"id\":{},\"score\":", candidate.id);
      append_json(line, static_cast<float>(candidate.score));
      line += ",\"sequence\":";
      append_json(line, candidate.sequence);
      line += '}';
    }
    line += "]}";
  }
  line += "]}\n";
}

void append_table(std::string& text, const TextItem& item, const std::vector<FilledMask>& masks,
                  std::size_t width) {
  text += shortened(item.text, width) + '\n';
  for (std::size_t m = 0; m < masks.size(); ++m) {
    if (masks.size() > 1) text += fmt::format("  [MASK] {} of {}\n", m + 1, masks.size());
    for (const auto& candidate : masks[m].candidates) {
      text += fmt::format("  {:7.4f}  {} {:>6}  ", candidate.score, padded(candidate.token, 16),
                          candidate.id);
      text += shortened(candidate.sequence, width > 60 ? width - 36 : 24) + '\n';
    }
  }
}

}  // namespace

void run_fill_mask(Arguments arguments) {
  CLI::App app("Predicts the token at each [MASK] of a text.", "cloze fill-mask");
  ModelOptions model_options;
  TextOptions text;
  FillMaskOptions fill;
  bool json = false;
  model_options.add_model(app);
  text.add_texts(app, "texts with [MASK]; a tab parts a text from its pair");
  text.add_single(app);
  app.add_option("--top-k,-k", fill.top_k, "how many tokens to show for each [MASK]")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(1, std::int64_t{1} << 30));
  text.add_limit(app);
  app.add_flag("--json", json, "a JSON object a line");
  model_options.add_computation(app);
  app.footer(examples);
  if (!parse(app, arguments)) return;

  const auto load = model_options.load_options();
  auto reader = text.reader();
  const auto directory = model_options.directory();
  const auto tokenizer = Tokenizer::from_pretrained(directory);
  const auto model = BertForMaskedLM::from_pretrained(directory, load);
  require_same_vocabulary(tokenizer, model.config());
  const auto limit = text.limit(model.config().max_position_embeddings);
  fill.batch_tokens = model_options.batch_tokens;

  auto out = Output::standard_output();
  ProgressBar progress("filling", reader.total_bytes(), "bytes", beside_results());
  const auto width = terminal_width();
  std::int64_t done = 0;
  std::string line;
  while (true) {
    const auto items = reader.next_items(4 * fill.batch_tokens);
    if (items.empty()) break;
    const auto texts = tokenize(tokenizer, items, limit, reader);
    const auto filled = as_usage([&] { return fill_masks(model, tokenizer, texts, fill); });
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (filled[i].empty()) {
        throw FormatError(fmt::format("{} has no [MASK]{}", reader.place(items[i].number),
                                      limit.truncate ? " within the limit" : ""));
      }
      line.clear();
      if (json) {
        append_json_line(line, filled[i]);
      } else {
        append_table(line, items[i], filled[i], width);
      }
      out.write(line);
    }
    progress.advance(reader.bytes_read() - done);
    done = reader.bytes_read();
  }
  out.finish();
}

}  // namespace cloze::cli
