/// \file
/// cloze evaluate: a fine-tuned model's metrics on a file.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/progress_bar.h"
#include "cli/task_options.h"
#include "cloze/output.h"
#include "tasks/task.h"

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
  TaskOptions task;
  std::string data, task_name, predictions;
  bool no_document_context = false;
  bool json = false;
};

void add_options(CLI::App& app, Options& options) {
  options.model.add_model(app);
  app.add_option("--data", options.data, "the file to evaluate on")->type_name("FILE")->required();
  app.add_option("--task", options.task_name, "the task (default: what the model was made for)")
      ->type_name("NAME");
  app.add_option("--predictions", options.predictions,
                 "write what was predicted of each example to FILE, a JSON object a line")
      ->type_name("FILE");
  auto& task = options.task;
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
  app.add_flag("--no-document-context", options.no_document_context,
               "read every sentence of a document alone (token classification)");
  app.add_flag("--version-2", task.version_2, "some questions have no answer (SQuAD 2.0)");
  app.add_option("--max-samples", task.max_samples, "the first N examples alone")
      ->type_name("N")
      ->check(in_range(1, std::int64_t{1} << 40));
  app.add_flag("--json", options.json, "the result as one JSON object");
  options.model.add_computation(app);
  app.footer(examples);
}

void append_report(std::string& text, const Options& options, const Task& task,
                   const TaskData& data, const TaskReport& report) {
  text += "{\"task\":";
  append_json(text, std::string(task.name()));
  text += ",\"model\":";
  append_json(text, options.model.model);
  text += ",\"data\":";
  append_json(text, options.data);
  text += fmt::format(",\"examples\":{},\"metrics\":{{", data.examples());
  bool first = true;
  for (const auto& [name, value] : report.metrics) {
    if (!std::exchange(first, false)) text += ',';
    append_json(text, name);
    text += ':';
    append_json(text, value);
  }
  text += "},\"details\":" + (report.details_json.empty() ? "{}" : report.details_json);
  text += ",\"notes\":[";
  first = true;
  for (const auto& note : data.notes()) {
    if (!std::exchange(first, false)) text += ',';
    append_json(text, note);
  }
  text += "]}\n";
}

void append_table(std::string& text, const Task& task, const TaskData& data,
                  const TaskReport& report) {
  text += fmt::format("{}, {} examples\n", task.name(),
                      grouped(static_cast<std::int64_t>(data.examples())));
  for (const auto& [name, value] : report.metrics)
    text += fmt::format("  {:<24}{:10.4f}\n", name, value);
  if (!report.details.empty()) text += '\n' + report.details;
  for (const auto& note : data.notes()) text += "\nnote: " + note + '\n';
}

}  // namespace

void run_evaluate(Arguments arguments) {
  CLI::App app("Measures a fine-tuned model on a file, with the metrics of its task.",
               "cloze evaluate");
  Options options;
  add_options(app, options);
  if (!parse(app, arguments)) return;
  options.task.document_context = !options.no_document_context;

  const auto directory = options.model.directory();
  const auto config = BertConfig::from_pretrained(directory);
  const auto name = options.task_name.empty() ? task_of(config, directory) : options.task_name;
  const auto tokenizer = Tokenizer::from_pretrained(directory);
  const auto task =
      as_usage([&] { return make_task(name, tokenizer, config, options.task, true); });
  const auto data = as_usage([&] { return task->read_eval(options.data); });
  const auto model = open_task_model(options.model, task->head());
  std::optional<Output> predictions;
  if (!options.predictions.empty()) predictions.emplace(Output::file(options.predictions));

  std::vector<Tensor> logits;
  {
    ProgressBar progress("evaluating", static_cast<std::int64_t>(data->size()), "units");
    logits = model.predictor.predict(
        *data, [&](std::size_t units) { progress.advance(static_cast<std::int64_t>(units)); });
  }
  const auto report = data->evaluate(logits);
  if (predictions) {
    for (const auto& line : data->predictions(logits)) predictions->write(line + '\n');
    predictions->finish();
  }
  std::string text;
  if (options.json) {
    append_report(text, options, *task, *data, report);
  } else {
    append_table(text, *task, *data, report);
  }
  auto out = Output::standard_output();
  out.write(text);
  out.finish();
}

}  // namespace cloze::cli
