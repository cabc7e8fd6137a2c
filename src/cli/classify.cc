/// \file
/// cloze classify: the label of each text or pair.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/task_options.h"
#include "cloze/output.h"
#include "datasets/batching.h"
#include "datasets/labels.h"
#include "tasks/text_classification.h"

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

void append_labels(std::string& line, const BertConfig& config,
                   const std::vector<ScoredLabel>& labels) {
  bool first = true;
  for (const auto& label : labels) {
    line += first ? "{\"label\":" : ",{\"label\":";
    first = false;
    append_json(line, label_of(config, label.label));
    line += ",\"score\":";
    append_json(line, static_cast<float>(label.score));
    line += '}';
  }
}

}  // namespace

void run_classify(Arguments arguments) {
  CLI::App app("Labels texts, or pairs of texts, with a fine-tuned model.", "cloze classify");
  ModelOptions model_options;
  TextOptions text;
  std::int64_t top_k = 1;
  bool all = false, json = false, pair = false;
  model_options.add_model(app);
  text.add_texts(app, "texts; a tab parts a text from its pair");
  text.add_single(app);
  app.add_flag("--pair", pair, "two arguments are one pair");
  app.add_option("--top-k,-k", top_k, "the best N labels of each text")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(1, std::int64_t{1} << 30));
  app.add_flag("--all", all, "every label with its score");
  text.add_limit(app);
  app.add_flag("--json", json, "a JSON object a line");
  model_options.add_computation(app);
  app.footer(examples);
  if (!parse(app, arguments)) return;
  if (pair && text.single) throw UsageError("--pair and --single exclude each other");

  auto reader = pair ? text.pair_reader() : text.reader();
  const auto model = open_task_model(model_options, internal::TaskHead::sequence);
  const auto limit = text.limit(model.config.max_position_embeddings);
  const auto kind = score_kind(model.config);
  const auto labels = static_cast<std::size_t>(model.predictor.config().num_labels());
  const auto count = all ? labels : static_cast<std::size_t>(top_k);
  const bool several = all || app.count("--top-k") > 0;
  const auto width = terminal_width();

  auto out = Output::standard_output();
  for_each_piece(reader, piece_bytes(model_options), "classifying", [&](const auto& items) {
    const auto texts = tokenize(model.tokenizer, items, limit, reader);
    const auto logits = model.predictor.predict(texts);
    std::string line;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const auto best = best_labels(label_scores(logits[i].template values<float>(), kind), count);
      line.clear();
      if (json) {
        if (several) line += "{\"labels\":[";
        append_labels(line, model.config, best);
        line += several ? "]}\n" : "\n";
      } else if (several) {
        line = shortened(items[i].text, width) + '\n';
        for (const auto& label : best) {
          line += fmt::format("  {:7.4f}  {}\n", label.score, label_of(model.config, label.label));
        }
      } else {
        const auto& label = best.front();
        const auto name = label_of(model.config, label.label);
        line = fmt::format("{:7.4f}  {}  {}\n", label.score, padded(name, 12),
                           shortened(items[i].text, width > 60 ? width - 24 : 36));
      }
      out.write(line);
    }
  });
  out.finish();
}

}  // namespace cloze::cli
