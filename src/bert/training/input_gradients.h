/// \file
/// A model of fixed parameters, differentiated by its inputs: a score that one of its heads gives a
/// sequence, and the gradient of that score by the embeddings. What attributions are made of.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bert/head_table.h"
#include "bert/weights.h"
#include "cloze/batch.h"
#include "cloze/config.h"
#include "cloze/tensor.h"
#include "ops/device.h"

namespace cloze::internal {

/// A logit of a sequence.
struct ScoredLogit {
  std::int32_t token = 0;   ///< place in the sequence; 0 for heads on the pooled output
  std::int32_t output = 0;  ///< label, vocabulary id, or 0 (start) and 1 (end) of an answer
};

/// Computes in f32 and without dropout. One thread calls it at a time; it uses the calling thread's
/// team. Holds the encoder's parameters once, and no gradients of them.
class InputGradients {
 public:
  /// `head` gives the logits that make the score. Throws ArgumentError for a head of no layer or of
  /// several, and as WeightSource::take does: ModelError where the checkpoint lacks the head.
  InputGradients(BertConfig config, WeightSource& weights, const HeadKind& head,
                 const ops::Device& device = ops::cpu());
  InputGradients(const InputGradients&) = delete;
  InputGradients& operator=(const InputGradients&) = delete;
  InputGradients(InputGradients&&) noexcept;
  InputGradients& operator=(InputGradients&&) noexcept;
  ~InputGradients();

  [[nodiscard]] const BertConfig& config() const;

  /// Word + position + token type embeddings of the batch, before the layer norm: f32 [tokens,
  /// embedding].
  [[nodiscard]] Tensor embedding_sums(const Batch& batch);

  /// Rows of the word embeddings: f32 [ids, embedding].
  [[nodiscard]] Tensor word_embeddings(std::span<const std::int32_t> ids);

  struct Result {
    std::vector<double> scores;  ///< [sequences]: the sum of the logits asked for
    Tensor gradients;  ///< [tokens, embedding]: of each sequence's score by its embedding sums
  };
  /// The scores of a batch whose embedding sums are `sums` (those that `embedding_sums` gave, or
  /// any others of that shape), and with `gradients` their gradients. The gradient by a word's
  /// embedding is that by the sum it is in. Throws ArgumentError for a logit that is not there.
  [[nodiscard]] Result run(const Batch& batch, const Tensor& sums,
                           std::span<const ScoredLogit> logits, bool gradients);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace cloze::internal
