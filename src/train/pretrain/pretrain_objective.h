/// \file
/// What pre-training learns: masked tokens and next sentences, in phases of growing length.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bert/training/pretraining.h"
#include "cloze/pretrain.h"
#include "cloze/tokenizer.h"
#include "corpus/pretraining_data.h"
#include "train/run/loop.h"

namespace cloze {

/// A stretch of the run with data of its own: BERT's first has sequences of 128 tokens, its second,
/// the last tenth, of 512.
struct PretrainPhase {
  double until = 1;  ///< share of the run at which it ends
  PretrainingDataOptions data;
};

/// What a run works with; all of it must outlive the run.
struct PretrainInputs {
  internal::PretrainingModel& model;
  const Tokenizer& tokenizer;
  std::shared_ptr<const Corpus> corpus;
  std::vector<PretrainPhase> phases;                        ///< at least one, the last until 1
  std::vector<internal::PretrainingBatch> evaluation;       ///< held-out batches; may be empty
  std::int64_t max_shard_bytes = internal::kMaxShardBytes;  ///< larger weights are saved in parts
};

/// Where a run stands: what a checkpoint keeps beside model and optimizer.
struct PretrainState : internal::RunState {
  double average_loss = 0;  ///< moving, for the guard
  std::size_t phase = 0;
  DataPosition position;
  std::int64_t best_step = -1;
  double best_loss = 0;
  std::optional<PretrainEvaluation> evaluation;  ///< the last
  std::optional<PretrainMetrics> logged;         ///< of the last logged steps

  [[nodiscard]] std::string to_json() const;
  /// Throws FormatError, which `origin` begins.
  [[nodiscard]] static PretrainState from_json(std::string_view json, const std::string& origin);
};

/// The longest run, in seconds: thirty years.
inline constexpr double kLongestRun = 1e9;

/// Throws ArgumentError for settings that make no run.
void require_runnable(const PretrainSettings& settings);

/// Trains as `pretrain` (cloze/pretrain.h) says, with a model and data that are there; of the
/// settings only those of the course are read. With `resume_from` goes on from that checkpoint.
[[nodiscard]] PretrainResult run_pretraining(
    PretrainInputs inputs, const RunDirectory& directory, const PretrainSettings& settings,
    const std::optional<std::filesystem::path>& resume_from, const PretrainCallbacks& callbacks);

/// Writes the model as a Hugging Face directory: what transformers' BertForPreTraining (without the
/// next-sentence task BertForMaskedLM) loads. Throws IoError.
void save_pretrained_model(internal::PretrainingModel& model, const Tokenizer& tokenizer,
                           const std::filesystem::path& directory,
                           std::int64_t max_shard_bytes = internal::kMaxShardBytes);

/// Means of sums.
[[nodiscard]] PretrainMetrics metrics_of(const internal::PretrainingLoss& loss);

}  // namespace cloze
