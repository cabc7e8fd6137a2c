#include "bert/training/trainable_heads.h"

#include <utility>

namespace cloze::internal {

TrainablePooler::Forward TrainablePooler::forward(ops::Context& context, ops::ConstMatrix hidden,
                                                  std::vector<std::int32_t> starts,
                                                  const ops::Dropout& dropout) const {
  const auto count = static_cast<std::int64_t>(starts.size()), width = hidden.cols;
  Forward forward{.starts = std::move(starts),
                  .first = context.matrix(DType::f32, count, width),
                  .inner = context.matrix(DType::f32, count, width),
                  .pooled = context.matrix(DType::f32, count, width),
                  .dropout = dropout};
  ops::gather_rows(context, hidden, forward.starts, forward.first);
  if (dropout.probability > 0) ops::apply_dropout(context, forward.first, dropout, forward.first);
  ops::multiply(context, {forward.first}, {dense_.weight, true}, forward.inner, dense_.bias);
  ops::activate(context, forward.inner, activation_, forward.pooled);
  return forward;
}

void TrainablePooler::backward(ops::Context& context, const Forward& forward, ops::Matrix d_pooled,
                               ops::Matrix d_hidden) const {
  ops::activate_backward(context, {.x = forward.inner,
                                   .activation = activation_,
                                   .d_y = d_pooled,
                                   .d_x = d_pooled,
                                   .bias_gradient = dense_.bias_gradient});
  ops::multiply_add(context, {d_pooled, true}, {forward.first}, dense_.weight_gradient);
  ops::multiply(context, {d_pooled}, {dense_.weight}, forward.inner);
  if (forward.dropout.probability > 0) {
    ops::apply_dropout(context, forward.inner, forward.dropout, forward.inner);
  }
  ops::scatter_add_rows(context, forward.inner, forward.starts, d_hidden);
}

ops::Matrix head_logits(ops::Context& context, const nn::TrainableLinear& head,
                        ops::ConstMatrix x) {
  const auto logits = context.matrix(DType::f32, x.rows, head.weight.rows);
  ops::multiply(context, {x}, {head.weight, true}, logits, head.bias);
  return logits;
}

void head_logits_backward(ops::Context& context, const nn::TrainableLinear& head,
                          ops::ConstMatrix x, ops::ConstMatrix d_logits, ops::Matrix d_x) {
  ops::add_column_sums(context, d_logits, head.bias_gradient);
  ops::multiply_add(context, {d_logits, true}, {x}, head.weight_gradient);
  ops::multiply(context, {d_logits}, {head.weight}, d_x);
}

}  // namespace cloze::internal
