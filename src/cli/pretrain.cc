// `cloze pretrain`: from text files to a BERT that has learnt.
#include "cloze/pretrain.h"

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

double percent(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
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
    auto line = fmt::format("step {:>6}  {:3.0f}%  loss {:.4f}", step.step, 100 * step.progress,
                            step.metrics.loss());
    if (next_sentence) {
      line += fmt::format(" (masked {:.4f}, next {:.4f})", step.metrics.masked_lm_loss,
                          step.metrics.next_sentence_loss);
    }
    say(line + fmt::format("  lr {:.2e}  norm {:.2f}  {} tokens/s, {:.0f}% of GEMM  {} left",
                           step.learning_rate, step.gradient_norm,
                           grouped(static_cast<std::int64_t>(step.tokens_per_s)),
                           100 * step.gemm_share, clock_text(step.seconds_left)));
  };
  callbacks.evaluation = [](const PretrainEvaluation& evaluation) {
    const auto& found = evaluation.metrics;
    auto line = fmt::format("held out at step {}: masked {:.4f} (perplexity {:.1f}, {:.1f}% right)",
                            evaluation.step, found.masked_lm_loss, found.perplexity(),
                            percent(found.masked_correct, found.masked));
    if (found.sequences > 0) {
      line += fmt::format(", next sentence {:.4f} ({:.1f}% right)", found.next_sentence_loss,
                          percent(found.next_sentence_correct, found.sequences));
    }
    say(line + (evaluation.best ? "  best so far" : ""));
  };
  return callbacks;
}

ordered_json summary_json(const PretrainResult& result, const PretrainSettings& settings) {
  const auto& last = result.last;
  ordered_json out;
  out["output"] = settings.output.string();
  out["finished"] = result.finished;
  out["steps"] = result.steps;
  out["tokens"] = result.tokens;
  out["seconds"] = result.seconds;
  out["masked_lm_loss"] = last.masked_lm_loss;
  out["perplexity"] = last.perplexity();
  out["masked_lm_accuracy"] = percent(last.masked_correct, last.masked) / 100;
  if (last.sequences > 0) {
    out["next_sentence_loss"] = last.next_sentence_loss;
    out["next_sentence_accuracy"] = percent(last.next_sentence_correct, last.sequences) / 100;
  }
  if (result.best_step >= 0) {
    out["best_step"] = result.best_step;
    out["best_loss"] = result.best_loss;
  }
  return out;
}

std::string summary(const PretrainResult& result, const PretrainSettings& settings) {
  const auto output = settings.output.string();
  return fmt::format(
      "{}: {} steps, {} tokens in {}; masked-LM loss {:.4f} (perplexity {:.1f})\n"
      "the curves:  tensorboard --logdir {}/tensorboard\n"
      "try it:      cloze fill-mask --model {} \"... [MASK] ...\"\n",
      result.finished ? "done" : "stopped, to be continued with --resume", grouped(result.steps),
      grouped(result.tokens), clock_text(result.seconds), result.last.masked_lm_loss,
      result.last.perplexity(), output, output);
}

}  // namespace

void run_pretrain(Arguments arguments) {
  run_training<PretrainSettings, PretrainResult>(
      {.about = "Pre-trains a BERT: masked language model and next sentence prediction.",
       .name = "cloze pretrain",
       .add_options = add_pretrain_options,
       .settings_of = pretrain_settings_of,
       .train = [](const auto& settings,
                   auto& watch) { return pretrain(settings, callbacks_for(settings, watch)); },
       .summary = summary,
       .json = summary_json},
      arguments);
}

}  // namespace cloze::cli
