/// \file
/// cloze choose: which of several continuations is right.
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/task_options.h"
#include "cloze/output.h"
#include "datasets/batching.h"
#include "tasks/text_classification.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Arguments are a prompt and its choices; in a file they stand on one line, parted by tabs. Scores are
probabilities over the choices. The JSON of a prompt is {"choice":NUMBER,"scores":[...]}, numbers from 0.

Examples:
  cloze choose --model ./swag "She opened the umbrella because" "it rained." "it was noon."
  cloze choose --model ./swag --json --input prompts.tsv
)";

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto tab = line.find('\t');
    parts.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos) return parts;
    line.remove_prefix(tab + 1);
  }
}

}  // namespace

void run_choose(Arguments arguments) {
  CLI::App app("Chooses the right continuation of each prompt.", "cloze choose");
  ModelOptions model_options;
  TextOptions text;
  bool json = false;
  model_options.add_model(app);
  text.add_texts(app, "a prompt and its choices");
  text.add_limit(app);
  app.add_flag("--json", json, "a JSON object a line");
  model_options.add_computation(app);
  app.footer(examples);
  if (!parse(app, arguments)) return;
  text.single = true;
  if (text.texts.size() > 1 && text.input.empty()) {
    std::string line;
    for (const auto& part : text.texts) line += (line.empty() ? "" : "\t") + part;
    text.texts = {line};
  }
  auto reader = text.reader();
  const auto model = open_task_model(model_options, internal::TaskHead::choice);
  const auto limit = text.limit(model.config.max_position_embeddings);

  auto out = Output::standard_output();
  for_each_piece(reader, piece_bytes(model_options), "choosing", [&](const auto& items) {
    std::vector<TextItem> pairs;
    std::vector<std::vector<std::string_view>> lines;
    for (const auto& item : items) {
      lines.push_back(split(item.text));
      const auto& parts = lines.back();
      if (parts.size() < 3) {
        throw FormatError(
            fmt::format("{} has no two choices: a prompt and its choices are parted by tabs",
                        reader.place(item.number)));
      }
      for (std::size_t c = 1; c < parts.size(); ++c) {
        pairs.push_back({std::string(parts[0]), std::string(parts[c]), item.number});
      }
    }
    const auto logits = model.predictor.predict(tokenize(model.tokenizer, pairs, limit, reader));
    std::size_t at = 0;
    for (const auto& parts : lines) {
      std::vector<float> values;
      for (std::size_t c = 1; c < parts.size(); ++c) {
        values.push_back(logits[at++].template values<float>()[0]);
      }
      const auto scores = label_scores(values, ScoreKind::softmax);
      const auto best = best_labels(scores, scores.size());
      std::string line;
      if (json) {
        line = fmt::format("{{\"choice\":{},\"scores\":[", best.front().label);
        for (std::size_t c = 0; c < scores.size(); ++c) {
          if (c > 0) line += ',';
          append_json(line, static_cast<float>(scores[c]));
        }
        line += "]}\n";
      } else {
        line = shortened(parts[0], terminal_width()) + '\n';
        for (const auto& choice : best) {
          line += fmt::format("  {:7.4f}  {}  {}\n", choice.score, choice.label,
                              shortened(parts[choice.label + 1], 80));
        }
      }
      out.write(line);
    }
  });
  out.finish();
}

}  // namespace cloze::cli
