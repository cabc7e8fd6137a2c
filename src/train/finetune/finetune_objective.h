/// \file
/// What fine-tuning learns: epochs over a task's examples, its metrics, and the best model with a
/// card.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bert/training/task_model.h"
#include "cloze/finetune.h"
#include "cloze/tokenizer.h"
#include "tasks/task.h"
#include "train/run/loop.h"

namespace cloze {

/// What a run works with; all of it must outlive the run.
struct FinetuneInputs {
  internal::TaskModel& model;  ///< with the config that `task` configured
  const Task& task;
  const Tokenizer& tokenizer;
  const TaskData& train;
  const TaskData* dev = nullptr;  ///< none: nothing is evaluated, and the last model counts
  // For the model card.
  std::string base_model, train_name, dev_name;
  /// The base model's config_sentence_transformers.json (prompts, ...), which the trained one keeps;
  /// empty for none.
  std::string model_settings{};
  std::int64_t max_shard_bytes = internal::kMaxShardBytes;  ///< larger weights are saved in parts
};

/// Where a run stands: what a checkpoint keeps beside model and optimizer.
struct FinetuneState : internal::RunState {
  std::int64_t passes = 0;                ///< forward_backward calls
  internal::TaskLossSum since_evaluated;  ///< training losses
  std::int64_t without_better = 0;        ///< evaluations since the best
  bool stopped_early = false;
  std::vector<FinetuneEvaluation> evaluations;
  std::string best_details, best_details_json;  ///< TaskReport's, of the best

  /// The best evaluation; none: nullptr.
  [[nodiscard]] const FinetuneEvaluation* best() const;

  [[nodiscard]] std::string to_json() const;
  /// Throws FormatError, which `origin` begins.
  [[nodiscard]] static FinetuneState from_json(std::string_view json, const std::string& origin);
};

/// Optimizer steps of an epoch, and of the run.
[[nodiscard]] std::int64_t steps_per_epoch(std::size_t units, const FinetuneSettings& settings);
[[nodiscard]] std::int64_t total_steps(std::size_t units, const FinetuneSettings& settings);

/// Sets each parameter's learning rate: the head's and pooler's are 1, the last layer's `decay`,
/// the one's below decay², ..., the embeddings' the least (Sun et al., arXiv:1905.05583,
/// section 5.3.4). Frozen ones stay frozen.
void set_layer_rates(internal::Parameters& parameters, std::int64_t layers, double decay);

/// Throws ArgumentError for settings that make no run with these inputs.
void require_runnable(const FinetuneInputs& inputs, const FinetuneSettings& settings);

/// Trains as `finetune` (cloze/finetune.h) says, with a model and data that are there; of the
/// settings only those of the course are read. With `resume_from` goes on from that checkpoint.
[[nodiscard]] FinetuneResult run_finetuning(FinetuneInputs inputs, const RunDirectory& directory,
                                            const FinetuneSettings& settings,
                                            const std::optional<std::filesystem::path>& resume_from,
                                            const FinetuneCallbacks& callbacks);

}  // namespace cloze
