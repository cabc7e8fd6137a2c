/// \file
/// The options of `cloze finetune`, and how a run's directory remembers them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/training_options.h"
#include "tasks/task.h"
#include "train/fine_tuner.h"

namespace cloze::cli {

struct FinetuneOptions : TrainingOptions {
  // The model.
  std::string model, size, vocab;
  bool cased = false, new_head = false;
  double dropout = -1, classifier_dropout = -1;  ///< instead of the configuration's

  // The task and its data.
  std::string task, train, dev;
  std::string text_column, pair_column, label_column;
  bool multi_label = false, no_document_context = false, version_2 = false;
  std::int64_t max_length = 0, stride = 128;
  std::int64_t max_train_samples = 0, max_dev_samples = 0;

  // Training.
  double epochs = 3;
  std::int64_t steps = 0, batch_size = 32, accumulation = 1, batch_tokens = 4096;
  std::string class_weights;
  double label_smoothing = 0, layer_decay = 1;
  std::int64_t freeze_layers = 0;
  bool freeze_embeddings = false;

  // What is best, and when it is enough.
  std::string best_metric;
  std::int64_t patience = 0;

  FinetuneOptions() {
    learning_rate = 5e-5;
    warmup = 0.1;
    epsilon = 1e-8;
  }

  void add_to(CLI::App& app);

  /// Throws UsageError for what is missing or does not go together.
  void require_complete() const;

  [[nodiscard]] TaskOptions task_options() const;
  /// Throws UsageError for names that mean nothing.
  [[nodiscard]] FineTuneSettings settings() const;

  /// `run.json`: these options, and the fingerprint of the training data.
  [[nodiscard]] std::string to_json(std::uint64_t fingerprint) const;
  /// Takes up what a run began with; says what this command line changes. Throws UsageError for
  /// what may not change.
  [[nodiscard]] std::vector<std::string> take_up(const CLI::App& app, const std::string& settings);
  /// Throws ModelError when the run began with other data.
  static void require_same_data(const std::string& settings, std::uint64_t fingerprint);
};

}  // namespace cloze::cli
