/// \file
/// THE list of operations that the model is made of. Shapes are in brackets; `tokens` counts the
/// packed tokens of a batch. A device implements this header (`ops/cpu/` does); nothing above this
/// folder knows a device's API. A backward stands beside its forward.
///
/// Rows are independent and their arithmetic does not depend on how many there are or how they are
/// divided over threads: a row's result has the same bits in every batch.
///
/// Called from a sequential region an operation divides its work over `num_threads()`; called
/// inside `for_row_tiles` it runs on the calling worker alone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cloze/tensor.h"
#include "core/function_ref.h"
#include "ops/context.h"
#include "ops/matrix.h"

namespace cloze::ops {

/// What a linear layer does to its product before storing it.
enum class Epilogue : std::uint8_t {
  none,       ///< y = x·Wᵀ + b
  add,        ///< y += x·Wᵀ + b (the residual connection)
  gelu,       ///< y = gelu(x·Wᵀ + b), erf
  gelu_tanh,  ///< the tanh approximation
  relu,
  silu,
  tanh,
};

/// The weight and bias of a linear layer, packed once for the device's matrix product.
/// Immutable; copies share.
class LinearWeight {
 public:
  LinearWeight() = default;

  /// Packs the weights [out_features_i, in_features] (as torch.nn.Linear stores them; f32, f16 or
  /// bf16) stacked along the outputs, and their biases [out_features_i] (absent: zero), for
  /// products in `compute` (f32 or bf16). Throws ModelError when the machine cannot compute in it.
  [[nodiscard]] static LinearWeight pack(std::span<const Tensor> weights,
                                         std::span<const Tensor> biases, DType compute);

  [[nodiscard]] std::int64_t in_features() const { return in_features_; }
  [[nodiscard]] std::int64_t out_features() const { return out_features_; }
  [[nodiscard]] DType compute() const { return compute_; }
  [[nodiscard]] bool empty() const { return packed_ == nullptr; }

  /// Device's own part; defined by the device.
  struct Packed;
  [[nodiscard]] const Packed& packed() const { return *packed_; }

 private:
  std::int64_t in_features_ = 0;
  std::int64_t out_features_ = 0;
  DType compute_ = DType::f32;
  std::shared_ptr<const Packed> packed_;
};

/// y [rows, out_features] = epilogue(x [rows, in_features] · Wᵀ + b).
/// x is of the weight's compute dtype (i8: f32 or bf16); y of x's dtype or f32 (`add`: y's values
/// are read too).
void linear(Context& context, ConstMatrix x, const LinearWeight& weight, Epilogue epilogue,
            Matrix y);

/// Scale and shift of a layer norm, f32 [hidden], and its epsilon.
struct LayerNormWeight {
  std::vector<float> gamma;
  std::vector<float> beta;
  float epsilon = 1e-12F;
};

/// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta for each row of x [rows, hidden]; y may
/// be x. Statistics in f32, two passes. Moves 2 elements a value; Ba et al., arXiv:1607.06450.
void layer_norm(Context& context, ConstMatrix x, const LayerNormWeight& weight, Matrix y);

/// The three tables of BERT's input embedding, each f32, f16 or bf16.
struct EmbeddingTables {
  ConstMatrix word;        ///< [vocab, hidden]
  ConstMatrix position;    ///< [max_position_embeddings, hidden]
  ConstMatrix token_type;  ///< [type_vocab, hidden]
};

/// Indices of the packed tokens, each [tokens]; every one inside its table.
struct EmbeddingIndices {
  std::span<const std::int32_t> input_ids;
  std::span<const std::int32_t> position_ids;
  std::span<const std::int32_t> token_type_ids;
};

/// y [tokens, hidden] = layer_norm(word[id] + position[p] + token_type[t]).
void embed(Context& context, const EmbeddingTables& tables, const EmbeddingIndices& indices,
           const LayerNormWeight& norm, Matrix y);

struct AttentionShape {
  std::int64_t heads = 1;
  std::int64_t head_dim = 1;
  std::span<const std::int32_t> cu_seqlens;  ///< [sequences + 1]
};

/// softmax(q·kᵀ / sqrt(head_dim))·v within each sequence and head (Vaswani et al.,
/// arXiv:1706.03762, section 3.2.1), no token attending outside its sequence.
/// qkv [tokens, 3·heads·head_dim]: queries, keys and values side by side, head by head.
/// y [tokens, heads·head_dim] of qkv's dtype. A non-empty `probabilities` (sum over sequences of
/// heads·length², f32) receives the softmax, sequence after sequence, [heads, length, length] each.
void attention(Context& context, ConstMatrix qkv, const AttentionShape& shape, Matrix y,
               std::span<float> probabilities = {});

/// y [indices, cols] = x[indices], converted to y's dtype. Every index inside x's rows.
void gather_rows(Context& context, ConstMatrix x, std::span<const std::int32_t> indices, Matrix y);

/// y = x in y's dtype (f32, bf16), same shape.
void convert(Context& context, ConstMatrix x, Matrix y);

/// Rows that `for_row_tiles` hands out at once, at most.
[[nodiscard]] std::int64_t max_tile_rows(std::int64_t rows);

/// Divides [0, rows) into tiles and calls `body(begin, count, worker)` for each, spread over the
/// threads: a chain of row-wise operations then stays in a core's cache. `worker` < num_threads()
/// tells apart the bodies that run at once. With too few rows to share out, one call gets them all
/// and the operations inside divide their work themselves.
void for_row_tiles(std::int64_t rows, FunctionRef<void(std::int64_t, std::int64_t, int)> body);

/// Whether products in `compute` run in hardware here (bf16: AVX512-BF16 or AMX; i8: VNNI or AMX).
[[nodiscard]] bool accelerates(DType compute);

/// One product of a model, for `gemm_rate`: [m, k]·[k, n], `count` times a pass.
struct GemmShape {
  std::int64_t m, n, k, count;
};

/// GFLOP/s that oneDNN alone reaches over these products, its own packing and threading, median of
/// `repeats` passes: the limit that a model's speed is measured against.
[[nodiscard]] double gemm_rate(std::span<const GemmShape> shapes, DType compute, int repeats);

}  // namespace cloze::ops
