#include "bert/training/trainable_layer.h"

#include "ops/rows.h"

namespace cloze::nn {
namespace {

ops::SavedNorm make_norm(ops::Context& context, DType compute, std::int64_t tokens,
                         std::int64_t hidden) {
  return {.normalized = context.matrix(compute, tokens, hidden), .inverse = context.floats(tokens)};
}

ops::AttentionShape shape_of(const TrainableLayer& layer, std::span<const std::int32_t> cu_seqlens,
                             std::int64_t hidden) {
  return {.heads = layer.heads, .head_dim = hidden / layer.heads, .cu_seqlens = cu_seqlens};
}

/// The parts of a [tokens, 3·hidden] matrix, of whose queries the first `rows` rows are used.
ops::Matrix queries_of(const ops::Matrix& qkv, std::int64_t rows) {
  return ops::attention_part(qkv, 0).rows_from(0, rows);
}

ops::Matrix keys_and_values_of(const ops::Matrix& qkv) {
  return qkv.cols_from(qkv.cols / 3, qkv.cols / 3 * 2);
}

ops::AttentionGradients parts_of(const ops::Matrix& qkv, std::int64_t rows) {
  return {.q = queries_of(qkv, rows),
          .k = ops::attention_part(qkv, 1),
          .v = ops::attention_part(qkv, 2)};
}

ops::AttentionInputs inputs_of(const SavedLayer& saved, std::int64_t rows) {
  const auto parts = parts_of(saved.qkv, rows);
  return {.q = parts.q, .k = parts.k, .v = parts.v, .cu_queries = saved.queries.cu_queries};
}

/// The weight's gradient += d_yᵀ·x, where it is wanted.
void add_weight_gradient(ops::Context& context, ops::Matrix gradient, ops::ConstMatrix d_y,
                         ops::ConstMatrix x) {
  if (gradient.data != nullptr) ops::multiply_add(context, {d_y, true}, {x}, gradient);
}

}  // namespace

SavedLayer make_saved(ops::Context& context, const TrainableLayer& layer, DType compute,
                      std::int64_t tokens, std::int64_t rows) {
  const std::int64_t hidden = layer.qkv.weight.cols;
  SavedLayer saved;
  if (rows != tokens) saved.chosen = context.matrix(compute, rows, hidden);
  saved.qkv = context.matrix(compute, tokens, 3 * hidden);
  saved.attended = context.matrix(compute, rows, hidden);
  saved.attention = make_norm(context, compute, rows, hidden);
  saved.middle = context.matrix(compute, rows, hidden);
  saved.inner = context.matrix(compute, rows, layer.intermediate.weight.rows);
  saved.output = make_norm(context, compute, rows, hidden);
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

void forward(ops::Context& context, const TrainableLayer& layer, const LayerPass& pass,
             SavedLayer& saved, ops::Matrix y) {
  const auto& dropout = pass.dropout;
  const auto& buffers = pass.buffers;
  const std::int64_t hidden = saved.x.cols, rows = y.rows;
  const auto shape = shape_of(layer, pass.cu_seqlens, hidden);
  const auto product = buffers.product.rows_from(0, rows);
  const auto activated = buffers.activated.rows_from(0, rows);
  ops::ConstMatrix residual = saved.x;
  if (saved.queries.cu_queries.empty()) {
    ops::multiply(context, {saved.x}, {layer.qkv.weight, true}, saved.qkv, layer.qkv.bias);
  } else {
    const auto queries = static_cast<std::size_t>(hidden);
    ops::gather_rows(context, saved.x, saved.queries.tokens, saved.chosen);
    residual = saved.chosen;
    ops::multiply(context, {saved.chosen}, {layer.qkv.weight.rows_from(0, hidden), true},
                  queries_of(saved.qkv, rows), layer.qkv.bias.first(queries));
    ops::multiply(context, {saved.x}, {layer.qkv.weight.rows_from(hidden, 2 * hidden), true},
                  keys_and_values_of(saved.qkv), layer.qkv.bias.subspan(queries));
  }
  ops::attention(context, inputs_of(saved, rows), shape, saved.attended,
                 {.dropout = dropout.attention});
  ops::multiply(context, {saved.attended}, {layer.attention_output.weight, true}, product,
                layer.attention_output.bias);
  ops::residual_norm(context, {.x = product,
                               .dropout = dropout.attention_output,
                               .residual = residual,
                               .parameters = layer.attention_norm.parameters,
                               .saved = saved.attention,
                               .y = saved.middle});
  ops::multiply(context, {saved.middle}, {layer.intermediate.weight, true}, saved.inner,
                layer.intermediate.bias);
  ops::activate(context, saved.inner, layer.activation, activated);
  ops::multiply(context, {activated}, {layer.output.weight, true}, product, layer.output.bias);
  ops::residual_norm(context, {.x = product,
                               .dropout = dropout.output,
                               .residual = saved.middle,
                               .parameters = layer.output_norm.parameters,
                               .saved = saved.output,
                               .y = y});
}

void backward(ops::Context& context, const TrainableLayer& layer, const LayerPass& pass,
              const SavedLayer& saved, const LayerGradients& gradients) {
  const auto& dropout = pass.dropout;
  const auto& buffers = pass.buffers;
  const auto& [d_y, d_x] = gradients;
  const std::int64_t hidden = saved.x.cols, rows = d_y.rows;
  const auto shape = shape_of(layer, pass.cu_seqlens, hidden);
  const auto d_dropped = buffers.d_dropped.rows_from(0, rows);
  const auto d_inner = buffers.d_inner.rows_from(0, rows);
  const auto activated = buffers.activated.rows_from(0, rows);
  const auto d_attended = buffers.d_attended.rows_from(0, rows);
  // The feed-forward. d_y becomes the gradient of the residual sum, which is the middle's by way of
  // the residual, and then takes up what comes through the feed-forward.
  ops::residual_norm_backward(context, {.d_y = d_y,
                                        .saved = saved.output,
                                        .dropout = dropout.output,
                                        .gamma = layer.output_norm.parameters.gamma,
                                        .d_z = d_y,
                                        .d_x = d_dropped,
                                        .gradients = {.gamma = layer.output_norm.gamma_gradient,
                                                      .beta = layer.output_norm.beta_gradient,
                                                      .bias = layer.output.bias_gradient}});
  ops::multiply(context, {d_dropped}, {layer.output.weight}, d_inner);
  ops::activate_backward(
      context, {.x = saved.inner,
                .activation = layer.activation,
                .d_y = d_inner,
                .d_x = d_inner,
                .y = layer.output.weight_gradient.data == nullptr ? ops::Matrix{} : activated,
                .bias_gradient = layer.intermediate.bias_gradient});
  add_weight_gradient(context, layer.output.weight_gradient, d_dropped, activated);
  add_weight_gradient(context, layer.intermediate.weight_gradient, d_inner, saved.middle);
  ops::multiply_add(context, {d_inner}, {layer.intermediate.weight}, d_y);
  // Attention, likewise.
  ops::residual_norm_backward(context,
                              {.d_y = d_y,
                               .saved = saved.attention,
                               .dropout = dropout.attention_output,
                               .gamma = layer.attention_norm.parameters.gamma,
                               .d_z = d_y,
                               .d_x = d_dropped,
                               .gradients = {.gamma = layer.attention_norm.gamma_gradient,
                                             .beta = layer.attention_norm.beta_gradient,
                                             .bias = layer.attention_output.bias_gradient}});
  ops::multiply(context, {d_dropped}, {layer.attention_output.weight}, d_attended);
  add_weight_gradient(context, layer.attention_output.weight_gradient, d_dropped, saved.attended);
  const auto& d_qkv = buffers.d_qkv;
  const auto d_inputs = parts_of(d_qkv, rows);
  ops::attention_backward(context, {.in = inputs_of(saved, rows),
                                    .shape = shape,
                                    .dropout = dropout.attention,
                                    .d_y = d_attended,
                                    .out = d_inputs});
  const auto& weight = layer.qkv.weight;
  const auto& gradient = layer.qkv.weight_gradient;
  const auto& bias = layer.qkv.bias_gradient;
  if (saved.queries.cu_queries.empty()) {
    if (!bias.empty()) ops::add_column_sums(context, d_qkv, bias);
    add_weight_gradient(context, gradient, d_qkv, saved.x);
    if (d_x.data != nullptr) ops::multiply_add(context, {d_qkv}, {weight}, d_x);
    return;
  }
  const auto d_keys_and_values = keys_and_values_of(d_qkv);
  if (!bias.empty()) {
    ops::add_column_sums(context, d_inputs.q, bias.first(static_cast<std::size_t>(hidden)));
    ops::add_column_sums(context, d_keys_and_values,
                         bias.subspan(static_cast<std::size_t>(hidden)));
  }
  if (gradient.data != nullptr) {
    add_weight_gradient(context, gradient.rows_from(0, hidden), d_inputs.q, saved.chosen);
    add_weight_gradient(context, gradient.rows_from(hidden, 2 * hidden), d_keys_and_values,
                        saved.x);
  }
  if (d_x.data == nullptr) return;
  ops::multiply(context, {d_keys_and_values}, {weight.rows_from(hidden, 2 * hidden)}, d_x);
  ops::multiply_add(context, {d_inputs.q}, {weight.rows_from(0, hidden)}, d_y);
  ops::scatter_add_rows(context, d_y, saved.queries.tokens, d_x);
}

}  // namespace cloze::nn
