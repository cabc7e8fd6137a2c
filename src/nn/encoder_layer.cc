#include "nn/encoder_layer.h"

#include "core/parallel.h"

namespace cloze::nn {

EncoderBuffers make_buffers(ops::Context& context, const EncoderLayer& layer, DType dtype,
                            std::int64_t tokens) {
  const std::int64_t hidden = layer.qkv.in_features();
  EncoderBuffers buffers;
  buffers.qkv = context.matrix(dtype, tokens, 3 * hidden);
  buffers.attended = context.matrix(dtype, tokens, hidden);
  buffers.tile_rows = ops::max_tile_rows(tokens);
  buffers.intermediate =
      context.matrix(dtype, num_threads() * buffers.tile_rows, layer.intermediate.out_features());
  return buffers;
}

void forward(ops::Context& context, const EncoderLayer& layer,
             std::span<const std::int32_t> cu_seqlens, EncoderBuffers& buffers,
             ops::Matrix hidden_states, std::span<float> attentions) {
  using ops::Epilogue;
  const std::int64_t hidden = hidden_states.cols;
  ops::linear(context, hidden_states, layer.qkv, Epilogue::none, buffers.qkv);
  ops::attention(context, buffers.qkv,
                 {.heads = layer.heads, .head_dim = hidden / layer.heads, .cu_seqlens = cu_seqlens},
                 buffers.attended, attentions);
  // Everything after attention is row-wise: a tile of rows goes through all of it while it is in
  // cache.
  ops::for_row_tiles(hidden_states.rows, [&](std::int64_t begin, std::int64_t count, int worker) {
    const auto x = hidden_states.rows_from(begin, count);
    const auto inner = buffers.intermediate.rows_from(worker * buffers.tile_rows, count);
    ops::linear(context, buffers.attended.rows_from(begin, count), layer.attention_output,
                Epilogue::add, x);
    ops::layer_norm(context, x, layer.attention_norm, x);
    ops::linear(context, x, layer.intermediate, layer.activation, inner);
    ops::linear(context, inner, layer.output, Epilogue::add, x);
    ops::layer_norm(context, x, layer.output_norm, x);
  });
}

}  // namespace cloze::nn
