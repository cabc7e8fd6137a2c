// Hands each operation to the device of its context.
#include <fmt/format.h>

#include "cloze/error.h"
#include "ops/device.h"

namespace cloze::ops {

LinearWeight LinearWeight::pack(const Device& device, std::span<const Tensor> weights,
                                std::span<const Tensor> biases, DType compute) {
  if (weights.empty()) throw ArgumentError("a linear layer needs a weight");
  LinearWeight packed;
  packed.in_features_ = weights[0].dim(1);
  packed.compute_ = compute;
  packed.device_ = &device;
  for (const auto& weight : weights) {
    if (weight.shape().size() != 2 || weight.dim(1) != packed.in_features_) {
      throw ModelError(fmt::format("weights of shapes {} and {} cannot share a product",
                                   to_string(weights[0].shape()), to_string(weight.shape())));
    }
    packed.out_features_ += weight.dim(0);
  }
  std::int64_t outputs = 0;
  for (const auto& bias : biases) outputs += bias.numel();
  if (!biases.empty() && outputs != packed.out_features_) {
    throw ModelError(fmt::format("a linear layer of {} outputs was given biases for {}",
                                 packed.out_features_, outputs));
  }
  packed.packed_ = device.pack(weights, biases, compute);
  return packed;
}

LinearWeight LinearWeight::pack(std::span<const Tensor> weights, std::span<const Tensor> biases,
                                DType compute) {
  return pack(cpu(), weights, biases, compute);
}

double gemm_rate(const Device& device, std::span<const GemmShape> shapes, DType compute,
                 int repeats) {
  return device.gemm_rate(shapes, compute, repeats);
}

RowTiles row_tiles(Context& context, std::int64_t rows) { return context.device().row_tiles(rows); }

void for_row_tiles(Context& context, std::int64_t rows, RowTileBody body) {
  context.device().for_row_tiles(rows, body);
}

void linear(Context& context, ConstMatrix x, const LinearWeight& weight, Epilogue epilogue,
            Matrix y) {
  if (weight.device() != &context.device()) {
    throw ArgumentError("a linear layer's weight was packed for another device");
  }
  context.device().linear(context, x, weight, epilogue, y);
}

void multiply(Context& context, Factor a, Factor b, Matrix c, std::span<const float> bias) {
  context.device().multiply(context, a, b, c, bias);
}

void multiply_add(Context& context, Factor a, Factor b, Matrix c) {
  context.device().multiply_add(context, a, b, c);
}

void attention(Context& context, const AttentionInputs& in, const AttentionShape& shape, Matrix y,
               const AttentionOptions& options) {
  context.device().attention(context, in, shape, y, options);
}

void attention_backward(Context& context, const AttentionBackward& args) {
  context.device().attention_backward(context, args);
}

void layer_norm(Context& context, ConstMatrix x, const NormParameters& parameters, Matrix y) {
  context.device().layer_norm(context, x, parameters, y);
}

void residual_norm(Context& context, const ResidualNorm& args) {
  context.device().residual_norm(context, args);
}

void residual_norm_backward(Context& context, const ResidualNormBackward& args) {
  context.device().residual_norm_backward(context, args);
}

void activate(Context& context, ConstMatrix x, Epilogue activation, Matrix y) {
  context.device().activate(context, x, activation, y);
}

void activate_backward(Context& context, const ActivationBackward& args) {
  context.device().activate_backward(context, args);
}

void apply_dropout(Context& context, ConstMatrix x, const Dropout& dropout, Matrix y) {
  context.device().apply_dropout(context, x, dropout, y);
}

void convert(Context& context, ConstMatrix x, Matrix y) { context.device().convert(context, x, y); }

void round(const Device& device, std::span<const float> from, std::span<BFloat16> to) {
  device.round(from, to);
}

void gather_rows(Context& context, ConstMatrix x, std::span<const std::int32_t> indices, Matrix y) {
  context.device().gather_rows(context, x, indices, y);
}

void scatter_add_rows(Context& context, ConstMatrix from, std::span<const std::int32_t> indices,
                      Matrix to, std::int64_t skipped) {
  context.device().scatter_add_rows(context, from, indices, to, skipped);
}

void add_column_sums(Context& context, ConstMatrix x, std::span<float> sums) {
  context.device().add_column_sums(context, x, sums);
}

void mean_rows(Context& context, ConstMatrix x, std::span<const std::int32_t> cu_seqlens,
               Matrix y) {
  context.device().mean_rows(context, x, cu_seqlens, y);
}

void mean_rows_backward(Context& context, ConstMatrix d_y, std::span<const std::int32_t> cu_seqlens,
                        Matrix d_x) {
  context.device().mean_rows_backward(context, d_y, cu_seqlens, d_x);
}

void embed(Context& context, const EmbeddingTables& tables, const EmbeddingIndices& indices,
           const NormParameters& norm, Matrix y) {
  context.device().embed(context, tables, indices, norm, y);
}

void embedding_sum(Context& context, const EmbeddingTables& tables, const EmbeddingIndices& indices,
                   Matrix z) {
  context.device().embedding_sum(context, tables, indices, z);
}

void embedding_sum_backward(Context& context, ConstMatrix d_z, const EmbeddingIndices& indices,
                            const EmbeddingGradients& gradients) {
  context.device().embedding_sum_backward(context, d_z, indices, gradients);
}

Pending<LossSum> cross_entropy(Context& context, ConstMatrix logits,
                               std::span<const std::int32_t> labels, const LossGradient& gradient) {
  return context.device().cross_entropy(context, logits, labels, gradient);
}

Pending<LossSum> class_cross_entropy(Context& context, ConstMatrix logits,
                                     std::span<const std::int32_t> labels, const ClassLoss& options,
                                     const LossGradient& gradient) {
  return context.device().class_cross_entropy(context, logits, labels, options, gradient);
}

Pending<LossSum> segment_cross_entropy(Context& context, ConstMatrix logits,
                                       const SegmentLoss& segments, const LossGradient& gradient) {
  return context.device().segment_cross_entropy(context, logits, segments, gradient);
}

Pending<LossSum> binary_cross_entropy(Context& context, ConstMatrix logits,
                                      std::span<const float> targets,
                                      const LossGradient& gradient) {
  return context.device().binary_cross_entropy(context, logits, targets, gradient);
}

Pending<LossSum> squared_error(Context& context, ConstMatrix logits, std::span<const float> targets,
                               const LossGradient& gradient) {
  return context.device().squared_error(context, logits, targets, gradient);
}

void adamw(Context& context, std::span<const OptimizedArrays> arrays, const AdamSettings& settings,
           float scale) {
  context.device().adamw(context, arrays, settings, scale);
}

void adamw_rows(Context& context, const OptimizedArrays& array, std::int64_t cols,
                std::span<const std::int32_t> rows, const AdamSettings& settings, float scale) {
  context.device().adamw_rows(context, array, cols, rows, settings, scale);
}

void adamw_owed(Context& context, const OptimizedArrays& array, std::int64_t cols,
                std::span<const OwedSteps> rows, std::span<const AdamSettings> steps) {
  context.device().adamw_owed(context, array, cols, rows, steps);
}

void lamb(Context& context, std::span<const OptimizedArrays> arrays, const AdamSettings& settings,
          float scale) {
  context.device().lamb(context, arrays, settings, scale);
}

Pending<double> sum_of_squares(Context& context, std::span<const std::span<const float>> arrays) {
  return context.device().sum_of_squares(context, arrays);
}

Pending<double> sum_of_squares(Context& context, std::span<const float> values, std::int64_t cols,
                               std::span<const std::int32_t> rows) {
  return context.device().sum_of_squares(context, values, cols, rows);
}

}  // namespace cloze::ops
