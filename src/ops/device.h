/// \file
/// What computes: the operations of a model, and the memory that they read and write. Layers call
/// the functions of ops/linear.h, ops/attention.h and so on, which hand the call to the device of
/// their context; nothing above this folder calls a device's operations itself.
///
/// Matrices and spans of floats that operations take lie in the device's memory; only ops/transfer.h
/// moves them to the host and back. Spans of integers (ids, positions, labels, cu_seqlens), class
/// weights and targets are the host's: a device copies what it needs of them before the operation
/// returns. An operation may return before it is done; those of a context run in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "core/function_ref.h"
#include "ops/activation.h"
#include "ops/attention.h"
#include "ops/context.h"
#include "ops/dropout.h"
#include "ops/embedding.h"
#include "ops/gemm_rate.h"
#include "ops/linear.h"
#include "ops/loss.h"
#include "ops/norm.h"
#include "ops/optimizer.h"
#include "ops/pooling.h"
#include "ops/row_tiles.h"
#include "ops/rows.h"

namespace cloze::ops {

/// Immutable, and safe to use from any number of threads. The operations are documented where the
/// functions of their names are declared.
class Device {
 public:
  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;

  /// "cpu".
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// Whether products in `compute` run in hardware here.
  [[nodiscard]] virtual bool accelerates(DType compute) const = 0;
  /// f32 or bf16: the one in which a model's products take less time here.
  [[nodiscard]] virtual DType fastest_dtype() const = 0;
  [[nodiscard]] virtual double gemm_rate(std::span<const GemmShape> shapes, DType compute,
                                         int repeats) const = 0;

  // Memory.

  /// Whether the device reads and writes the host's memory in place, and the host its.
  [[nodiscard]] virtual bool shares_host_memory() const = 0;
  /// `size` bytes of zeros in the device's memory, 64-byte aligned, freed with the last owner.
  /// Throws std::bad_alloc.
  [[nodiscard]] virtual std::shared_ptr<std::byte> allocate(std::size_t size) const = 0;
  /// Copies from the host's memory to the device's.
  virtual void copy_in(std::span<const std::byte> from, std::byte* to) const = 0;
  /// Copies to the host's memory, after all operations that were started.
  virtual void copy_out(const std::byte* from, std::span<std::byte> to) const = 0;
  virtual void fill_zero(std::span<std::byte> bytes) const = 0;
  [[nodiscard]] virtual std::unique_ptr<Context::State> make_state() const = 0;

  // How a chain of row-wise operations is divided.
  [[nodiscard]] virtual RowTiles row_tiles(std::int64_t rows) const = 0;
  virtual void for_row_tiles(std::int64_t rows, RowTileBody body) const = 0;

  // Products.
  [[nodiscard]] virtual std::shared_ptr<const LinearWeight::Packed> pack(
      std::span<const Tensor> weights, std::span<const Tensor> biases, DType compute) const = 0;
  virtual void linear(Context& context, ConstMatrix x, const LinearWeight& weight,
                      Epilogue epilogue, Matrix y) const = 0;
  virtual void multiply(Context& context, const Factor& a, const Factor& b, Matrix c,
                        std::span<const float> bias) const = 0;
  virtual void multiply_add(Context& context, const Factor& a, const Factor& b, Matrix c) const = 0;

  // Attention.
  virtual void attention(Context& context, const AttentionInputs& in, const AttentionShape& shape,
                         Matrix y, const AttentionOptions& options) const = 0;
  virtual void attention_backward(Context& context, const AttentionBackward& args) const = 0;

