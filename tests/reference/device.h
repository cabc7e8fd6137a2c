/// \file
/// A second device, for tests: the operations as plain loops over doubles, on memory that the host
/// cannot touch. A layer that reads or writes a device's memory itself ends with SIGSEGV here, one
/// that gives an operation the host's memory with an exception that says which operand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>

#include "ops/device.h"
#include "reference/device_memory.h"

namespace cloze::reference {

/// Computes in doubles and rounds results once. As a real device would, it gives numbers only when
/// they are asked for, and counts how often the host had to wait for them.
class Device final : public ops::Device {
 public:
  Device() = default;

  [[nodiscard]] std::string_view name() const override { return "reference"; }
  [[nodiscard]] bool accelerates(DType compute) const override { return compute == DType::f32; }
  [[nodiscard]] DType fastest_dtype() const override { return DType::f32; }
  /// Of plain loops.
  [[nodiscard]] double gemm_rate(std::span<const ops::GemmShape> shapes, DType compute,
                                 int repeats) const override;

  // What tests look at.

  /// Operations started so far.
  [[nodiscard]] std::uint64_t operations() const;
  /// How often the host waited: it read memory or a Pending that an operation had yet to write.
  /// Whoever waits, waits for all that was started.
  [[nodiscard]] std::uint64_t stalls() const;
  [[nodiscard]] Memory& memory() const { return *memory_; }

  // What the operations themselves call.

  /// An operation starts. Gives its number, from 1.
  [[nodiscard]] std::uint64_t start() const;
  /// Waits for the operation of this number, where nobody has yet.
  void wait(std::uint64_t operation) const;

  [[nodiscard]] bool shares_host_memory() const override { return false; }
  [[nodiscard]] std::shared_ptr<std::byte> allocate(std::size_t size) const override;
  void copy_in(std::span<const std::byte> from, std::byte* to) const override;
  void copy_out(const std::byte* from, std::span<std::byte> to) const override;
  void fill_zero(std::span<std::byte> bytes) const override;
  [[nodiscard]] std::unique_ptr<ops::Context::State> make_state() const override;

  /// One tile.
  [[nodiscard]] ops::RowTiles row_tiles(std::int64_t rows) const override;
  void for_row_tiles(std::int64_t rows, ops::RowTileBody body) const override;

  [[nodiscard]] std::shared_ptr<const ops::LinearWeight::Packed> pack(
      std::span<const Tensor> weights, std::span<const Tensor> biases,
      DType compute) const override;
  void linear(ops::Context& context, ops::ConstMatrix x, const ops::LinearWeight& weight,
              ops::Epilogue epilogue, ops::Matrix y) const override;
  void multiply(ops::Context& context, const ops::Factor& a, const ops::Factor& b, ops::Matrix c,
                std::span<const float> bias) const override;
  void multiply_add(ops::Context& context, const ops::Factor& a, const ops::Factor& b,
                    ops::Matrix c) const override;

  void attention(ops::Context& context, const ops::AttentionInputs& in,
                 const ops::AttentionShape& shape, ops::Matrix y,
                 const ops::AttentionOptions& options) const override;
  void attention_backward(ops::Context& context, const ops::AttentionBackward& args) const override;

