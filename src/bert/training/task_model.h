/// \file
/// BERT with the head of a task, trainable: every row of the table of heads that has at most one
/// layer and learns from labelled examples, forward and backward on packed batches.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bert/head_table.h"
#include "bert/training/parameters.h"
#include "cloze/batch.h"
#include "cloze/config.h"
#include "cloze/profile.h"
#include "ops/device.h"

namespace cloze::internal {

/// A label that no loss is taken of: transformers' -100.
inline constexpr std::int32_t kIgnoredLabel = -100;

/// Packed examples of a task with what is wanted of them. Which members are read follows from the
/// head's unit and the loss; without labels a batch can still be predicted.
struct TaskBatch {
  Batch inputs;
  /// Cross entropy, by the head's unit: of each sequence, of each packed token (kIgnoredLabel where
  /// none counts), or of each group of choices: the right one's place in it.
  std::vector<std::int32_t> labels{};
  /// The other losses: [rows, outputs]; cosine error: [sequences / 2].
  std::vector<float> targets{};
  /// Spans: [sequences], places within the sequence of the answer's first and last token, 0
  /// ([CLS]) where there is none.
  std::vector<std::int32_t> start_positions{}, end_positions{};
  /// Choices: how many neighbouring sequences make each group; their sum is `sequences`.
  std::vector<std::int32_t> choices{};
};

struct TaskModelOptions {
  const HeadKind* head = &heads::sequence_classification;
  TaskLoss loss = TaskLoss::cross_entropy;
  DType compute = DType::f32;               ///< as TrainingOptions::compute
  bool recompute = false;                   ///< as TrainingOptions::recompute
  const ops::Device* device = &ops::cpu();  ///< must outlive the model
  /// Cross entropy: what the loss of each label counts, PyTorch's `weight`; empty: all 1.
  std::vector<float> class_weights{};
  /// Cross entropy: PyTorch's `label_smoothing`, the share of a label spread over all labels.
  double label_smoothing = 0;
  /// What is not trained: the first so many layers with the embeddings below them, or these alone.
  std::int64_t freeze_layers = 0;
  bool freeze_embeddings = false;
};

/// Sums, not means, so that batches add up exactly: loss = sum / weight.
struct TaskLossSum {
  double sum = 0;
  /// What the sum is divided by: labels that count (with class weights: their weights), elements
  /// of `targets`, pairs, or for spans twice the sequences.
  double weight = 0;
  std::int64_t labelled = 0;  ///< labels that count
  std::int64_t correct = 0;   ///< of them, those that had the greatest logit (cross entropy)
  [[nodiscard]] double loss() const { return weight == 0 ? 0 : sum / weight; }
  TaskLossSum& operator+=(const TaskLossSum& other);
};

/// What scales a batch's gradients, and what its dropout is a function of.
struct TaskPass {
  /// One over the `weight` of all batches whose gradients make one step.
  double scale = 1;
  std::uint64_t seed = 0;
  std::uint64_t pass = 0;  ///< every forward_backward of a run has its own
  bool dropout = true;
  Profile* profile = nullptr;
};

/// The trainable model. One thread calls it at a time; it uses the calling thread's team.
class TaskModel {
 public:
  /// Takes the encoder's values from `weights`, and the head's (and pooler's) where it has them in
  /// the right shape and `fresh_head` does not forbid it; else the head is initialised as BERT's
  /// is, by `seed`; `fresh_head` forbids the classifier's values, not the pooler's. Throws as
  /// WeightSource::take does, ArgumentError for options that do not fit.
  TaskModel(BertConfig config, WeightSource& weights, const TaskModelOptions& options,
            std::uint64_t seed, bool fresh_head = false);
  TaskModel(const TaskModel&) = delete;
  TaskModel& operator=(const TaskModel&) = delete;
  TaskModel(TaskModel&&) noexcept;
  TaskModel& operator=(TaskModel&&) noexcept;
  ~TaskModel();

  [[nodiscard]] const BertConfig& config() const;
  [[nodiscard]] const TaskModelOptions& options() const;
  [[nodiscard]] Parameters& parameters();
  /// Whether the head (the pooler included) was newly initialised.
  [[nodiscard]] bool has_new_head() const;

  /// Must be called after something else than an Optimizer changed the parameters' values, before
  /// the next pass.
  void parameters_changed();

  /// What the loss of this batch is divided by, known before it is computed.
  [[nodiscard]] double weight(const TaskBatch& batch) const;

  /// Loss of the batch, its gradients added to the parameters' gradients. Throws ArgumentError for
  /// labels that do not fit the batch or the head.
  TaskLossSum forward_backward(const TaskBatch& batch, const TaskPass& pass);

  /// Loss without dropout and gradients.
  [[nodiscard]] TaskLossSum evaluate(const TaskBatch& batch);

  /// Logits without dropout, f32, of the rows that HeadUnit says. With `loss`, the batch's loss
  /// (it must have labels).
  [[nodiscard]] Tensor predict(const TaskBatch& batch, TaskLossSum* loss = nullptr);

  [[nodiscard]] std::size_t activation_bytes() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// How many rows of the logits belong to each unit of the batch, in its order: a sequence, a group
/// of choices or a pair. Their sum is the number of rows.
[[nodiscard]] std::vector<std::int64_t> rows_of_units(const HeadKind& head, const TaskBatch& batch);

}  // namespace cloze::internal
