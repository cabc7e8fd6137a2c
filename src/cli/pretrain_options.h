/// \file
/// The options of `cloze pretrain`, and what of them a resumed run may change.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/training_options.h"

namespace cloze::cli {

// Members stand together by what they are about, not by size.
struct PretrainOptions : TrainingOptions {  // NOLINT(clang-analyzer-optin.performance.Padding)
  // What is trained.
  std::string size = "small", config, init, vocab;
  std::int64_t vocab_size = 0;
  bool cased = false;
  double dropout = -1;  ///< -1: as the configuration has it

  // On what.
  std::vector<std::string> text, dev;
  std::string documents = "blank-line", lines = "automatic";
  double held_out = 0.01;
  std::int64_t evaluation_sequences = 2000;
  bool no_next_sentence = false, whole_words = false;
  double masked = 0.15, short_sequences = 0.1;
  std::int64_t max_predictions = 0, duplicate_factor = 0;
  std::int64_t max_length = 128, long_length = 512;
  double long_share = 0;
  std::int64_t batch_sequences = 0, batch_tokens = 4096, accumulation = 1;
  int data_workers = 1;

  // How.
  std::int64_t steps = 0;
  std::string max_time;
  double loss_spike = 3;
  double save_every_minutes = 10;

  PretrainOptions() {
    learning_rate = 1e-4;
    warmup = 0.01;
    epsilon = 1e-6;
    seed = 42;
    keep = 2;
  }

  void add_to(CLI::App& app);

  /// Throws UsageError for a new run without text, vocabulary or end.
  void require_complete() const;

  /// `max_time` in seconds; 0 for none. Throws UsageError for what is no time.
  [[nodiscard]] double max_seconds() const;
  /// `warmup` as a share of the run; from 1 on it counts steps.
  [[nodiscard]] double warmup_share() const;
  /// Positions that the model is made with.
  [[nodiscard]] std::int64_t max_length_of_model() const;

  /// Everything that a resumed run needs, and what its data was.
  [[nodiscard]] std::string to_json(std::uint64_t fingerprint) const;

  /// Takes up the options of the run that `settings` describes wherever the command line states
  /// none. Throws UsageError for one that is stated, other, and not to be changed; returns a
  /// sentence for each that is changed.
  std::vector<std::string> take_up(const CLI::App& app, const std::string& settings);

  /// Throws ModelError when the text, the vocabulary or what is made of them is not what the run
  /// began with.
  static void require_same_data(const std::string& settings, std::uint64_t fingerprint);
};

}  // namespace cloze::cli
