#include "export/onnx_sentence.h"

#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cloze/config.h"
#include "cloze/error.h"
#include "export/onnx_bert.h"
#include "sentence/dense.h"

namespace cloze {
namespace {

constexpr std::int64_t kFloat = 1;  // TensorProto.FLOAT
using Axes = std::vector<std::int64_t>;

/// attention_mask as numbers, [B, L].
OnnxValue numbers(OnnxGraph& graph, const OnnxValue& attention_mask) {
  return graph.node("Cast", {attention_mask}, "pooling", {{"to", kFloat}});
}

/// [B, L] → [B, L, 1].
OnnxValue as_column(OnnxGraph& graph, const OnnxValue& weights) {
  return graph.node("Unsqueeze", {weights, graph.integers("axes_last", {-1})}, "pooling");
}

/// 1, 2, 3, ... L.
OnnxValue places(OnnxGraph& graph, const OnnxValue& attention_mask) {
  const auto one = graph.integer("one_i", 1);
  const auto shape = graph.node("Shape", {attention_mask}, "pooling");
  const auto length = graph.node("Gather", {shape, one}, "pooling");
  const auto end = graph.node("Add", {length, one}, "pooling");
  return graph.node("Cast", {graph.node("Range", {one, end, one}, "pooling")}, "pooling",
                    {{"to", kFloat}});
}

/// Σ w_i·h_i over the tokens, divided by Σ w_i or its square root: weights [B, L] → [B, hidden].
OnnxValue weighted_sum(OnnxGraph& graph, const OnnxValue& hidden_states, const OnnxValue& weights,
                       bool square_root) {
  const auto axis = graph.integers("axes_1", {1});
  const auto column = as_column(graph, weights);
  const auto weighted = graph.node("Mul", {hidden_states, column}, "pooling");
  const auto drop = std::int64_t{0};
  const auto sum = graph.node("ReduceSum", {weighted, axis}, "pooling", {{"keepdims", drop}});
  const auto total = graph.node("ReduceSum", {column, axis}, "pooling", {{"keepdims", drop}});
  auto divisor = graph.node("Max", {total, graph.number("smallest_sum", 1e-9F)}, "pooling");
  if (square_root) divisor = graph.node("Sqrt", {divisor}, "pooling");
  return graph.node("Div", {sum, divisor}, "pooling");
}

OnnxValue largest(OnnxGraph& graph, const OnnxValue& hidden_states, const OnnxValue& kept) {
  const auto dropped = graph.node("Sub", {graph.number("one", 1.0F), kept}, "pooling");
  const auto far = graph.node("Mul", {dropped, graph.number("below_all", -1e9F)}, "pooling");
  const auto masked = graph.node("Add", {hidden_states, as_column(graph, far)}, "pooling");
  return graph.node("ReduceMax", {masked}, "pooling",
                    {{"axes", Axes{1}}, {"keepdims", std::int64_t{0}}});
}

/// The last token is at (number of tokens) - 1.
OnnxValue last(OnnxGraph& graph, const OnnxValue& hidden_states, const OnnxValue& attention_mask) {
  const auto count = graph.node("ReduceSum", {attention_mask, graph.integers("axes_1", {1})},
                                "pooling", {{"keepdims", std::int64_t{1}}});
  const auto index = graph.node("Sub", {count, graph.integer("one_i", 1)}, "pooling");
  return graph.node("GatherND", {hidden_states, index}, "pooling",
                    {{"batch_dims", std::int64_t{1}}});
}

OnnxValue pool(OnnxGraph& graph, const OnnxValue& hidden_states, const OnnxValue& attention_mask,
               Pooling pooling) {
  switch (pooling) {
    case Pooling::cls:
      return graph.node("Gather", {hidden_states, graph.integer("zero", 0)}, "pooling",
                        {{"axis", std::int64_t{1}}});
    case Pooling::mean:
    case Pooling::mean_sqrt_len:
      return weighted_sum(graph, hidden_states, numbers(graph, attention_mask),
                          pooling == Pooling::mean_sqrt_len);
    case Pooling::weighted_mean: {
      const auto kept = numbers(graph, attention_mask);
      const auto weights = graph.node("Mul", {kept, places(graph, attention_mask)}, "pooling");
      return weighted_sum(graph, hidden_states, weights, false);
    }
    case Pooling::max:
      return largest(graph, hidden_states, numbers(graph, attention_mask));
    case Pooling::last_token:
      return last(graph, hidden_states, attention_mask);
    default:
      throw ModelError(
          fmt::format("the pooling {} cannot be exported: the task feature-extraction gives the "
                      "vectors of the tokens",
                      name_of(pooling)));
  }
}

OnnxValue activate(OnnxGraph& graph, const OnnxValue& x, ops::Epilogue activation,
                   const std::string& place) {
  switch (activation) {
    case ops::Epilogue::none:
      return x;
    case ops::Epilogue::tanh:
      return graph.node("Tanh", {x}, place);
    case ops::Epilogue::relu:
      return onnx_activation(graph, x, Activation::relu, place);
    case ops::Epilogue::gelu:
      return onnx_activation(graph, x, Activation::gelu, place);
    case ops::Epilogue::silu:
      return onnx_activation(graph, x, Activation::silu, place);
    default:
      throw ModelError(fmt::format("{}: an activation that cannot be exported", place));
  }
}

OnnxSentence dense(OnnxGraph& graph, const OnnxSentence& input, const SentenceStep& step) {
  const auto& directory = step.directory;
  const auto parameters = read_linear(step);
  const auto place =
      step.kind == SentenceStep::Kind::projection ? "encode_proj" : directory.filename().string();
  const auto outputs = parameters.weight.dim(0), inputs = parameters.weight.dim(1);
  require_in_features(step, inputs, input.width);
  const auto matrix = graph.weight({place + ".linear.weight.transposed",
                                    {inputs, outputs},
                                    [weight = parameters.weight] { return transposed(weight); }});
  const auto bias =
      graph.weight({place + ".linear.bias", {outputs}, [bias = parameters.bias] { return bias; }});
  const auto product = graph.node("MatMul", {input.value, matrix}, place);
  const auto sum = graph.node("Add", {product, bias}, place);
  auto result = activate(graph, sum, parameters.activation, place);
  if (!parameters.use_residual) return {result, outputs};
  auto input_value = input.value;
  if (!parameters.residual.empty()) {
    const auto projection = graph.weight(
        {place + ".residual.weight.transposed", {inputs, outputs}, [weight = parameters.residual] {
           return transposed(weight);
         }});
    input_value = graph.node("MatMul", {input_value, projection}, place);
  }
  return {graph.node("Add", {result, input_value}, place), outputs};
}

/// Each row divided by its length.
OnnxValue normalized(OnnxGraph& graph, const OnnxValue& rows) {
  const auto length = graph.node("ReduceL2", {rows}, "normalize",
                                 {{"axes", Axes{-1}}, {"keepdims", std::int64_t{1}}});
  const auto divisor =
      graph.node("Max", {length, graph.number("smallest_length", 1e-12F)}, "normalize");
  return graph.node("Div", {rows, divisor}, "normalize");
}

}  // namespace

OnnxSentence embed_sentences(OnnxGraph& graph, const OnnxValue& hidden_states,
                             const OnnxValue& attention_mask, std::int64_t hidden,
                             const SentenceSettings& settings) {
  std::vector<OnnxValue> pooled;
  for (const auto pooling : settings.poolings) {
    pooled.push_back(pool(graph, hidden_states, attention_mask, pooling));
  }
  OnnxSentence sentence{pooled.front(), hidden * static_cast<std::int64_t>(pooled.size())};
  if (pooled.size() > 1) {
    sentence.value = graph.node("Concat", pooled, "pooling", {{"axis", std::int64_t{1}}});
  }
  for (const auto& step : settings.steps) {
    if (step.linear()) {
      sentence = dense(graph, sentence, step);
    } else {
      sentence.value = normalized(graph, sentence.value);
    }
  }
  if (const auto kept = settings.truncate_dim; kept && *kept < sentence.width) {
    sentence.value =
        graph.node("Slice",
                   {sentence.value, graph.integers("first_column", {0}),
                    graph.integers("kept_columns", {*kept}), graph.integers("column_axis", {1})},
                   "truncate");
    sentence.width = *kept;
  }
  return sentence;
}

}  // namespace cloze
