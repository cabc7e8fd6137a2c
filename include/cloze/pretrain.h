/// \file
/// Pre-training from plain text: masked language model and next sentence prediction (Devlin et al.,
/// arXiv:1810.04805). docs/pretraining.md has the details.
///
///     PretrainSettings settings;
///     settings.text = {"books.txt"};
///     settings.vocab_size = 8000;
///     settings.size = "mini";
///     settings.steps = 10000;
///     settings.output = "run";
///     const auto result = pretrain(settings);
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/tensor.h"
#include "cloze/text_corpus.h"
#include "cloze/training.h"

#pragma GCC visibility push(default)
namespace cloze {

/// The defaults are those of google-research/bert, except that every epoch has masks of its own.
struct PretrainSettings : TrainingSettings {
  PretrainSettings() {
    warmup_ratio = 0.01;
    seed = 42;
    keep = 2;
  }

  // What is trained.
  std::string size = "small";    ///< of a new model: "tiny" to "large" (model_sizes.h)
  std::filesystem::path config;  ///< a config.json for a new model instead of a size
  std::string init;              ///< go on from this model (directory or name), with its tokenizer
  std::filesystem::path vocab;   ///< a vocab.txt, or a directory with a tokenizer
  std::int64_t vocab_size = 0;   ///< or train a vocabulary of so many tokens on the text
  bool cased = false;            ///< keep upper case and accents

  // On what.
  std::vector<std::filesystem::path> text;  ///< files, or directories of them
  std::vector<std::filesystem::path> dev;   ///< text to evaluate on instead of held-out documents
  DocumentBreak documents = DocumentBreak::blank_line;
  LineKind lines = LineKind::automatic;
  double held_out = 0.01;                    ///< share of the documents to evaluate on
  std::int64_t evaluation_sequences = 2000;  ///< evaluated on, at most
  bool next_sentence = true;                 ///< pairs; else single sequences, and masks alone
  bool whole_word_masking = false;           ///< mask all pieces of a word or none
  double mlm_probability = 0.15;             ///< share of the tokens to predict
  std::int64_t max_predictions = 0;   ///< masks a sequence at most; 0: Google's (20 for 128 tokens)
  double short_sequences = 0.1;       ///< share of shorter sequences
  std::int64_t duplicate_factor = 0;  ///< so many different maskings; 0: new ones every epoch
  std::int64_t max_length = 128;      ///< tokens of a sequence
  double long_share = 0;              ///< last share of the run, with longer sequences
  std::int64_t long_length = 512;     ///< tokens of those
  std::int64_t batch_sequences = 0;   ///< sequences of a batch; 0: by tokens
  std::int64_t batch_tokens = 4096;   ///< tokens of a batch, at most
  std::int64_t accumulation = 1;      ///< batches that make a step
  int data_workers = 1;               ///< background threads that prepare batches

  // How long.
  std::int64_t steps = 0;  ///< optimizer steps; 0: as many as fit in `max_seconds`
  /// Of training, resumed stretches added up; the schedule ends there. 0: no limit.
  double max_seconds = 0;
  /// The run stops where the loss is more than so many times its moving average; 0: no guard.
  double loss_spike = 3;
  double save_every_minutes = 10;  ///< besides `save_every`; 0: by steps alone
};

/// Loss and hits of the masked tokens and of the next sentences that were looked at.
struct PretrainMetrics {
  double masked_lm_loss = 0;  ///< mean a masked token, nats
  std::int64_t masked = 0;
  std::int64_t masked_correct = 0;  ///< the right token was the most probable
  double next_sentence_loss = 0;    ///< mean a sequence; 0 without the task
  std::int64_t sequences = 0;       ///< with a next-sentence label; 0 without the task
  std::int64_t next_sentence_correct = 0;

  [[nodiscard]] double loss() const { return masked_lm_loss + next_sentence_loss; }
  [[nodiscard]] double perplexity() const;  ///< of masked tokens
};

/// What a run begins with.
struct PretrainStart {
  std::int64_t documents = 0;         ///< to train on
  std::int64_t text_bytes = 0;        ///< of all files
  std::int64_t tokens_per_epoch = 0;  ///< estimated from a sample
  std::int64_t parameters = 0;
  DType compute = DType::f32;  ///< what the precision means on this machine
};

/// What a logged step was like, averages since the last one.
struct PretrainStep {
  std::int64_t step = 0;
  double progress = 0;  ///< share of the run
  PretrainMetrics metrics;
  double learning_rate = 0;
  double gradient_norm = 0;
  double tokens_per_s = 0;
  double gemm_share = 0;    ///< of what oneDNN alone reaches on the step's products
  double waited_share = 0;  ///< of the time, for data
  double seconds_left = 0;
  std::int64_t tokens = 0;  ///< since the run began
};

/// An evaluation on the held-out text.
struct PretrainEvaluation {
  std::int64_t step = 0;
  PretrainMetrics metrics;
  bool best = false;  ///< so far
};

/// Whom pre-training tells what it does; any may be empty.
struct PretrainCallbacks : TrainingCallbacks {
  std::function<void(const PretrainStart&)> start;
  std::function<void(const PretrainStep&)> step;
  std::function<void(const PretrainEvaluation&)> evaluation;
};

/// What a run of pre-training came to.
struct PretrainResult {
  bool finished = false;  ///< otherwise stopped on request
  std::int64_t steps = 0;
  std::int64_t tokens = 0;
  double seconds = 0;  ///< of training, resumed stretches added up
  /// The last evaluation, of a resumed run that had no more to do the saved one; nothing: none was
  /// made.
  std::optional<PretrainEvaluation> last;
  std::optional<PretrainMetrics> training;  ///< of the last logged steps; nothing: none was logged
  std::int64_t best_step = -1;              ///< -1: nothing was evaluated
  double best_loss = 0;
};

/// Trains until the steps or the time are up, or `should_stop` says so; then, and on the schedule,
/// saves. `output` holds the best model as a Hugging Face directory of its own, checkpoints, and
/// event files for TensorBoard. A resumed run ends with the same bits where steps, not time, limit
/// it. Throws as `finetune` does, and ModelError when the loss leaps.
[[nodiscard]] PretrainResult pretrain(const PretrainSettings& settings,
                                      const PretrainCallbacks& callbacks = {});

/// "90", "90s", "20m" or "1.5h" in seconds, for `PretrainSettings::max_seconds`. Throws
/// ArgumentError for what is no time.
[[nodiscard]] double seconds_from(std::string_view text);

/// The settings that the run in a directory began with, to resume it: `resume` and `output` are
/// set. Throws ArgumentError where there is no run, IoError, FormatError.
[[nodiscard]] PretrainSettings pretrain_settings_of(const std::filesystem::path& run_directory);

}  // namespace cloze

#pragma GCC visibility pop
