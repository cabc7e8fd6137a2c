#include "nn/trainable_layer.h"

namespace cloze::nn {
namespace {

ops::SavedNorm make_norm(ops::Context& context, DType compute, std::int64_t tokens,
                         std::int64_t hidden) {
  return {.normalized = context.matrix(compute, tokens, hidden),
          .inverse = context.arena().take<float>(tokens)};
}

ops::AttentionShape shape_of(const TrainableLayer& layer, std::span<const std::int32_t> cu_seqlens,
                             std::int64_t hidden) {
  return {.heads = layer.heads, .head_dim = hidden / layer.heads, .cu_seqlens = cu_seqlens};
}

/// The weight's gradient += d_yᵀ·x, where it is wanted.
void add_weight_gradient(ops::Context& context, const TrainableLinear& linear, ops::ConstMatrix d_y,
                         ops::ConstMatrix x) {
  if (linear.weight_gradient.data == nullptr) return;
  ops::multiply_add(context, {d_y, true}, {x}, linear.weight_gradient);
}

}  // namespace

SavedLayer make_saved(ops::Context& context, const TrainableLayer& layer, DType compute,
                      std::int64_t tokens) {
  const std::int64_t hidden = layer.qkv.weight.cols;
  SavedLayer saved;
  saved.qkv = context.matrix(compute, tokens, 3 * hidden);
  saved.attended = context.matrix(compute, tokens, hidden);
  saved.attention = make_norm(context, compute, tokens, hidden);
  saved.middle = context.matrix(compute, tokens, hidden);
  saved.inner = context.matrix(compute, tokens, layer.intermediate.weight.rows);
  saved.output = make_norm(context, compute, tokens, hidden);
  return saved;
}

TrainingBuffers make_training_buffers(ops::Context& context, const TrainableLayer& layer,
                                      DType compute, std::int64_t tokens, bool backward) {
  const std::int64_t hidden = layer.qkv.weight.cols, inner = layer.intermediate.weight.rows;
  TrainingBuffers buffers;
  buffers.product = context.matrix(DType::f32, tokens, hidden);
  buffers.activated = context.matrix(compute, tokens, inner);
  if (!backward) return buffers;
  buffers.d_inner = context.matrix(compute, tokens, inner);
  buffers.d_dropped = context.matrix(compute, tokens, hidden);
  buffers.d_attended = {buffers.product.data, compute, tokens, hidden, hidden};
  buffers.d_qkv = inner >= 3 * hidden
                      ? ops::Matrix{buffers.d_inner.data, compute, tokens, 3 * hidden, 3 * hidden}
                      : context.matrix(compute, tokens, 3 * hidden);
  return buffers;
}

void forward(ops::Context& context, const TrainableLayer& layer,
             std::span<const std::int32_t> cu_seqlens, const LayerDropout& dropout,
             TrainingBuffers& buffers, SavedLayer& saved, ops::Matrix y) {
  const auto shape = shape_of(layer, cu_seqlens, saved.x.cols);
  ops::multiply(context, {saved.x}, {layer.qkv.weight, true}, saved.qkv, layer.qkv.bias);
  ops::attention_forward(context, saved.qkv, shape, dropout.attention, saved.attended);
  ops::multiply(context, {saved.attended}, {layer.attention_output.weight, true}, buffers.product,
                layer.attention_output.bias);
  ops::residual_norm(context, buffers.product, dropout.attention_output, saved.x,
                     layer.attention_norm.parameters, saved.attention, saved.middle);
  ops::multiply(context, {saved.middle}, {layer.intermediate.weight, true}, saved.inner,
                layer.intermediate.bias);
  ops::activate(context, saved.inner, layer.activation, buffers.activated);
  ops::multiply(context, {buffers.activated}, {layer.output.weight, true}, buffers.product,
                layer.output.bias);
  ops::residual_norm(context, buffers.product, dropout.output, saved.middle,
                     layer.output_norm.parameters, saved.output, y);
}

void backward(ops::Context& context, const TrainableLayer& layer,
              std::span<const std::int32_t> cu_seqlens, const LayerDropout& dropout,
              TrainingBuffers& buffers, const SavedLayer& saved, ops::Matrix d_hidden,
              bool input_wanted) {
  const auto shape = shape_of(layer, cu_seqlens, saved.x.cols);
  const auto& d_dropped = buffers.d_dropped;
  // The feed-forward. d_hidden becomes the gradient of the residual sum, which is the middle's by
  // way of the residual, and then takes up what comes through the feed-forward.
  ops::residual_norm_backward(context, d_hidden, saved.output, dropout.output,
                              layer.output_norm.parameters.gamma, d_hidden, d_dropped,
                              {.gamma = layer.output_norm.gamma_gradient,
                               .beta = layer.output_norm.beta_gradient,
                               .bias = layer.output.bias_gradient});
  ops::multiply(context, {d_dropped}, {layer.output.weight}, buffers.d_inner);
  ops::activate_backward(
      context, saved.inner, layer.activation, buffers.d_inner, buffers.d_inner,
      layer.output.weight_gradient.data == nullptr ? ops::Matrix{} : buffers.activated,
      layer.intermediate.bias_gradient);
  add_weight_gradient(context, layer.output, d_dropped, buffers.activated);
  add_weight_gradient(context, layer.intermediate, buffers.d_inner, saved.middle);
  ops::multiply_add(context, {buffers.d_inner}, {layer.intermediate.weight}, d_hidden);
  // Attention, likewise.
  ops::residual_norm_backward(context, d_hidden, saved.attention, dropout.attention_output,
                              layer.attention_norm.parameters.gamma, d_hidden, d_dropped,
                              {.gamma = layer.attention_norm.gamma_gradient,
                               .beta = layer.attention_norm.beta_gradient,
                               .bias = layer.attention_output.bias_gradient});
  ops::multiply(context, {d_dropped}, {layer.attention_output.weight}, buffers.d_attended);
  add_weight_gradient(context, layer.attention_output, d_dropped, saved.attended);
  ops::attention_backward(context, saved.qkv, buffers.d_attended, shape, dropout.attention,
                          buffers.d_qkv);
  if (!layer.qkv.bias_gradient.empty()) {
    ops::add_column_sums(context, buffers.d_qkv, layer.qkv.bias_gradient);
  }
  add_weight_gradient(context, layer.qkv, buffers.d_qkv, saved.x);
  if (input_wanted) ops::multiply_add(context, {buffers.d_qkv}, {layer.qkv.weight}, d_hidden);
}

}  // namespace cloze::nn
