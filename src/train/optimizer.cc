#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze {

OptimizerKind optimizer_from(std::string_view name) {
  if (name == "adamw") return OptimizerKind::adamw;
  if (name == "lamb") return OptimizerKind::lamb;
  throw ArgumentError(fmt::format("there is no optimizer \"{}\": use adamw or lamb", name));
}

std::string_view name_of(OptimizerKind kind) {
  return kind == OptimizerKind::adamw ? "adamw" : "lamb";
}

Optimizer::Optimizer(internal::Parameters& parameters, const OptimizerSettings& settings)
    : parameters_(parameters), settings_(settings) {
  const auto values = parameters.values();
  const auto size = static_cast<std::int64_t>(values.size());
  exp_avg_ = Tensor::zeros(DType::f32, {size});
  exp_avg_sq_ = Tensor::zeros(DType::f32, {size});
  const auto first = exp_avg_.mutable_values<float>();
  const auto second = exp_avg_sq_.mutable_values<float>();
  for (auto& parameter : parameters.all()) {
    const auto begin = static_cast<std::size_t>(parameter.value.data() - values.data());
    const std::size_t count = parameter.value.size();
    arrays_.push_back({.value = parameter.value,
                       .gradient = parameter.gradient,
                       .exp_avg = first.subspan(begin, count),
                       .exp_avg_sq = second.subspan(begin, count),
                       .decay = parameter.decay});
  }
}

Optimizer::Step Optimizer::step(double learning_rate) {
  Step result;
  result.gradient_norm = std::sqrt(ops::sum_of_squares(parameters_.gradients()));
  result.finite = std::isfinite(result.gradient_norm);
  if (!result.finite) return result;
  const double most = settings_.max_grad_norm;
  // PyTorch's clip_grad_norm_ divides by a little more than the norm.
  const bool clips = most > 0 && result.gradient_norm > most;
  const double scale = clips ? most / (result.gradient_norm + 1e-6) : 1;
  const ops::AdamSettings adam{.learning_rate = learning_rate,
                               .beta1 = settings_.beta1,
                               .beta2 = settings_.beta2,
                               .epsilon = settings_.epsilon,
                               .weight_decay = settings_.weight_decay,
                               .bias_correction = settings_.bias_correction,
                               .step = ++steps_};
  if (settings_.kind == OptimizerKind::adamw) {
    ops::adamw(arrays_, adam, static_cast<float>(scale));
  } else {
    ops::lamb(arrays_, adam, static_cast<float>(scale));
  }
  return result;
}

TensorMap Optimizer::state() const {
  TensorMap tensors;
  const auto parameters = std::as_const(parameters_).all();
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    const auto& [name, shape, value, gradient, decay] = parameters[i];
    const auto view = [&, &shape = shape](std::span<const float> values) {
      return Tensor::view(DType::f32, shape, std::as_bytes(values), nullptr);
    };
    tensors.emplace(name + ".exp_avg", view(arrays_[i].exp_avg));
    tensors.emplace(name + ".exp_avg_sq", view(arrays_[i].exp_avg_sq));
  }
  tensors.emplace("step", Tensor::from<std::int64_t>({1}, std::span(&steps_, 1)));
  return tensors;
}

void Optimizer::load_state(const Checkpoint& state) {
  const auto parameters = std::as_const(parameters_).all();
  const auto take = [&](const std::string& name, const Shape& shape, std::span<float> to) {
    if (!state.contains(name) || state.info(name).shape != shape ||
        state.info(name).dtype != DType::f32) {
      throw ModelError(fmt::format("{}: the optimizer's state of {} is missing or of another shape",
                                   state.path().string(), name));
    }
    const auto tensor = state.tensor(name);
    std::memcpy(to.data(), tensor.bytes().data(), tensor.bytes().size());
  };
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    take(parameters[i].name + ".exp_avg", parameters[i].shape, arrays_[i].exp_avg);
    take(parameters[i].name + ".exp_avg_sq", parameters[i].shape, arrays_[i].exp_avg_sq);
  }
  if (!state.contains("step") || state.info("step").dtype != DType::i64) {
    throw ModelError(
        fmt::format("{}: no count of steps in the optimizer's state", state.path().string()));
  }
  std::memcpy(&steps_, state.tensor("step").bytes().data(), sizeof steps_);
}

}  // namespace cloze
