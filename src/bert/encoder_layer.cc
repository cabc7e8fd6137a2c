#include "bert/encoder_layer.h"

#include "ops/row_tiles.h"
#include "ops/rows.h"

namespace cloze::nn {

EncoderBuffers make_buffers(ops::Context& context, const EncoderLayer& layer, DType dtype,
                            std::int64_t tokens, std::int64_t keys) {
  const std::int64_t hidden = layer.qkv.in_features();
  EncoderBuffers buffers;
  buffers.qkv = context.matrix(dtype, tokens, 3 * hidden);
  buffers.attended = context.matrix(dtype, tokens, hidden);
  if (keys > 0) buffers.seen = context.matrix(dtype, keys, 2 * hidden);
  const auto tiles = ops::row_tiles(context, tokens);
  buffers.tile_rows = tiles.rows;
  buffers.intermediate =
      context.matrix(dtype, tiles.workers * tiles.rows, layer.intermediate.out_features());
  return buffers;
}

namespace {

void attend(ops::Context& context, const EncoderLayer& layer, const EncoderBuffers& buffers,
            const LayerInputs& inputs) {
  const std::int64_t hidden = inputs.hidden_states.cols;
  ops::AttentionShape shape{
      .heads = layer.heads, .head_dim = hidden / layer.heads, .cu_seqlens = inputs.cu_seqlens};
  ops::linear(context, inputs.hidden_states, layer.qkv, ops::Epilogue::none, buffers.qkv);
  if (inputs.seen.cu_seqlens.empty()) {
    ops::attention(context, ops::attention_inputs(buffers.qkv), shape, buffers.attended,
                   {.probabilities = inputs.attentions});
    return;
  }
  shape.cu_seqlens = inputs.seen.cu_seqlens;
  ops::gather_rows(context, buffers.qkv.cols_from(hidden, 2 * hidden), inputs.seen.rows,
                   buffers.seen);
  ops::attention(context,
                 {.q = ops::attention_part(buffers.qkv, 0),
                  .k = buffers.seen.cols_from(0, hidden),
                  .v = buffers.seen.cols_from(hidden, hidden),
                  .cu_queries = inputs.cu_seqlens},
                 shape, buffers.attended);
}

/// Everything after attention is row-wise: a tile of rows goes through all of it while it is in
/// cache. `hidden_states` are what attention read, and become the layer's output.
void feed_forward(ops::Context& context, const EncoderLayer& layer, const EncoderBuffers& buffers,
                  ops::ConstMatrix attended, ops::Matrix hidden_states) {
  using ops::Epilogue;
  const auto tile = [&](std::int64_t begin, std::int64_t count, int worker) {
    const auto x = hidden_states.rows_from(begin, count);
    const auto inner = buffers.intermediate.rows_from(worker * buffers.tile_rows, count);
    ops::linear(context, attended.rows_from(begin, count), layer.attention_output, Epilogue::add,
                x);
    ops::layer_norm(context, x, layer.attention_norm, x);
    ops::linear(context, x, layer.intermediate, layer.activation, inner);
    ops::linear(context, inner, layer.output, Epilogue::add, x);
    ops::layer_norm(context, x, layer.output_norm, x);
  };
  ops::for_row_tiles(context, hidden_states.rows, tile);
}

}  // namespace

void forward(ops::Context& context, const EncoderLayer& layer, const EncoderBuffers& buffers,
             const LayerInputs& inputs) {
  attend(context, layer, buffers, inputs);
  feed_forward(context, layer, buffers, buffers.attended, inputs.hidden_states);
}

ops::Matrix forward_rows(ops::Context& context, const EncoderLayer& layer,
                         const EncoderBuffers& buffers, const LayerInputs& inputs,
                         std::span<const std::int32_t> chosen) {
  attend(context, layer, buffers, inputs);
  const auto rows = static_cast<std::int64_t>(chosen.size()), hidden = inputs.hidden_states.cols;
  // Queries, keys and values have done their work.
  const ops::Matrix space{buffers.qkv.data, buffers.qkv.dtype, 2 * rows, hidden, hidden};
  const auto x = space.rows_from(0, rows), attended = space.rows_from(rows, rows);
  ops::gather_rows(context, inputs.hidden_states, chosen, x);
  ops::gather_rows(context, buffers.attended, chosen, attended);
  feed_forward(context, layer, buffers, attended, x);
  return x;
}

}  // namespace cloze::nn
