#include "bert/training/parameters.h"

#include <algorithm>

#include <fmt/format.h>

#include "checkpoint/finite.h"
#include "cloze/error.h"
#include "core/parallel.h"

namespace cloze::internal {
namespace {

constexpr std::int64_t kAlignment = 16;  // elements: a cache line, and the widest vector

std::int64_t size_of_shape(const Shape& shape) {
  std::int64_t size = 1;
  for (const auto dim : shape) size *= dim;
  return size;
}

bool decays(std::string_view name) {
  return !name.ends_with("bias") && name.find("LayerNorm") == std::string_view::npos;
}

}  // namespace

Parameters::Parameters(std::span<const ParameterShape> shapes, bool with_gradients,
                       const ops::Device& device)
    : device_(device) {
  std::int64_t total = 0;
  std::vector<std::int64_t> begins;
  for (const auto& [name, shape, adjoining] : shapes) {
    if (!index_.emplace(name, begins.size()).second) {
      throw ArgumentError(fmt::format("parameter {} was declared twice", name));
    }
    if (!adjoining) total = (total + kAlignment - 1) / kAlignment * kAlignment;
    begins.push_back(total);
    const std::int64_t size = size_of_shape(shape);
    count_ += size;
    total += size;
  }
  total = (total + kAlignment - 1) / kAlignment * kAlignment;
  values_ = ops::Block<float>(device, static_cast<std::size_t>(total));
  if (with_gradients) gradients_ = ops::Block<float>(device, static_cast<std::size_t>(total));
  const auto values = values_.values(), gradients = gradients_.values();
  for (std::size_t i = 0; i < begins.size(); ++i) {
    const auto begin = static_cast<std::size_t>(begins[i]);
    const auto size = static_cast<std::size_t>(size_of_shape(shapes[i].shape));
    parameters_.push_back({.name = shapes[i].name,
                           .shape = shapes[i].shape,
                           .value = values.subspan(begin, size),
                           .gradient = with_gradients ? gradients.subspan(begin, size) : gradients,
                           .decay = decays(shapes[i].name)});
  }
}

void Parameters::load(WeightSource& source) {
  for (auto& parameter : parameters_) {
    const auto tensor = source.take(parameter.name, parameter.shape).to(DType::f32);
    require_finite_weight(tensor, source.origin(), parameter.name);
    ops::copy_in(device_, tensor.values<float>(), parameter.value);
    source.release(parameter.name);
  }
}

bool Parameters::contains(std::string_view name) const {
  return index_.contains(std::string(name));
}

Parameter& Parameters::at(std::string_view name) {
  const auto found = index_.find(std::string(name));
  if (found == index_.end()) throw ModelError(fmt::format("the model has no parameter {}", name));
  return parameters_[found->second];
}

const Parameter& Parameters::at(std::string_view name) const {
  return const_cast<Parameters*>(this)->at(name);
}

void Parameters::zero_gradients() {
  device_.fill_zero(std::as_writable_bytes(gradients_.values()));
}

std::string Parameters::not_finite() const {
  std::vector<char> spoilt(parameters_.size());
  parallel_for(static_cast<std::int64_t>(parameters_.size()), 1, [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    const auto& parameter = parameters_[at];
    spoilt[at] = all_finite(ops::to_host(device_, parameter.value, parameter.shape)) ? 0 : 1;
  });
  const auto found = std::find(spoilt.begin(), spoilt.end(), 1);
  if (found == spoilt.end()) return "";
  return parameters_[static_cast<std::size_t>(found - spoilt.begin())].name;
}

Tensor Parameters::tensor(std::string_view name) const {
  const auto& parameter = at(name);
  return ops::to_host(device_, parameter.value, parameter.shape);
}

TensorMap Parameters::tensors() const {
  TensorMap tensors;
  for (const auto& parameter : parameters_) {
    tensors.emplace(parameter.name, ops::to_host(device_, parameter.value, parameter.shape));
  }
  return tensors;
}

}  // namespace cloze::internal
