/// \file
/// An encoder layer in training: the same layer as bert/encoder_layer.h, with dropout, a forward
/// that saves what the backward needs, and the backward.
#pragma once

#include <cstdint>
#include <span>

#include "ops/attention.h"
#include "ops/linear.h"
#include "ops/norm.h"

namespace cloze::nn {

/// A linear layer's parameters and where its gradients are added up; without data (empty): nowhere,
/// where the gradients of inputs alone are wanted.
struct TrainableLinear {
  ops::ConstMatrix weight;         ///< [out, in], compute
  std::span<const float> bias;     ///< [out]
  ops::Matrix weight_gradient;     ///< [out, in], f32
  std::span<float> bias_gradient;  ///< [out]
};

struct TrainableNorm {
  ops::NormParameters parameters;
  std::span<float> gamma_gradient;
  std::span<float> beta_gradient;
};

/// `encoder.layer.N.*` of the checkpoint.
struct TrainableLayer {
  TrainableLinear qkv;               ///< attention.self.query, key, value
  TrainableLinear attention_output;  ///< attention.output.dense
  TrainableNorm attention_norm;
  TrainableLinear intermediate;  ///< intermediate.dense
  TrainableLinear output;        ///< output.dense
  TrainableNorm output_norm;
  ops::Epilogue activation = ops::Epilogue::gelu;
  std::int64_t heads = 1;
};

/// Dropout at a layer's three places.
struct LayerDropout {
  ops::Dropout attention;         ///< on the probabilities
  ops::Dropout attention_output;  ///< before the residuals
  ops::Dropout output;
};

/// The tokens of a batch that go on from a layer's attention; the others are keys and values only.
struct LayerQueries {
  std::span<const std::int32_t> tokens;      ///< ascending
  std::span<const std::int32_t> cu_queries;  ///< [sequences + 1], counts of them; empty: all go on
};

/// What a layer's forward leaves for its backward: 16·hidden values a token in compute where the
/// feed-forward is four times as wide as the layer.
struct SavedLayer {
  ops::ConstMatrix x;        ///< [tokens, hidden] compute: the layer's input
  LayerQueries queries;      ///< which rows of x go on
  ops::Matrix chosen;        ///< [rows, hidden] compute: they, where not all do
  ops::Matrix qkv;           ///< [tokens, 3·hidden] compute; queries in the first `rows` rows
  ops::Matrix attended;      ///< [rows, hidden] compute
  ops::SavedNorm attention;  ///< the norm after attention
  ops::Matrix middle;        ///< [rows, hidden] compute: what that norm gave
  ops::Matrix inner;         ///< [rows, intermediate] compute: before the activation
  ops::SavedNorm output;     ///< the norm after the feed-forward
};

/// Working memory that the layers of a model share.
struct TrainingBuffers {
  ops::Matrix product;    ///< [tokens, hidden] f32
  ops::Matrix activated;  ///< [tokens, intermediate] compute
  // Of the backward.
  ops::Matrix d_inner;     ///< [tokens, intermediate] compute
  ops::Matrix d_dropped;   ///< [tokens, hidden] compute
  ops::Matrix d_attended;  ///< [tokens, hidden] compute, in the memory of `product`
  ops::Matrix d_qkv;  ///< [tokens, 3·hidden] compute, in the memory of `d_inner` where it fits
};

/// `rows` go on from attention.
[[nodiscard]] SavedLayer make_saved(ops::Context& context, const TrainableLayer& layer,
                                    DType compute, std::int64_t tokens, std::int64_t rows);
[[nodiscard]] TrainingBuffers make_training_buffers(ops::Context& context,
                                                    const TrainableLayer& layer, DType compute,
                                                    std::int64_t tokens, bool backward);

/// What forward and backward of a layer work with beside its parameters.
struct LayerPass {
  std::span<const std::int32_t> cu_seqlens;  ///< [sequences + 1]
  const LayerDropout& dropout;
  const TrainingBuffers& buffers;
};

/// y [rows, hidden] compute = layer(saved.x) of the tokens saved.queries, the rest of `saved`
/// filled in:
///   m = norm(x + drop(attention(x)·Woᵀ + bo)),  y = norm(m + drop(gelu(m·Wiᵀ + bi)·Wdᵀ + bd)).
void forward(ops::Context& context, const TrainableLayer& layer, const LayerPass& pass,
             SavedLayer& saved, ops::Matrix y);

/// Gradients of a layer's output and input.
struct LayerGradients {
  ops::Matrix d_y;  ///< f32 [rows, hidden], overwritten
  /// f32 [tokens, hidden]: d_y itself where the rows are all tokens; without data where nothing
  /// before x is trained.
  ops::Matrix d_x;
};

/// From d_y to d_x; the gradients of the parameters are added to theirs.
void backward(ops::Context& context, const TrainableLayer& layer, const LayerPass& pass,
              const SavedLayer& saved, const LayerGradients& gradients);

}  // namespace cloze::nn
