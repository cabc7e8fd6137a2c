// `cloze pretrain`: from text files to a BERT that has learnt.
#include "cloze/pretrain.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>

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

/// NaN, which is "–" in texts and null in JSON, where there is no such figure.
double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? NAN : static_cast<double>(part) / static_cast<double>(whole);
}

std::string percent(std::int64_t part, std::int64_t whole) {
  return figure(100 * share(part, whole), 1);
}

double masked_lm_loss(const PretrainMetrics& metrics) {
  return metrics.masked == 0 ? NAN : metrics.masked_lm_loss;
}

double next_sentence_loss(const PretrainMetrics& metrics) {
  return metrics.sequences == 0 ? NAN : metrics.next_sentence_loss;
}

PretrainCallbacks callbacks_for(const PretrainSettings& settings,
                                std::optional<StopOnSignal>& watch) {
  PretrainCallbacks callbacks;
  speak(callbacks);
  callbacks.start = [&watch](const PretrainStart& start) {
    watch.emplace();
    say(fmt::format("{} documents, {:.1f} MB of text, about {} tokens an epoch; {} parameters, {}",
                    grouped(start.documents), static_cast<double>(start.text_bytes) / 1e6,
                    grouped(start.tokens_per_epoch), grouped(start.parameters),
                    name_of(start.compute)));
  };
  callbacks.step = [next_sentence = settings.next_sentence](const PretrainStep& step) {
    auto line = fmt::format("step {:>6}  {:3.0f}%  loss {}", step.step, 100 * step.progress,
                            figure(step.metrics.loss()));
    if (next_sentence) {
      line += fmt::format(" (masked {}, next {})", figure(masked_lm_loss(step.metrics)),
                          figure(next_sentence_loss(step.metrics)));
    }
    say(line + fmt::format("  lr {:.2e}  norm {:.2f}  {} tokens/s, {}% of GEMM  {} left",
                           step.learning_rate, step.gradient_norm,
                           grouped(static_cast<std::int64_t>(step.tokens_per_s)),
                           figure(100 * step.gemm_share, 0), clock_text(step.seconds_left)));
  };
  callbacks.evaluation = [](const PretrainEvaluation& evaluation) {
    const auto& found = evaluation.metrics;
    const double loss = masked_lm_loss(found);
    auto line = fmt::format("held out at step {}: masked {} (perplexity {}, {}% right)",
                            evaluation.step, figure(loss), figure(std::exp(loss), 1),
                            percent(found.masked_correct, found.masked));
    if (found.sequences > 0) {
      line += fmt::format(", next sentence {} ({}% right)", figure(next_sentence_loss(found)),
                          percent(found.next_sentence_correct, found.sequences));
    }
    say(line + (evaluation.best ? "  best so far" : ""));
  };
  return callbacks;
}

ordered_json summary_json(const PretrainResult& result, const PretrainSettings& settings) {
  // A figure that there is not is NaN, which JSON writes as null.
  const auto last = result.last.value_or(PretrainEvaluation());
  const auto& found = last.metrics;
  ordered_json out;
  out["output"] = settings.output.string();
  out["finished"] = result.finished;
  out["steps"] = result.steps;
  out["tokens"] = result.tokens;
  out["seconds"] = result.seconds;
  out["evaluated_step"] = result.last ? ordered_json(last.step) : ordered_json();
  out["masked_lm_loss"] = masked_lm_loss(found);
  out["perplexity"] = std::exp(masked_lm_loss(found));
  out["masked_lm_accuracy"] = share(found.masked_correct, found.masked);
  if (settings.next_sentence) {
    out["next_sentence_loss"] = next_sentence_loss(found);
    out["next_sentence_accuracy"] = share(found.next_sentence_correct, found.sequences);
  }
  const bool has_best = result.best_step >= 0;
  out["best_step"] = has_best ? ordered_json(result.best_step) : ordered_json();
  out["best_loss"] = has_best ? ordered_json(result.best_loss) : ordered_json();
  out["train_loss"] = result.training ? ordered_json(result.training->loss()) : ordered_json();
  return out;
}

std::string summary(const PretrainResult& result, const PretrainSettings& settings) {
  const auto output = settings.output.string();
  const double loss = masked_lm_loss(result.last.value_or(PretrainEvaluation()).metrics);
  const double training = result.training ? result.training->loss() : NAN;
  return fmt::format(
      "{}: {} steps, {} tokens in {}; held-out masked-LM loss {} (perplexity {}), training loss "
      "{}\n"
      "the curves:  tensorboard --logdir {}/tensorboard\n"
      "try it:      cloze fill-mask --model {} \"... [MASK] ...\"\n",
      result.finished ? "done" : "stopped, to be continued with --resume", grouped(result.steps),
      grouped(result.tokens), clock_text(result.seconds), figure(loss), figure(std::exp(loss), 1),
      figure(training), output, output);
}

}  // namespace

void run_pretrain(Arguments arguments) {
  run_training<PretrainSettings, PretrainResult>(
      {.about = "Pre-trains a BERT: masked language model and next sentence prediction.",
       .name = "cloze pretrain",
       .add_options = add_pretrain_options,
       .settings_of = pretrain_settings_of,
       .train = [](auto& settings,
                   auto& watch) { return pretrain(settings, callbacks_for(settings, watch)); },
       .summary = summary,
       .json = summary_json},
      arguments);
}

}  // namespace cloze::cli