  void layer_norm(ops::Context& context, ops::ConstMatrix x, const ops::NormParameters& parameters,
                  ops::Matrix y) const override;
  void residual_norm(ops::Context& context, const ops::ResidualNorm& args) const override;
  void residual_norm_backward(ops::Context& context,
                              const ops::ResidualNormBackward& args) const override;
  void activate(ops::Context& context, ops::ConstMatrix x, ops::Epilogue activation,
                ops::Matrix y) const override;
  void activate_backward(ops::Context& context, const ops::ActivationBackward& args) const override;
  void apply_dropout(ops::Context& context, ops::ConstMatrix x, const ops::Dropout& dropout,
                     ops::Matrix y) const override;
  void convert(ops::Context& context, ops::ConstMatrix x, ops::Matrix y) const override;
  void round(std::span<const float> from, std::span<BFloat16> to) const override;
  void gather_rows(ops::Context& context, ops::ConstMatrix x, std::span<const std::int32_t> indices,
                   ops::Matrix y) const override;
  void scatter_add_rows(ops::Context& context, ops::ConstMatrix from,
                        std::span<const std::int32_t> indices, ops::Matrix to,
                        std::int64_t skipped) const override;
  void add_column_sums(ops::Context& context, ops::ConstMatrix x,
                       std::span<float> sums) const override;
  void mean_rows(ops::Context& context, ops::ConstMatrix x,
                 std::span<const std::int32_t> cu_seqlens, ops::Matrix y) const override;
  void mean_rows_backward(ops::Context& context, ops::ConstMatrix d_y,
                          std::span<const std::int32_t> cu_seqlens, ops::Matrix d_x) const override;

  void embed(ops::Context& context, const ops::EmbeddingTables& tables,
             const ops::EmbeddingIndices& indices, const ops::NormParameters& norm,
             ops::Matrix y) const override;
  void embedding_sum(ops::Context& context, const ops::EmbeddingTables& tables,
                     const ops::EmbeddingIndices& indices, ops::Matrix z) const override;
  void embedding_sum_backward(ops::Context& context, ops::ConstMatrix d_z,
                              const ops::EmbeddingIndices& indices,
                              const ops::EmbeddingGradients& gradients) const override;

  [[nodiscard]] ops::Pending<ops::LossSum> cross_entropy(
      ops::Context& context, ops::ConstMatrix logits, std::span<const std::int32_t> labels,
      const ops::LossGradient& gradient) const override;
  [[nodiscard]] ops::Pending<ops::LossSum> class_cross_entropy(
      ops::Context& context, ops::ConstMatrix logits, std::span<const std::int32_t> labels,
      const ops::ClassLoss& options, const ops::LossGradient& gradient) const override;
  [[nodiscard]] ops::Pending<ops::LossSum> segment_cross_entropy(
      ops::Context& context, ops::ConstMatrix logits, const ops::SegmentLoss& segments,
      const ops::LossGradient& gradient) const override;
  [[nodiscard]] ops::Pending<ops::LossSum> binary_cross_entropy(
      ops::Context& context, ops::ConstMatrix logits, std::span<const float> targets,
      const ops::LossGradient& gradient) const override;
  [[nodiscard]] ops::Pending<ops::LossSum> squared_error(
      ops::Context& context, ops::ConstMatrix logits, std::span<const float> targets,
      const ops::LossGradient& gradient) const override;

  void adamw(ops::Context& context, std::span<const ops::OptimizedArrays> arrays,
             const ops::AdamSettings& settings, float scale) const override;
  void adamw_rows(ops::Context& context, const ops::OptimizedArrays& array, std::int64_t cols,
                  std::span<const std::int32_t> rows, const ops::AdamSettings& settings,
                  float scale) const override;
  void adamw_owed(ops::Context& context, const ops::OptimizedArrays& array, std::int64_t cols,
                  std::span<const ops::OwedSteps> rows,
                  std::span<const ops::AdamSettings> steps) const override;
  void lamb(ops::Context& context, std::span<const ops::OptimizedArrays> arrays,
            const ops::AdamSettings& settings, float scale) const override;
  [[nodiscard]] ops::Pending<double> sum_of_squares(
      ops::Context& context, std::span<const std::span<const float>> arrays) const override;
  [[nodiscard]] ops::Pending<double> sum_of_squares(
      ops::Context& context, std::span<const float> values, std::int64_t cols,
      std::span<const std::int32_t> rows) const override;

 private:
  std::shared_ptr<Memory> memory_ = std::make_shared<Memory>();
  mutable std::mutex guard_;
  mutable std::uint64_t started_ = 0, waited_for_ = 0, stalls_ = 0;
};

}  // namespace cloze::reference
