/// \file
/// BERT with its pre-training heads, trainable: masked language model and next sentence prediction
/// (Devlin et al., arXiv:1810.04805, section 3.1), forward and backward on packed batches.
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

/// Packed examples of pre-training: the inputs with their masks applied, and what was there.
struct PretrainingBatch {
  Batch inputs;
  std::vector<std::int32_t> masked_positions;  ///< [masked], rows of the packed tokens, ascending
  std::vector<std::int32_t> masked_labels;     ///< [masked], the original ids
  /// [sequences], 0: the second segment is what followed, 1: random (transformers' and Google's
  /// order). Empty when there is no next-sentence task.
  std::vector<std::int32_t> next_sentence_labels;

  [[nodiscard]] std::int64_t masked() const {
    return static_cast<std::int64_t>(masked_positions.size());
  }
};

/// Sums, not means, so that batches add up exactly.
struct PretrainingLoss {
  double masked_lm_sum = 0;  ///< of -log p(label), nats
  std::int64_t masked = 0;
  std::int64_t masked_correct = 0;  ///< labels that were the most probable
  double next_sentence_sum = 0;
  std::int64_t sequences = 0;  ///< with a next-sentence label
  std::int64_t next_sentence_correct = 0;

  [[nodiscard]] double masked_lm_loss() const;      ///< mean a masked token; 0 for none
  [[nodiscard]] double next_sentence_loss() const;  ///< mean a sequence; 0 for none
  [[nodiscard]] double loss() const { return masked_lm_loss() + next_sentence_loss(); }
  PretrainingLoss& operator+=(const PretrainingLoss& other);
};

/// What scales a batch's gradients, and what its dropout is a function of.
struct TrainingPass {
  /// One over the masked tokens (sequences) of all batches whose gradients are accumulated before
  /// the optimizer's step, so that accumulation averages tokens exactly.
  double masked_lm_scale = 1;
  double next_sentence_scale = 1;
  std::uint64_t seed = 0;
  /// Counts passes: every forward_backward of a run has its own, and its dropout follows from it.
  std::uint64_t pass = 0;
  bool dropout = true;         ///< with the configuration's probabilities
  Profile* profile = nullptr;  ///< receives the cost of each kind of operation
};

struct TrainingOptions {
  /// f32, or bf16: products of bf16 with f32 sums, f32 master weights. Throws ModelError where the
  /// machine cannot.
  DType compute = DType::f32;
  bool next_sentence = true;
  /// Keeps each layer's input alone and computes the rest again in the backward pass: less memory
  /// for about a third more arithmetic.
  bool recompute = false;
  const ops::Device* device = &ops::cpu();  ///< must outlive the model

  /// BertForPreTraining, or without the next-sentence task BertForMaskedLM.
  [[nodiscard]] const HeadKind& head() const {
    return next_sentence ? heads::pretraining : heads::masked_lm;
  }
};

/// The trainable model. One thread calls it at a time; it uses the calling thread's team.
class PretrainingModel {
 public:
  /// Takes the values from `weights` (a checkpoint, or RandomWeights). Throws as
  /// WeightSource::take does.
  PretrainingModel(BertConfig config, WeightSource& weights, const TrainingOptions& options);
  PretrainingModel(const PretrainingModel&) = delete;
  PretrainingModel& operator=(const PretrainingModel&) = delete;
  PretrainingModel(PretrainingModel&&) noexcept;
  PretrainingModel& operator=(PretrainingModel&&) noexcept;
  ~PretrainingModel();

  [[nodiscard]] const BertConfig& config() const;
  [[nodiscard]] const TrainingOptions& options() const;
  [[nodiscard]] Parameters& parameters();

  /// Must be called after something else than an Optimizer changed the parameters' values, before
  /// the next pass.
  void parameters_changed();

  /// Loss of the batch, its gradients added to the parameters' gradients.
  PretrainingLoss forward_backward(const PretrainingBatch& batch, const TrainingPass& pass);

  /// Loss of the batch without dropout and without gradients.
  [[nodiscard]] PretrainingLoss evaluate(const PretrainingBatch& batch);

  /// Logits [positions, vocab] of the masked-LM head at these rows of the packed tokens.
  [[nodiscard]] Tensor predict(const Batch& batch, std::span<const std::int32_t> positions);

  /// Arithmetic of the matrix products of one forward_backward on the batch, for the share of the
  /// machine's rate: forward 2·m·n·k a product, backward twice that.
  [[nodiscard]] double operations(const PretrainingBatch& batch) const;

  /// Bytes of working memory (activations) held now.
  [[nodiscard]] std::size_t activation_bytes() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace cloze::internal
