/// \file
/// cloze evaluate: a fine-tuned model's metrics on a file.
#include "cloze/evaluate.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/options.h"
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
  auto& task = options.settings.options;
  app.add_option("--max-length", task.max_length, "most tokens of a sequence (default: the task's)")
      ->type_name("N")
      ->check(in_range(1, std::int64_t{1} << 30));
  app.add_option("--text-column", task.text_column, "the column with the text: name or number")
      ->type_name("COLUMN");
  app.add_option("--pair-column", task.pair_column, "the column with the second text")
      ->type_name("COLUMN");
  app.add_option("--label-column", task.label_column, "the column with the label")
      ->type_name("COLUMN");
  app.add_flag("--multi-label", task.multi_label, "a row has several labels, parted by commas");
  app.add_option("--stride", task.stride, "tokens that windows of a long text share")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(0, std::int64_t{1} << 20));
  app.add_flag_callback(
      "--no-document-context", [&task] { task.document_context = false; },
      "read every sentence of a document alone (token classification)");
  app.add_flag("--version-2", task.version_2, "some questions have no answer (SQuAD 2.0)");
  app.add_option("--max-samples", task.max_samples, "the first N examples alone")
      ->type_name("N")
      ->check(in_range(1, std::int64_t{1} << 40));
  app.add_flag("--json", options.json, "the result as one JSON object");
  options.model.add_computation(app);
  app.footer(examples);
}

void append_report(std::string& text, const Options& options, const EvaluateResult& result) {
  text += "{\"task\":";
  append_json(text, result.task);
  text += ",\"model\":";
  append_json(text, options.model.model);
  text += ",\"data\":";
  append_json(text, options.settings.data.string());
  text += fmt::format(",\"examples\":{},\"metrics\":{{", result.examples);
  bool first = true;
  for (const auto& [name, value] : result.metrics) {
    if (!std::exchange(first, false)) text += ',';
    append_json(text, name);
    text += ':';
    append_json(text, value);
  }
  text += "},\"details\":" + result.details_json + ",\"notes\":[";
  first = true;
  for (const auto& note : result.notes) {
    if (!std::exchange(first, false)) text += ',';
    append_json(text, note);
  }
  text += "]}\n";
}

void append_table(std::string& text, const EvaluateResult& result) {
  text += fmt::format("{}, {} examples\n", result.task,
                      grouped(static_cast<std::int64_t>(result.examples)));
  for (const auto& [name, value] : result.metrics) {
    text += fmt::format("  {:<24}{:10.4f}\n", name, value);
  }
  if (!result.details.empty()) text += '\n' + result.details;
  for (const auto& note : result.notes) text += "\nnote: " + note + '\n';
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
  std::optional<Output> predictions;  // before the work: a bad place is told at once
  if (settings.predictions) predictions.emplace(Output::file(options.predictions));
  const auto result = as_usage([&] { return evaluate(settings, terminal_progress()); });
  if (predictions) {
    for (const auto& line : result.predictions) predictions->write(line + '\n');
    predictions->finish();
  }
  std::string text;
  if (options.json) {
    append_report(text, options, result);
  } else {
    append_table(text, result);
  }
  auto out = Output::standard_output();
  out.write(text);
  out.finish();
}

}  // namespace cloze::cli
