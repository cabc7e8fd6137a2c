// `cloze finetune`: a BERT and examples of a task make a model of the task.
#include "cloze/finetune.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/training_options.h"
#include "cli/training_run.h"

namespace cloze::cli {
namespace {

using nlohmann::ordered_json;

FinetuneCallbacks callbacks_for(const FinetuneSettings& settings,
                                std::optional<StopOnSignal>& watch) {
  FinetuneCallbacks callbacks;
  speak(callbacks);
  callbacks.start = [&watch, task = settings.task](const FinetuneStart& start) {
    watch.emplace();
    say(fmt::format("{}: {} examples to learn from, {} to evaluate on; {} parameters, {}{}", task,
                    grouped(static_cast<std::int64_t>(start.examples)),
                    grouped(static_cast<std::int64_t>(start.dev_examples)),
                    grouped(start.parameters), name_of(start.compute),
                    !start.new_head   ? ""
                    : *start.new_head ? ", a new head"
                                      : ", the head that the model has"));
  };
  callbacks.step = [](const FinetuneStep& step) {
    say(fmt::format(
        "step {:>6}  {:3.0f}%  epoch {:.2f}  loss {}  lr {:.2e}  norm {:.2f}  "
        "{} tokens/s  {} left",
        step.step, 100 * step.progress, step.epoch, figure(step.loss), step.learning_rate,
        step.gradient_norm, grouped(static_cast<std::int64_t>(step.tokens_per_s)),
        clock_text(step.seconds_left)));
  };
  callbacks.evaluation = [](const FinetuneEvaluation& evaluation) {
    auto line = fmt::format("dev set after epoch {:.2f}: loss {}", evaluation.epoch,
                            figure(evaluation.loss));
    for (const auto& [name, value] : evaluation.metrics) {
      line += fmt::format(", {} {}", name, figure(value));
    }
    say(line + (evaluation.best ? "  best so far" : ""));
  };
  return callbacks;
}

ordered_json metrics_json(const FinetuneEvaluation& evaluation) {
  ordered_json json;
  json["loss"] = evaluation.loss;
  for (const auto& [name, value] : evaluation.metrics) json[name] = value;
  return json;
}

ordered_json summary_json(const FinetuneResult& result, const FinetuneSettings& settings) {
  ordered_json out;
  out["output"] = settings.output.string();
  out["finished"] = result.finished;
  out["stopped_early"] = result.stopped_early;
  out["epochs"] = result.epochs;
  out["steps"] = result.steps;
  out["tokens"] = result.tokens;
  out["seconds"] = result.seconds;
  const auto* best = result.best();
  out["best_step"] = best == nullptr ? ordered_json() : ordered_json(best->step);
  out["metrics"] = best == nullptr ? ordered_json() : metrics_json(*best);
  out["history"] = ordered_json::array();
  for (const auto& evaluation : result.evaluations) {
    auto entry = metrics_json(evaluation);
    entry["step"] = evaluation.step;
    entry["epoch"] = evaluation.epoch;
    entry["train_loss"] = evaluation.train_loss;
    out["history"].push_back(std::move(entry));
  }
  if (!result.details_json.empty()) {
    out["details"] = ordered_json::parse(result.details_json, nullptr, false);
  }
  return out;
}

/// The command that answers with a model of the task.
std::string_view command_of(const FinetuneSettings& settings) {
  for (const auto& task : tasks()) {
    if (task.name == settings.task) return command_for(task.pipeline);
  }
  return "";
}

std::string summary(const FinetuneResult& result, const FinetuneSettings& settings) {
  auto text = results_table(result.evaluations);
  if (!result.details.empty()) text += '\n' + result.details;
  if (!text.empty()) text += '\n';
  const auto output = settings.output.string();
  text += fmt::format(
      "{}: {} steps, {} tokens in {}; the model is {}{}\n",
      result.finished ? "done" : "stopped, to be continued with --resume", grouped(result.steps),
      grouped(result.tokens), clock_text(result.seconds), output,
      result.best() == nullptr ? "" : fmt::format(" (of step {})", result.best()->step));
  text += fmt::format("try it:      cloze {} --model {} ...\n", command_of(settings), output);
  text += fmt::format("the curves:  tensorboard --logdir {}/tensorboard\n", output);
  return text;
}

}  // namespace

void run_finetune(Arguments arguments) {
  run_training<FinetuneSettings, FinetuneResult>(
      {.about = "Fine-tunes a BERT for a task: classification, entities, answers, and others.",
       .name = "cloze finetune",
       .add_options = add_finetune_options,
       .settings_of = finetune_settings_of,
       .train =
           [](auto& settings, auto& watch) {
             settings.usage =
                 fmt::format("cloze {} --model DIR ...\ncloze evaluate --model DIR --data FILE",
                             command_of(settings));
             return finetune(settings, callbacks_for(settings, watch));
           },
       .summary = summary,
       .json = summary_json},
      arguments);
}

}  // namespace cloze::cli
