/// \file
/// cloze evaluate: a fine-tuned model's metrics on a file.
#include "cloze/evaluate.h"

#include <cstdint>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/output_files.h"
#include "cli/progress_bar.h"
#include "cloze/output.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
The task is found from the model's config.json; the file is read as `cloze finetune` reads it (docs/tasks.md).
With --json the result is {"task","model","data","examples","metrics":{...},"details":{...},"notes":[...]}.

Examples:
  cloze evaluate --model ./sentiment --data sst2.dev.tsv
  cloze evaluate --model ./ner --data conll2003.dev --predictions predicted.jsonl
  cloze evaluate --model ./qa --data squad2.dev.json --version-2 --json
)";

struct Options {
  ModelOptions model;
  EvaluateSettings settings;
  std::string predictions;
  bool json = false;
};

void add_options(CLI::App& app, Options& options) {
  options.model.add_model(app);
  app.add_option("--data", options.settings.data, "the file to evaluate on")
      ->type_name("FILE")
      ->required();
  app.add_option("--task", options.settings.task, "the task (default: what the model was made for)")
      ->type_name("NAME");
  app.add_option("--predictions", options.predictions,
                 "write what was predicted of each example to FILE, a JSON object a line")
      ->type_name("FILE");
  add_task_options(app, options.settings.options);
  add_count(app, "--max-samples", options.settings.options.max_samples,
            "the first N examples alone", 1, std::int64_t{1} << 40);
  app.add_flag("--json", options.json, "the result as one JSON object");
  options.model.add_computation(app);
  app.footer(examples);
}

std::string json_line(const Options& options, const EvaluateResult& result) {
  std::string line;
  const auto append_metrics = [&] {
    line += '{';
    for (const auto& [name, value] : result.metrics) append_fields(line, name, value);
    line += '}';
  };
  append_object(
      line, "task", result.task, "model", options.model.model, "data",
      options.settings.data.string(), "examples", result.examples, "metrics", append_metrics,
      "details", [&] { line += result.details_json; }, "notes", result.notes);
  return line + '\n';
}

std::string table(const EvaluateResult& result) {
  auto text = fmt::format("{}, {} examples\n", result.task,
                          grouped(static_cast<std::int64_t>(result.examples)));
  for (const auto& [name, value] : result.metrics) {
    text += fmt::format("  {:<24}{:>10}\n", name, figure(value));
  }
  if (!result.details.empty()) text += '\n' + result.details;
  for (const auto& note : result.notes) text += "\nnote: " + note + '\n';
  return text;
}

}  // namespace

void run_evaluate(Arguments arguments) {
  CLI::App app("Measures a fine-tuned model on a file, with the metrics of its task.",
               "cloze evaluate");
  Options options;
  add_options(app, options);
  if (!parse(app, arguments)) return;

  auto& settings = options.settings;
  settings.model = options.model.model;
  settings.load = options.model.load_options();
  settings.batch_tokens = options.model.batch_tokens;
  settings.predictions = !options.predictions.empty();
  require_output_apart(options.predictions, {settings.data}, &options.model);
  std::optional<Output> predictions;  // before the work: a bad place is told at once
  if (settings.predictions) predictions.emplace(Output::file(options.predictions));
  const auto result = as_usage([&] { return evaluate(settings, terminal_progress()); });
  if (predictions) {
    for (const auto& line : result.predictions) predictions->write(line + '\n');
    predictions->finish();
  }
  print(options.json ? json_line(options, result) : table(result));
}

}  // namespace cloze::cli
