#include "bert/training/training_weights.h"

#include <fmt/format.h>

#include "cloze/error.h"
#include "ops/rows.h"

namespace cloze::internal {

TrainingWeights::TrainingWeights(std::span<const ParameterShape> shapes, DType compute,
                                 bool gradients, const ops::Device& device)
    : parameters_(shapes, gradients, device), compute_(compute) {
  if (compute != DType::f32 && compute != DType::bf16) {
    throw ArgumentError(fmt::format("training computes in f32 or bf16, not {}", name_of(compute)));
  }
  if (!device.accelerates(compute)) {
    throw ModelError(
        fmt::format("this machine has no instructions for {}: train in f32", name_of(compute)));
  }
  if (compute == DType::bf16) {
    rounded_ = ops::Block<BFloat16>(device, parameters_.values().size());
  }
}

void TrainingWeights::refresh() {
  for (const auto& parameter : parameters_.all()) {
    if (parameter.rounded.empty()) continue;
    ops::round(parameters_.device(), parameter.value, parameter.rounded);
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
        rounded_.values().subspan(static_cast<std::size_t>(at), parameter.value.size());
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

nn::TrainableLinear TrainingWeights::linear(std::initializer_list<LinearShape> parts) {
  const auto& first = *parts.begin();
  const std::string weight = first.name + ".weight", bias = first.name + ".bias";
  nn::TrainableLinear linear{.weight = matrix(weight),
                             .bias = parameters_.at(bias).value,
                             .weight_gradient = gradient(weight),
                             .bias_gradient = parameters_.at(bias).gradient};
  for (const auto* part = parts.begin() + 1; part < parts.end(); ++part) {
    const auto& name = part->name;
    const auto& more = parameters_.at(name + ".weight");
    const auto& more_bias = parameters_.at(name + ".bias");
    const auto& before = parameters_.at((part - 1)->name + ".weight").value;
    if (more.value.data() != before.data() + before.size() ||
        more_bias.value.data() != linear.bias.data() + linear.bias.size()) {
      throw ArgumentError(
          fmt::format("parameters {} do not adjoin those of {}", name, (part - 1)->name));
    }
    linear.weight.rows += matrix(name + ".weight").rows;
    linear.weight_gradient.rows += more.shape.front();
    const std::size_t size = linear.bias.size() + more_bias.value.size();
    linear.bias = {linear.bias.data(), size};
    if (!linear.bias_gradient.empty()) linear.bias_gradient = {linear.bias_gradient.data(), size};
  }
  return linear;
}

nn::TrainableLinear TrainingWeights::linear_f32(const LinearShape& shape) {
  auto linear = this->linear({shape});
  linear.weight = matrix_f32(shape.name + ".weight");
  return linear;
}

nn::TrainableNorm TrainingWeights::norm(const NormShape& shape, double epsilon) {
  auto& gamma = parameters_.at(shape.name + ".weight");
  auto& beta = parameters_.at(shape.name + ".bias");
  return {.parameters = {.gamma = gamma.value,
                         .beta = beta.value,
                         .epsilon = static_cast<float>(epsilon)},
          .gamma_gradient = gamma.gradient,
          .beta_gradient = beta.gradient};
}

}  // namespace cloze::internal
