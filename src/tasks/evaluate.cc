// `evaluate`: a model's answers on labelled data, and what they are worth.
#include "cloze/evaluate.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cloze/config.h"
#include "cloze/error.h"
#include "cloze/hub.h"
#include "cloze/sentence_settings.h"
#include "cloze/tokenizer.h"
#include "core/progress_counter.h"
#include "core/strings.h"
#include "datasets/batching.h"
#include "sentence/kept_settings.h"
#include "sentence/lower_case.h"
#include "tasks/task.h"
#include "tasks/task_predictor.h"

namespace cloze {
namespace {

/// What sentence vectors are made of besides the mean of the tokens. Throws ModelError where the
/// directory makes them in another way than the task does.
SentenceSettings mean_settings(const std::filesystem::path& root) {
  auto settings = sentence_settings(root).value_or(SentenceSettings{});
  if (const auto other = other_than_mean(settings); !other.empty()) {
    throw ModelError(fmt::format(
        "{} makes its vectors with {}, and the evaluation of sentence-embedding takes the "
        "mean of the tokens: compare texts with SentenceTransformer (cloze similarity)",
        root.string(), other));
  }
  return settings;
}

EvaluateResult evaluate_on(const EvaluateSettings& settings, const DataSource& source,
                           const ProgressCallback& progress) {
  const auto root = find_model(settings.model, progress);
  const auto directory = transformer_directory(root);
  const auto config = BertConfig::from_pretrained(directory);
  const auto name = settings.task.empty() ? task_of(config, directory) : settings.task;
  auto tokenizer = Tokenizer::from_pretrained(directory);
  std::string prompt;
  if (name == "sentence-embedding") {
    const auto stated = mean_settings(root);
    prompt = stated.prompts.resolve({}, {});
    if (stated.do_lower_case) tokenizer = lower_cased(tokenizer);
  }
  const auto task = make_task(name, tokenizer, config, settings.options, true, prompt);
  const auto data = task->read_eval(source);
  require_made_for(config, directory, task->head());
  const TaskPredictor predictor(directory, task->head(), settings.load, settings.batch_tokens);
  require_same_vocabulary(tokenizer, predictor.config());

  ProgressCounter counter(progress, "evaluating", static_cast<std::int64_t>(data->size()), "units");
  const auto logits = predictor.predict(
      *data, [&](std::size_t units) { counter.advance(static_cast<std::int64_t>(units)); });
  auto report = data->evaluate(logits);
  EvaluateResult result;
  result.task = task->name();
  result.examples = data->examples();
  result.metrics = std::move(report.metrics);
  result.details = std::move(report.details);
  result.details_json = report.details_json.empty() ? "{}" : std::move(report.details_json);
  result.notes = data->notes();
  if (settings.predictions) result.predictions = data->predictions(logits);
  return result;
}

}  // namespace

double EvaluateResult::metric(std::string_view name) const {
  for (const auto& [known, value] : metrics) {
    if (known == name) return value;
  }
  throw ArgumentError(fmt::format("the task {} has no metric {}", task, excerpt(name)));
}

EvaluateResult evaluate(const EvaluateSettings& settings, const ProgressCallback& progress) {
  return evaluate_on(settings, settings.data, progress);
}

EvaluateResult evaluate(const EvaluateSettings& settings, const Examples& examples,
                        const ProgressCallback& progress) {
  if (!settings.data.empty()) {
    throw ArgumentError("examples are given both as a file and in memory: give one of them");
  }
  return evaluate_on(settings, DataSource(examples), progress);
}

}  // namespace cloze
