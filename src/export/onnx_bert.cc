#include "export/onnx_bert.h"

#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include <fmt/format.h>

#include "bert/head_model.h"
#include "cloze/error.h"
#include "core/parallel.h"

namespace cloze {
namespace {

/// 0 where a token is attended to and the lowest number where not, [B, 1, 1, L]: added to scores.
OnnxValue score_mask(OnnxGraph& graph, const OnnxValue& attention_mask) {
  constexpr std::int64_t kFloat = 1;  // TensorProto.FLOAT
  const std::string place = "attention_mask";
  const auto wide =
      graph.node("Unsqueeze", {attention_mask, graph.integers("axes_1_2", {1, 2})}, place);
  const auto kept = graph.node("Cast", {wide}, place, {{"to", kFloat}});
  const auto dropped = graph.node("Sub", {graph.number("one", 1.0F), kept}, place);
  const auto lowest = graph.number("lowest", std::numeric_limits<float>::lowest());
  return graph.node("Mul", {dropped, lowest}, place);
}

/// x·Φ(x) = ½x(1 + erf(x/√2)).
OnnxValue gelu(OnnxGraph& graph, const OnnxValue& x, const std::string& place) {
  const auto scaled =
      graph.node("Div", {x, graph.number("square_root_of_2", std::numbers::sqrt2_v<float>)}, place);
  const auto erf = graph.node("Erf", {scaled}, place);
  const auto sum = graph.node("Add", {erf, graph.number("one", 1.0F)}, place);
  const auto product = graph.node("Mul", {x, sum}, place);
  return graph.node("Mul", {product, graph.number("half", 0.5F)}, place);
}

/// ½x(1 + tanh(√(2/π)(x + 0.044715x³))).
OnnxValue gelu_tanh(OnnxGraph& graph, const OnnxValue& x, const std::string& place) {
  const auto cube = graph.node("Pow", {x, graph.number("three", 3.0F)}, place);
  const auto bent = graph.node("Mul", {cube, graph.number("gelu_cubic", 0.044715F)}, place);
  const auto inner = graph.node("Add", {x, bent}, place);
  const auto scale =
      graph.number("square_root_of_2_over_pi",
                   static_cast<float>(std::sqrt(2.0 * std::numbers::inv_pi_v<double>)));
  const auto tanh = graph.node("Tanh", {graph.node("Mul", {inner, scale}, place)}, place);
  const auto sum = graph.node("Add", {tanh, graph.number("one", 1.0F)}, place);
  const auto halved = graph.node("Mul", {x, graph.number("half", 0.5F)}, place);
  return graph.node("Mul", {halved, sum}, place);
}

}  // namespace

OnnxValue onnx_activation(OnnxGraph& graph, const OnnxValue& x, Activation activation,
                          const std::string& place) {
  switch (activation) {
    case Activation::gelu:
      return gelu(graph, x, place);
    case Activation::gelu_tanh:
      return gelu_tanh(graph, x, place);
    case Activation::relu:
      return graph.node("Relu", {x}, place);
    case Activation::silu:
      return graph.node("Mul", {x, graph.node("Sigmoid", {x}, place)}, place);
  }
  throw ArgumentError("not an activation");
}

Tensor transposed(const Tensor& matrix) {
  const auto source = matrix.to(DType::f32);
  const auto rows = source.dim(0), columns = source.dim(1);
  auto result = Tensor::zeros(DType::f32, {columns, rows});
  const auto from = source.values<float>();
  const auto to = result.mutable_values<float>();
  // Column by column of a strip of rows, so that what is read and written stays in the cache.
  constexpr std::int64_t kStrip = 16;
  parallel_for((rows + kStrip - 1) / kStrip, 1, [&](std::int64_t strip) {
    const auto begin = strip * kStrip, end = std::min(rows, begin + kStrip);
    for (std::int64_t c = 0; c < columns; ++c) {
      for (auto r = begin; r < end; ++r) {
        to[static_cast<std::size_t>(c * rows + r)] =
            from[static_cast<std::size_t>(r * columns + c)];
      }
    }
  });
  return result;
}

OnnxBert::OnnxBert(OnnxGraph& graph, BertConfig config,
                   std::shared_ptr<internal::CheckpointWeights> weights)
    : graph_(&graph), config_(std::move(config)), weights_(std::move(weights)) {}

std::int64_t OnnxBert::outputs_of(const std::string& name) const {
  return weights_->take(name + ".weight", {-1, config_.hidden_size}).dim(0);
}

OnnxValue OnnxBert::weight(const std::string& name, const Shape& shape) {
  return graph_->weight({name, shape, [weights = weights_, name, shape] {
                           return weights->take(name, shape).to(DType::f32);
                         }});
}

OnnxValue OnnxBert::linear(const OnnxValue& x, const internal::LinearShape& shape) {
  const auto& [name, outputs, inputs] = shape;
  const auto matrix = graph_->weight(
      {name + ".weight.transposed", {inputs, outputs}, [weights = weights_, shape] {
         return transposed(weights->take(shape.name + ".weight", {shape.outputs, shape.inputs}));
       }});
  const auto bias = weight(name + ".bias", {outputs});
  return graph_->node("Add", {graph_->node("MatMul", {x, matrix}, name), bias}, name);
}

OnnxValue OnnxBert::layer_norm(const OnnxValue& x, const internal::NormShape& shape) {
  const auto& name = shape.name;
  const Shape size{shape.size};
  const auto scale = weight(name + ".weight", size), bias = weight(name + ".bias", size);
  return graph_->node(
      "LayerNormalization", {x, scale, bias}, name,
      {{"axis", std::int64_t{-1}}, {"epsilon", static_cast<float>(config_.layer_norm_eps)}});
}

OnnxValue OnnxBert::embed(const OnnxInputs& inputs) {
  const auto shapes = internal::embedding_shapes(config_);
  const auto place_of = [](const internal::TableShape& table) {
    return table.name.substr(0, table.name.rfind('.'));
  };
  const auto look_up = [&](const internal::TableShape& table, const OnnxValue& ids) {
    return graph_->node("Gather", {weight(table.name, table.shape()), ids}, place_of(table));
  };
  auto sum = look_up(shapes.word, inputs.input_ids);
  if (!inputs.token_type_ids.empty()) {
    const auto types = look_up(shapes.token_type, inputs.token_type_ids);
    sum = graph_->node("Add", {sum, types}, place_of(shapes.token_type));
  }
  // The first L positions, for a batch of any length.
  const auto place = place_of(shapes.position);
  const auto length = graph_->node("Shape", {inputs.input_ids}, place,
                                   {{"start", std::int64_t{1}}, {"end", std::int64_t{2}}});
  const auto zero = graph_->integers("axes_0", {0});
  const auto table = weight(shapes.position.name, shapes.position.shape());
  const auto positions = graph_->node("Slice", {table, zero, length, zero}, place);
  const auto embedded = layer_norm(graph_->node("Add", {sum, positions}, place), shapes.norm);
  const auto projection = internal::projection_shape(config_);
  return projection ? linear(embedded, *projection) : embedded;
}

OnnxValue OnnxBert::attend(const OnnxValue& hidden_states, const OnnxValue& mask,
                           const internal::LayerShapes& layer, const std::string& name) {
  const auto hidden = config_.hidden_size, heads = config_.num_attention_heads;
  // A size of 0 is the input's own: batch and length.
  const auto by_head = graph_->integers("shape_by_head", {0, 0, heads, config_.head_dim()});
  const auto together = graph_->integers("shape_of_hidden", {0, 0, hidden});
  using Order = std::vector<std::int64_t>;
  const auto project = [&](const internal::LinearShape& part, const Order& order) {
    const auto rows = linear(hidden_states, part);
    const auto split = graph_->node("Reshape", {rows, by_head}, part.name);
    return graph_->node("Transpose", {split}, part.name, {{"perm", order}});
  };
  const auto query = project(layer.query, {0, 2, 1, 3});
  const auto key = project(layer.key, {0, 2, 3, 1});
  const auto value = project(layer.value, {0, 2, 1, 3});
  const auto place = name + "self";
  const auto scale =
      graph_->number("square_root_of_head_dim", std::sqrt(static_cast<float>(config_.head_dim())));
  const auto products = graph_->node("MatMul", {query, key}, place);
  const auto scores = graph_->node("Div", {products, scale}, place);
  const auto masked = graph_->node("Add", {scores, mask}, place);
  const auto shares = graph_->node("Softmax", {masked}, place, {{"axis", std::int64_t{-1}}});
  const auto mixed = graph_->node("MatMul", {shares, value}, place);
  const auto back = graph_->node("Transpose", {mixed}, place, {{"perm", Order{0, 2, 1, 3}}});
  const auto joined = graph_->node("Reshape", {back, together}, place);
  const auto output = linear(joined, layer.attention_output);
  return layer_norm(graph_->node("Add", {output, hidden_states}, name + "output"),
                    layer.attention_norm);
}

OnnxValue OnnxBert::encoder_layer(const OnnxValue& hidden_states, const OnnxValue& mask,
                                  std::int64_t index) {
  const auto layer = internal::layer_shapes(config_, index);
  const std::string name = fmt::format("bert.encoder.layer.{}.", index);
  const auto attended = attend(hidden_states, mask, layer, name + "attention.");
  const auto wide = onnx_activation(*graph_, linear(attended, layer.intermediate),
                                    config_.hidden_act, name + "intermediate");
  const auto output = linear(wide, layer.output);
  return layer_norm(graph_->node("Add", {output, attended}, name + "output"), layer.output_norm);
}

OnnxValue OnnxBert::encode(const OnnxInputs& inputs) {
  const auto mask = score_mask(*graph_, inputs.attention_mask);
  auto hidden_states = embed(inputs);
  for (std::int64_t layer = 0; layer < config_.num_hidden_layers; ++layer) {
    hidden_states = encoder_layer(hidden_states, mask, layer);
  }
  return hidden_states;
}

OnnxValue OnnxBert::pool(const OnnxValue& hidden_states) {
  const auto pooler = internal::pooler_in(*weights_, config_).value();
  const auto& name = pooler.shape.name;
  const auto first = graph_->node("Gather", {hidden_states, graph_->integer("zero", 0)}, name,
                                  {{"axis", std::int64_t{1}}});
  const auto dense = linear(first, pooler.shape);
  if (pooler.activation == ops::Epilogue::gelu) return gelu(*graph_, dense, name);
  return graph_->node(pooler.activation == ops::Epilogue::tanh ? "Tanh" : "Relu", {dense}, name);
}

OnnxValue OnnxBert::predict_tokens(const OnnxValue& hidden_states) {
  const auto shapes = internal::prediction_shapes(config_);
  const auto width = shapes.decoder.columns, vocab = config_.vocab_size;
  const auto dense = linear(hidden_states, shapes.transform);
  const auto active = onnx_activation(*graph_, dense, internal::prediction_activation(config_),
                                      shapes.transform.name);
  const auto transformed = layer_norm(active, shapes.norm);
  const auto decoder = internal::decoder_names(*weights_, config_);
  const std::string place = "cls.predictions.decoder";
  OnnxValue matrix;
  if (decoder.tied) {  // the word embeddings, once in the file: the run time turns them over
    matrix = graph_->node("Transpose", {weight(decoder.weight, {vocab, width})}, place,
                          {{"perm", std::vector<std::int64_t>{1, 0}}});
  } else {
    matrix = graph_->weight({decoder.weight + ".transposed",
                             {width, vocab},
                             [weights = weights_, stored = decoder.weight, vocab, width] {
                               return transposed(weights->take(stored, {vocab, width}));
                             }});
  }
  const auto bias = weight(decoder.bias, {vocab});
  return graph_->node("Add", {graph_->node("MatMul", {transformed, matrix}, place), bias}, place);
}

}  // namespace cloze