  // Rows.
  virtual void layer_norm(Context& context, ConstMatrix x, const NormParameters& parameters,
                          Matrix y) const = 0;
  virtual void residual_norm(Context& context, const ResidualNorm& args) const = 0;
  virtual void residual_norm_backward(Context& context, const ResidualNormBackward& args) const = 0;
  virtual void activate(Context& context, ConstMatrix x, Epilogue activation, Matrix y) const = 0;
  virtual void activate_backward(Context& context, const ActivationBackward& args) const = 0;
  virtual void apply_dropout(Context& context, ConstMatrix x, const Dropout& dropout,
                             Matrix y) const = 0;
  virtual void convert(Context& context, ConstMatrix x, Matrix y) const = 0;
  virtual void round(std::span<const float> from, std::span<BFloat16> to) const = 0;
  virtual void gather_rows(Context& context, ConstMatrix x, std::span<const std::int32_t> indices,
                           Matrix y) const = 0;
  virtual void scatter_add_rows(Context& context, ConstMatrix from,
                                std::span<const std::int32_t> indices, Matrix to,
                                std::int64_t skipped) const = 0;
  virtual void add_column_sums(Context& context, ConstMatrix x, std::span<float> sums) const = 0;
  virtual void mean_rows(Context& context, ConstMatrix x, std::span<const std::int32_t> cu_seqlens,
                         Matrix y) const = 0;
  virtual void mean_rows_backward(Context& context, ConstMatrix d_y,
                                  std::span<const std::int32_t> cu_seqlens, Matrix d_x) const = 0;

  // Embeddings.
  virtual void embed(Context& context, const EmbeddingTables& tables,
                     const EmbeddingIndices& indices, const NormParameters& norm,
                     Matrix y) const = 0;
  virtual void embedding_sum(Context& context, const EmbeddingTables& tables,
                             const EmbeddingIndices& indices, Matrix z) const = 0;
  virtual void embedding_sum_backward(Context& context, ConstMatrix d_z,
                                      const EmbeddingIndices& indices,
                                      const EmbeddingGradients& gradients) const = 0;

  // Losses.
  [[nodiscard]] virtual Pending<LossSum> cross_entropy(Context& context, ConstMatrix logits,
                                                       std::span<const std::int32_t> labels,
                                                       const LossGradient& gradient) const = 0;
  [[nodiscard]] virtual Pending<LossSum> class_cross_entropy(
      Context& context, ConstMatrix logits, std::span<const std::int32_t> labels,
      const ClassLoss& options, const LossGradient& gradient) const = 0;
  [[nodiscard]] virtual Pending<LossSum> segment_cross_entropy(
      Context& context, ConstMatrix logits, const SegmentLoss& segments,
      const LossGradient& gradient) const = 0;
  [[nodiscard]] virtual Pending<LossSum> binary_cross_entropy(
      Context& context, ConstMatrix logits, std::span<const float> targets,
      const LossGradient& gradient) const = 0;
  [[nodiscard]] virtual Pending<LossSum> squared_error(Context& context, ConstMatrix logits,
                                                       std::span<const float> targets,
                                                       const LossGradient& gradient) const = 0;

  // The optimizer's arithmetic.
  virtual void adamw(Context& context, std::span<const OptimizedArrays> arrays,
                     const AdamSettings& settings, float scale) const = 0;
  virtual void adamw_rows(Context& context, const OptimizedArrays& array, std::int64_t cols,
                          std::span<const std::int32_t> rows, const AdamSettings& settings,
                          float scale) const = 0;
  virtual void adamw_owed(Context& context, const OptimizedArrays& array, std::int64_t cols,
                          std::span<const OwedSteps> rows,
                          std::span<const AdamSettings> steps) const = 0;
  virtual void lamb(Context& context, std::span<const OptimizedArrays> arrays,
                    const AdamSettings& settings, float scale) const = 0;
  [[nodiscard]] virtual Pending<double> sum_of_squares(
      Context& context, std::span<const std::span<const float>> arrays) const = 0;
  [[nodiscard]] virtual Pending<double> sum_of_squares(
      Context& context, std::span<const float> values, std::int64_t cols,
      std::span<const std::int32_t> rows) const = 0;
};

/// The processor: every machine has it.
[[nodiscard]] const Device& cpu();

}  // namespace cloze::ops
