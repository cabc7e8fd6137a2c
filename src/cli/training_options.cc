#include "cli/training_options.h"

#include "cli/options.h"

namespace cloze::cli {

void TrainingOptions::add_optimizer(CLI::App& app) {
  app.add_option("--learning-rate", learning_rate, "at its peak")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--schedule", schedule, "linear, cosine, constant, one-cycle, inverse-sqrt")
      ->capture_default_str();
  app.add_option("--warmup", warmup, "share of the run; from 1 on, steps")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--optimizer", optimizer, "adamw or lamb")->capture_default_str();
  app.add_option("--weight-decay", weight_decay, "of all but biases and norms")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--beta1", beta1)->capture_default_str()->check(CLI::Range(0.0, 0.9999999));
  app.add_option("--beta2", beta2)->capture_default_str()->check(CLI::Range(0.0, 0.9999999));
  app.add_option("--epsilon", epsilon)->capture_default_str()->check(CLI::PositiveNumber);
  app.add_flag("--no-bias-correction", no_bias_correction, "as google-research/bert's AdamW");
  app.add_option("--max-grad-norm", max_grad_norm, "clip at this norm; 0: do not")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
}

void TrainingOptions::add_computation(CLI::App& app) {
  app.add_option("--dtype", dtype, "f32, bf16, or auto: bf16 where the machine has it")
      ->type_name("TYPE")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "auto"}));
  app.add_flag("--recompute", recompute, "less memory for a third more arithmetic");
  app.add_option("--seed", seed, "of all that is random")->capture_default_str();
  app.add_option("--threads", threads, "threads; 0: all cores")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(0, 4096));
}

void TrainingOptions::add_run(CLI::App& app, const std::string& never_evaluate,
                              const std::string& never_save) {
  constexpr auto most = std::int64_t{1} << 40;
  const auto steps = [&](const char* name, std::int64_t& target, const std::string& about,
                         std::int64_t lowest) {
    app.add_option(name, target, about)
        ->type_name("N")
        ->capture_default_str()
        ->check(in_range(lowest, most));
  };
  app.add_option("--output,-o", output, "the run's directory")->type_name("DIR");
  app.add_flag("--resume", resume, "go on with the run in --output");
  app.add_flag("--overwrite", overwrite, "replace the run in --output")->excludes("--resume");
  steps("--log-every", log_every, "steps", 1);
  steps("--evaluate-every", evaluate_every, "steps; 0: " + never_evaluate, 0);
  steps("--save-every", save_every, "steps; 0: " + never_save, 0);
  app.add_option("--keep", keep, "newest checkpoints kept, besides the best")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(1, 1 << 20));
  app.add_flag("--json", json, "the result as one JSON object");
}

OptimizerSettings TrainingOptions::optimizer_settings() const {
  return {.kind = as_usage([&] { return optimizer_from(optimizer); }),
          .beta1 = beta1,
          .beta2 = beta2,
          .epsilon = epsilon,
          .weight_decay = weight_decay,
          .bias_correction = !no_bias_correction,
          .max_grad_norm = max_grad_norm};
}

}  // namespace cloze::cli
