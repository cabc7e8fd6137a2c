/// \file
/// The processor as a device. Each operation is defined in the file of its theme.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "ops/device.h"

namespace cloze::ops {

class CpuDevice final : public Device {
 public:
  [[nodiscard]] std::string_view name() const override { return "cpu"; }
  [[nodiscard]] bool accelerates(DType compute) const override;
  [[nodiscard]] DType fastest_dtype() const override;
  [[nodiscard]] double gemm_rate(std::span<const GemmShape> shapes, DType compute,
                                 int repeats) const override;

  [[nodiscard]] bool shares_host_memory() const override { return true; }
  [[nodiscard]] std::shared_ptr<std::byte> allocate(std::size_t size) const override;
  void copy_in(std::span<const std::byte> from, std::byte* to) const override;
  void copy_out(const std::byte* from, std::span<std::byte> to) const override;
  void fill_zero(std::span<std::byte> bytes) const override;
  [[nodiscard]] std::unique_ptr<Context::State> make_state() const override;

  [[nodiscard]] RowTiles row_tiles(std::int64_t rows) const override;
  void for_row_tiles(std::int64_t rows, RowTileBody body) const override;

  [[nodiscard]] std::shared_ptr<const LinearWeight::Packed> pack(std::span<const Tensor> weights,
                                                                 std::span<const Tensor> biases,
                                                                 DType compute) const override;
  void linear(Context& context, ConstMatrix x, const LinearWeight& weight, Epilogue epilogue,
              Matrix y) const override;
  void multiply(Context& context, const Factor& a, const Factor& b, Matrix c,
                std::span<const float> bias) const override;
  void multiply_add(Context& context, const Factor& a, const Factor& b, Matrix c) const override;

  void attention(Context& context, const AttentionInputs& in, const AttentionShape& shape, Matrix y,
                 const AttentionOptions& options) const override;
  void attention_backward(Context& context, const AttentionBackward& args) const override;

  void layer_norm(Context& context, ConstMatrix x, const NormParameters& parameters,
                  Matrix y) const override;
  void residual_norm(Context& context, const ResidualNorm& args) const override;
  void residual_norm_backward(Context& context, const ResidualNormBackward& args) const override;
  void activate(Context& context, ConstMatrix x, Epilogue activation, Matrix y) const override;
  void activate_backward(Context& context, const ActivationBackward& args) const override;
  void apply_dropout(Context& context, ConstMatrix x, const Dropout& dropout,
                     Matrix y) const override;
  void convert(Context& context, ConstMatrix x, Matrix y) const override;
  void round(std::span<const float> from, std::span<BFloat16> to) const override;
  void gather_rows(Context& context, ConstMatrix x, std::span<const std::int32_t> indices,
                   Matrix y) const override;
  void scatter_add_rows(Context& context, ConstMatrix from, std::span<const std::int32_t> indices,
                        Matrix to, std::int64_t skipped) const override;
  void add_column_sums(Context& context, ConstMatrix x, std::span<float> sums) const override;
  void mean_rows(Context& context, ConstMatrix x, std::span<const std::int32_t> cu_seqlens,
                 Matrix y) const override;
  void mean_rows_backward(Context& context, ConstMatrix d_y,
                          std::span<const std::int32_t> cu_seqlens, Matrix d_x) const override;

  void embed(Context& context, const EmbeddingTables& tables, const EmbeddingIndices& indices,
             const NormParameters& norm, Matrix y) const override;
  void embedding_sum(Context& context, const EmbeddingTables& tables,
                     const EmbeddingIndices& indices, Matrix z) const override;
  void embedding_sum_backward(Context& context, ConstMatrix d_z, const EmbeddingIndices& indices,
                              const EmbeddingGradients& gradients) const override;

  [[nodiscard]] Pending<LossSum> cross_entropy(Context& context, ConstMatrix logits,
                                               std::span<const std::int32_t> labels,
                                               const LossGradient& gradient) const override;
  [[nodiscard]] Pending<LossSum> class_cross_entropy(Context& context, ConstMatrix logits,
                                                     std::span<const std::int32_t> labels,
                                                     const ClassLoss& options,
                                                     const LossGradient& gradient) const override;
  [[nodiscard]] Pending<LossSum> segment_cross_entropy(Context& context, ConstMatrix logits,
                                                       const SegmentLoss& segments,
                                                       const LossGradient& gradient) const override;
  [[nodiscard]] Pending<LossSum> binary_cross_entropy(Context& context, ConstMatrix logits,
                                                      std::span<const float> targets,
                                                      const LossGradient& gradient) const override;
  [[nodiscard]] Pending<LossSum> squared_error(Context& context, ConstMatrix logits,
                                               std::span<const float> targets,
                                               const LossGradient& gradient) const override;

  void adamw(Context& context, std::span<const OptimizedArrays> arrays,
             const AdamSettings& settings, float scale) const override;
  void adamw_rows(Context& context, const OptimizedArrays& array, std::int64_t cols,
                  std::span<const std::int32_t> rows, const AdamSettings& settings,
                  float scale) const override;
  void adamw_owed(Context& context, const OptimizedArrays& array, std::int64_t cols,
                  std::span<const OwedSteps> rows,
                  std::span<const AdamSettings> steps) const override;
  void lamb(Context& context, std::span<const OptimizedArrays> arrays, const AdamSettings& settings,
            float scale) const override;
  [[nodiscard]] Pending<double> sum_of_squares(
      Context& context, std::span<const std::span<const float>> arrays) const override;
  [[nodiscard]] Pending<double> sum_of_squares(Context& context, std::span<const float> values,
                                               std::int64_t cols,
                                               std::span<const std::int32_t> rows) const override;
};

}  // namespace cloze::ops
