#include "train/optimizer/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/strings.h"

namespace cloze {

OptimizerKind optimizer_from(std::string_view name) {
  if (name == "adamw") return OptimizerKind::adamw;
  if (name == "lamb") return OptimizerKind::lamb;
  throw ArgumentError(fmt::format("there is no optimizer {}: use adamw or lamb", in_quotes(name)));
}

std::string_view name_of(OptimizerKind kind) {
  return kind == OptimizerKind::adamw ? "adamw" : "lamb";
}

Optimizer::Optimizer(internal::Parameters& parameters, const OptimizerSettings& settings,
                     std::string_view sparse)
    : parameters_(parameters), settings_(settings), context_(parameters.device()) {
  // Moments lie as the values do, from the first trained one on.
  const auto values = parameters.values();
  for (const auto& parameter : std::as_const(parameters).all()) {
    if (parameter.rate > 0) trained_.push_back(&parameter);
  }
  const std::size_t skipped =
      trained_.empty() ? values.size()
                       : static_cast<std::size_t>(trained_.front()->value.data() - values.data());
  exp_avg_ = ops::Block<float>(parameters.device(), values.size() - skipped);
  exp_avg_sq_ = ops::Block<float>(parameters.device(), values.size() - skipped);
  const auto first = exp_avg_.values(), second = exp_avg_sq_.values();
  for (const auto* parameter : trained_) {
    const auto begin = static_cast<std::size_t>(parameter->value.data() - values.data()) - skipped;
    const std::size_t count = parameter->value.size();
    arrays_.push_back({.value = parameter->value,
                       .gradient = parameter->gradient,
                       .exp_avg = first.subspan(begin, count),
                       .exp_avg_sq = second.subspan(begin, count),
                       .rounded = parameter->rounded,
                       .decay = parameter->decay,
                       .rate = parameter->rate});
    // LAMB wants the norm of a whole array's update; a product in bf16 reads every row.
    if (parameter->name == sparse && settings.kind == OptimizerKind::adamw &&
        parameter->rounded.empty()) {
      lazy_.emplace(context_, arrays_.back(), parameter->shape.back());
    } else {
      dense_.push_back(arrays_.back());
    }
  }
}

void Optimizer::read(std::span<const std::int32_t> rows) {
  if (lazy_) lazy_->read(rows);
}

void Optimizer::catch_up() {
  if (lazy_) lazy_->catch_up();
}

double Optimizer::sum_of_squares() {
  std::vector<std::span<const float>> gradients;
  if (dense_.size() == parameters_.all().size()) {
    gradients.emplace_back(parameters_.gradients());
  } else {
    for (const auto& array : dense_) gradients.emplace_back(array.gradient);
  }
  const auto dense = ops::sum_of_squares(context_, gradients);
  if (!lazy_) return dense.get();
  const auto sparse = lazy_->sum_of_squares();
  return sparse.get() + dense.get();
}

Optimizer::Step Optimizer::step(double learning_rate) {
  Step result;
  result.gradient_norm = std::sqrt(sum_of_squares());
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
    ops::adamw(context_, dense_, adam, static_cast<float>(scale));
    if (lazy_) lazy_->step(adam, static_cast<float>(scale));
  } else {
    ops::lamb(context_, dense_, adam, static_cast<float>(scale));
  }
  return result;
}

TensorMap Optimizer::state() const {
  TensorMap tensors;
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    const auto& parameter = *trained_[i];
    const auto view = [&](std::span<const float> values) {
      return ops::to_host(parameters_.device(), values, parameter.shape);
    };
    tensors.emplace(parameter.name + ".exp_avg", view(arrays_[i].exp_avg));
    tensors.emplace(parameter.name + ".exp_avg_sq", view(arrays_[i].exp_avg_sq));
  }
  tensors.emplace("step", Tensor::from<std::int64_t>({1}, std::span(&steps_, 1)));
  return tensors;
}

void Optimizer::load_state(const Checkpoint& state) {
  const auto take = [&](const std::string& name, const Shape& shape, std::span<float> to) {
    if (!state.contains(name) || state.info(name).shape != shape ||
        state.info(name).dtype != DType::f32) {
      throw ModelError(fmt::format("{}: the optimizer's state of {} is missing or of another shape",
                                   state.path().string(), name));
    }
    const auto tensor = state.tensor(name);
    parameters_.device().copy_in(tensor.bytes(), std::as_writable_bytes(to).data());
  };
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    take(trained_[i]->name + ".exp_avg", trained_[i]->shape, arrays_[i].exp_avg);
    take(trained_[i]->name + ".exp_avg_sq", trained_[i]->shape, arrays_[i].exp_avg_sq);
  }
  const auto fail = [&](std::string_view what) {
    throw ModelError(fmt::format("{}: {} in the optimizer's state", state.path().string(), what));
  };
  if (!state.contains("step") || state.info("step").dtype != DType::i64) {
    fail("no count of steps");
  }
  const auto steps = state.tensor("step");
  if (steps.numel() != 1) fail(fmt::format("{} counts of steps", steps.numel()));
  std::int64_t count = 0;
  std::memcpy(&count, steps.bytes().data(), sizeof count);
  if (count < 0) fail(fmt::format("a count of {} steps", count));
  steps_ = count;
  if (lazy_) lazy_->restored();
}

}  // namespace cloze
