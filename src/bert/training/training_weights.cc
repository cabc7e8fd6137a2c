#include "bert/training/training_weights.h"

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze::internal {

TrainingWeights::TrainingWeights(std::span<const ParameterShape> shapes, DType compute,
                                 bool gradients)
    : parameters_(shapes, gradients), compute_(compute) {
  if (compute != DType::f32 && compute != DType::bf16) {
    throw ArgumentError(fmt::format("training computes in f32 or bf16, not {}", name_of(compute)));
  }
  if (!ops::accelerates(compute)) {
    throw ModelError(
        fmt::format("this machine has no instructions for {}: train in f32", name_of(compute)));
  }
  if (compute == DType::bf16) rounded_.resize(parameters_.values().size());
}

void TrainingWeights::refresh() {
  for (const auto& parameter : parameters_.all()) {
    if (!parameter.rounded.empty()) ops::convert_values(parameter.value, parameter.rounded);
  }
}

ops::ConstMatrix TrainingWeights::matrix_f32(const std::string& name) {
  const auto& parameter = parameters_.at(name);
  const std::int64_t cols = parameter.shape.back();
  return {reinterpret_cast<const std::byte*>(parameter.value.data()), DType::f32,
          static_cast<std::int64_t>(parameter.value.size()) / cols, cols, cols};
}

ops::ConstMatrix TrainingWeights::matrix(const std::string& name) {
  auto matrix = matrix_f32(name);
  if (compute_ == DType::bf16) {
    auto& parameter = parameters_.at(name);
    const auto at = parameter.value.data() - parameters_.values().data();
    parameter.rounded =
        std::span(rounded_).subspan(static_cast<std::size_t>(at), parameter.value.size());
    matrix.data = reinterpret_cast<const std::byte*>(parameter.rounded.data());
    matrix.dtype = DType::bf16;
  }
  return matrix;
}

ops::Matrix TrainingWeights::gradient(const std::string& name) {
  const auto& parameter = parameters_.at(name);
  const std::int64_t cols = parameter.shape.back();
  return {reinterpret_cast<std::byte*>(parameter.gradient.data()), DType::f32,
          static_cast<std::int64_t>(parameter.gradient.size()) / cols, cols, cols};
}

nn::TrainableLinear TrainingWeights::linear(const std::vector<std::string>& names) {
  const std::string weight = names.front() + ".weight", bias = names.front() + ".bias";
  nn::TrainableLinear linear{.weight = matrix(weight),
                             .bias = parameters_.at(bias).value,
                             .weight_gradient = gradient(weight),
                             .bias_gradient = parameters_.at(bias).gradient};
  for (std::size_t i = 1; i < names.size(); ++i) {
    const auto& more = parameters_.at(names[i] + ".weight");
    const auto& more_bias = parameters_.at(names[i] + ".bias");
    const auto& before = parameters_.at(names[i - 1] + ".weight").value;
    if (more.value.data() != before.data() + before.size() ||
        more_bias.value.data() != linear.bias.data() + linear.bias.size()) {
      throw ArgumentError(
          fmt::format("parameters {} do not adjoin those of {}", names[i], names[i - 1]));
    }
    linear.weight.rows += matrix(names[i] + ".weight").rows;
    linear.weight_gradient.rows += more.shape.front();
    const std::size_t size = linear.bias.size() + more_bias.value.size();
    linear.bias = {linear.bias.data(), size};
    if (!linear.bias_gradient.empty()) linear.bias_gradient = {linear.bias_gradient.data(), size};
  }
  return linear;
}

nn::TrainableLinear TrainingWeights::linear_f32(const std::string& name) {
  auto linear = this->linear({name});
  linear.weight = matrix_f32(name + ".weight");
  return linear;
}

nn::TrainableNorm TrainingWeights::norm(const std::string& name, double epsilon) {
  auto& gamma = parameters_.at(name + ".weight");
  auto& beta = parameters_.at(name + ".bias");
  return {.parameters = {.gamma = gamma.value,
                         .beta = beta.value,
                         .epsilon = static_cast<float>(epsilon)},
          .gamma_gradient = gamma.gradient,
          .beta_gradient = beta.gradient};
}

std::vector<ParameterShape> encoder_parameters(const BertConfig& config, bool pooler) {
  const std::int64_t hidden = config.hidden_size, inner = config.intermediate_size;
  std::vector<ParameterShape> shapes;
  const auto add = [&](std::string name, Shape shape, bool adjoining = false) {
    shapes.push_back({std::move(name), std::move(shape), adjoining});
  };
  const auto norm = [&](const std::string& name) {
    add(name + ".weight", {hidden});
    add(name + ".bias", {hidden});
  };
  const auto linear = [&](const std::string& name, std::int64_t outputs, std::int64_t inputs) {
    add(name + ".weight", {outputs, inputs});
    add(name + ".bias", {outputs});
  };
  const std::string embeddings = "bert.embeddings.";
  add(embeddings + "word_embeddings.weight", {config.vocab_size, hidden});
  add(embeddings + "position_embeddings.weight", {config.max_position_embeddings, hidden});
  add(embeddings + "token_type_embeddings.weight", {config.type_vocab_size, hidden});
  norm(embeddings + "LayerNorm");
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string layer = fmt::format("bert.encoder.layer.{}.", i);
    const std::string self = layer + "attention.self.";
    add(self + "query.weight", {hidden, hidden});
    add(self + "key.weight", {hidden, hidden}, true);
    add(self + "value.weight", {hidden, hidden}, true);
    add(self + "query.bias", {hidden});
    add(self + "key.bias", {hidden}, true);
    add(self + "value.bias", {hidden}, true);
    linear(layer + "attention.output.dense", hidden, hidden);
    norm(layer + "attention.output.LayerNorm");
    linear(layer + "intermediate.dense", inner, hidden);
    linear(layer + "output.dense", hidden, inner);
    norm(layer + "output.LayerNorm");
  }
  if (pooler) linear("bert.pooler.dense", hidden, hidden);
  return shapes;
}

}  // namespace cloze::internal
