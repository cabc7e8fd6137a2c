#include "cli/training_options.h"

#include <cstdint>

#include <fmt/format.h>

namespace cloze::cli {

void add_optimizer_options(CLI::App& app, TrainingSettings& settings) {
  auto& s = settings;
  add_number(app, "--learning-rate", s.learning_rate, "at its peak", above(0, kLargestNumber));
  add_named(app, "--schedule", name_of(s.schedule),
            "linear, cosine, constant, one-cycle, inverse-sqrt",
            [&s](const std::string& name) { s.schedule = schedule_from(name); });
  add_number(
      app, "--warmup", [&s](double warmup) { s.set_warmup(warmup); },
      "share of the run; from 1 on, steps", between(0, 1e12))
      ->default_str(fmt::format("{}", s.warmup_ratio));
  add_named(app, "--optimizer", name_of(s.optimizer.kind), "adamw or lamb",
            [&s](const std::string& name) { s.optimizer.kind = optimizer_from(name); });
  add_number(app, "--weight-decay", s.optimizer.weight_decay, "of all but biases and norms",
             between(0, kLargestNumber));
  add_number(app, "--beta1", s.optimizer.beta1, "", between(0, 0.9999999));
  add_number(app, "--beta2", s.optimizer.beta2, "", between(0, 0.9999999));
  add_number(app, "--epsilon", s.optimizer.epsilon, "", above(0, kLargestNumber));
  app.add_flag_callback(
      "--no-bias-correction", [&s] { s.optimizer.bias_correction = false; },
      "as google-research/bert's AdamW");
  add_number(app, "--max-grad-norm", s.optimizer.max_grad_norm, "clip at this norm; 0: do not",
             between(0, kLargestNumber));
}

void add_computation_options(CLI::App& app, TrainingSettings& settings) {
  add_named(app, "--dtype", name_of(settings.precision),
            "f32, bf16, or auto: the faster on this machine (cloze info --machine)",
            [&settings](const std::string& name) { settings.precision = precision_from(name); })
      ->type_name("TYPE")
      ->check(CLI::IsMember({"f32", "bf16", "auto"}));
  app.add_flag("--recompute", settings.recompute, "less memory for a third more arithmetic");
  add_seed(app, settings.seed, "of all that is random");
  add_count(app, "--threads", settings.threads, "threads; 0: all that the process may use", 0,
            4096);
}

void add_run_options(CLI::App& app, TrainingSettings& settings, const std::string& never_evaluate,
                     const std::string& never_save) {
  constexpr auto most = std::int64_t{1} << 40;
  app.add_option("--output,-o", settings.output, "the run's directory")->type_name("DIR");
  app.add_flag("--resume", settings.resume, "go on with the run in --output");
  app.add_flag("--overwrite", settings.overwrite, "replace the run in --output")
      ->excludes("--resume");
  add_count(app, "--log-every", settings.log_every, "steps", 1, most);
  add_count(app, "--evaluate-every", settings.evaluate_every, "steps; 0: " + never_evaluate, 0,
            most);
  add_count(app, "--save-every", settings.save_every, "steps; 0: " + never_save, 0, most);
  add_count(app, "--keep", settings.keep, "newest checkpoints kept, besides the best", 1, 1 << 20);
}

}  // namespace cloze::cli
