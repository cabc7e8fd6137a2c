/// \file
/// What trainable heads are made of, all of it in f32 because it sees few rows: the pooler, and a
/// linear layer that gives logits.
#pragma once

#include <cstdint>
#include <vector>

#include "bert/encoder.h"
#include "bert/training/training_weights.h"
#include "ops/dropout.h"
#include "ops/linear.h"
#include "ops/rows.h"

namespace cloze::internal {

/// own_pooler: tanh (BERT) or gelu (ELECTRA) of a linear layer of each sequence's first hidden
/// state, which may be dropped out before.
class TrainablePooler {
 public:
  TrainablePooler(TrainingWeights& weights, const BertConfig& config)
      : dense_(weights.linear_f32(pooler_shape(config))),
        activation_(own_pooler(config).activation) {}

  /// What the forward leaves for the backward, in the context's arena.
  struct Forward {
    std::vector<std::int32_t> starts;  ///< [sequences], rows of the hidden states
    ops::Matrix first, inner, pooled;  ///< [sequences, hidden] f32
    ops::Dropout dropout;              ///< of `first`
  };
  /// `starts`: where in the hidden states those of each sequence's first token stand.
  [[nodiscard]] Forward forward(ops::Context& context, ops::ConstMatrix hidden,
                                std::vector<std::int32_t> starts,
                                const ops::Dropout& dropout = {}) const;

  /// Adds the gradients of the parameters, and of the hidden states to d_hidden f32, as many rows
  /// as they, from that of `pooled`, which it overwrites together with `forward.inner`.
  void backward(ops::Context& context, const Forward& forward, ops::Matrix d_pooled,
                ops::Matrix d_hidden) const;

 private:
  nn::TrainableLinear dense_;
  ops::Epilogue activation_;
};

/// logits [rows, outputs] f32 = x [rows, hidden] f32 · Wᵀ + b.
[[nodiscard]] ops::Matrix head_logits(ops::Context& context, const nn::TrainableLinear& head,
                                      ops::ConstMatrix x);

/// The backward of head_logits: adds the gradients of its parameters, and makes d_x, which may be
/// x.
void head_logits_backward(ops::Context& context, const nn::TrainableLinear& head,
                          ops::ConstMatrix x, ops::ConstMatrix d_logits, ops::Matrix d_x);

}  // namespace cloze::internal
