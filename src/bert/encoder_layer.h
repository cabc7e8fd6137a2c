/// \file
/// One layer of the bidirectional Transformer encoder (Devlin et al., arXiv:1810.04805, section 3;
/// Vaswani et al., arXiv:1706.03762, section 3.1), with layer norm after each residual, as BERT has
/// it.
#pragma once

#include <cstdint>
#include <span>

#include "ops/attention.h"
#include "ops/linear.h"
#include "ops/norm.h"

namespace cloze::nn {

/// `encoder.layer.N.*` of the checkpoint.
struct EncoderLayer {
  ops::LinearWeight qkv;               ///< attention.self.query, key, value: hidden -> 3·hidden
  ops::LinearWeight attention_output;  ///< attention.output.dense: hidden -> hidden
  ops::NormParameters attention_norm;
  ops::LinearWeight intermediate;  ///< intermediate.dense: hidden -> intermediate
  ops::LinearWeight output;        ///< output.dense: intermediate -> hidden
  ops::NormParameters output_norm;
  ops::Epilogue activation = ops::Epilogue::gelu;
  std::int64_t heads = 1;
};

/// Working memory of a layer's forward; the layers of a model share it.
struct EncoderBuffers {
  ops::Matrix qkv;           ///< [tokens, 3·hidden]
  ops::Matrix attended;      ///< [tokens, hidden]
  ops::Matrix seen;          ///< [keys, 2·hidden], where some tokens are not attended to
  ops::Matrix intermediate;  ///< [workers·tile rows, intermediate]: a tile for each worker
  std::int64_t tile_rows = 0;
};

/// Buffers from the context's arena for batches of `tokens` tokens, of which only `keys` are
/// attended to where that is not 0.
[[nodiscard]] EncoderBuffers make_buffers(ops::Context& context, const EncoderLayer& layer,
                                          DType dtype, std::int64_t tokens, std::int64_t keys = 0);

/// The tokens that others attend to: rows, ascending, and [sequences + 1] counts of them.
struct SeenTokens {
  std::span<const std::int32_t> rows = {}, cu_seqlens = {};  ///< both empty: all
};

/// What a layer is computed on.
struct LayerInputs {
  std::span<const std::int32_t> cu_seqlens;  ///< [sequences + 1]
  ops::Matrix hidden_states;                 ///< [tokens, hidden]
  std::span<float> attentions = {};  ///< where not empty, receives ops::attention's probabilities
  SeenTokens seen = {};
};

/// hidden_states [tokens, hidden] = layer(hidden_states), in place:
///   a = attention(x),  x = norm(x + a·Woᵀ + bo),  x = norm(x + gelu(x·Wiᵀ + bi)·Wdᵀ + bd).
void forward(ops::Context& context, const EncoderLayer& layer, const EncoderBuffers& buffers,
             const LayerInputs& inputs);

/// The same of the rows `chosen` alone, [chosen, hidden] in the memory of buffers.qkv: the others
/// go no further than attention. `hidden_states` stay as they are.
[[nodiscard]] ops::Matrix forward_rows(ops::Context& context, const EncoderLayer& layer,
                                       const EncoderBuffers& buffers, const LayerInputs& inputs,
                                       std::span<const std::int32_t> chosen);

}  // namespace cloze::nn
