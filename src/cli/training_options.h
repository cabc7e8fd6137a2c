/// \file
/// The options that the commands which train share: the optimizer's, the computation's, the run's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include <CLI/CLI.hpp>

#include "cli/kept_options.h"
#include "train/optimizer.h"

namespace cloze::cli {

struct TrainingOptions {
  // The optimizer.
  std::string schedule = "linear", optimizer = "adamw";
  double learning_rate = 1e-4, warmup = 0, weight_decay = 0.01, max_grad_norm = 1;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-6;
  bool no_bias_correction = false;

  // The computation.
  std::string dtype = "auto";
  bool recompute = false;
  std::uint64_t seed = 0;
  int threads = 0;

  // The run.
  std::string output;
  bool resume = false, overwrite = false, json = false;
  std::int64_t log_every = 20, evaluate_every = 0, save_every = 0, keep = 1;

  void add_optimizer(CLI::App& app);
  void add_computation(CLI::App& app);
  /// What 0 means for --evaluate-every and --save-every is for the command to say.
  void add_run(CLI::App& app, const std::string& never_evaluate, const std::string& never_save);

  /// Throws UsageError for an optimizer that there is not.
  [[nodiscard]] OptimizerSettings optimizer_settings() const;
};

/// The part of `run.json` that is theirs. What changes the arithmetic of a step may not change when
/// a run is resumed; what a run costs and what it tells may.
template <class O>
constexpr std::array kept_training_options{
    kept_option<O, &O::dtype>("dtype"),
    kept_option<O, &O::schedule>("schedule"),
    kept_option<O, &O::optimizer>("optimizer"),
    kept_option<O, &O::learning_rate>("learning-rate"),
    kept_option<O, &O::warmup>("warmup"),
    kept_option<O, &O::weight_decay>("weight-decay"),
    kept_option<O, &O::max_grad_norm>("max-grad-norm"),
    kept_option<O, &O::beta1>("beta1"),
    kept_option<O, &O::beta2>("beta2"),
    kept_option<O, &O::epsilon>("epsilon"),
    kept_option<O, &O::no_bias_correction>("no-bias-correction"),
    kept_option<O, &O::recompute>("recompute", true),
    kept_option<O, &O::seed>("seed"),
    kept_option<O, &O::threads>("threads", true),
    kept_option<O, &O::log_every>("log-every", true),
    kept_option<O, &O::evaluate_every>("evaluate-every", true),
    kept_option<O, &O::save_every>("save-every", true),
    kept_option<O, &O::keep>("keep", true)};

/// One list of two.
template <class T, std::size_t n, std::size_t m>
constexpr std::array<T, n + m> joined(const std::array<T, n>& a, const std::array<T, m>& b) {
  std::array<T, n + m> all{};
  for (std::size_t i = 0; i < n; ++i) all[i] = a[i];
  for (std::size_t i = 0; i < m; ++i) all[n + i] = b[i];
  return all;
}

}  // namespace cloze::cli
