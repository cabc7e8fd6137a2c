#include "bert/training/parameters.h"

#include <algorithm>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/parallel.h"

namespace cloze::internal {
namespace {

constexpr std::int64_t kAlignment = 16;  // elements: a cache line, and the widest vector
constexpr std::int64_t kGrain = std::int64_t{1} << 20;

std::int64_t size_of_shape(const Shape& shape) {
  std::int64_t size = 1;
  for (const auto dim : shape) size *= dim;
  return size;
}

bool decays(std::string_view name) {
  return !name.ends_with("bias") && name.find("LayerNorm") == std::string_view::npos;
}

}  // namespace

Parameters::Parameters(std::span<const ParameterShape> shapes, bool with_gradients) {
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
  values_ = Tensor::zeros(DType::f32, {total});
  if (with_gradients) gradients_ = Tensor::zeros(DType::f32, {total});
  const auto values = values_.mutable_values<float>();
  const auto gradients = with_gradients ? gradients_.mutable_values<float>() : std::span<float>();
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
    const auto values = tensor.values<float>();
    std::copy(values.begin(), values.end(), parameter.value.begin());
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

std::span<float> Parameters::values() { return values_.mutable_values<float>(); }
std::span<float> Parameters::gradients() {
  return gradients_.empty() ? std::span<float>() : gradients_.mutable_values<float>();
}

void Parameters::zero_gradients() {
  const auto all = gradients();
  const auto size = static_cast<std::int64_t>(all.size());
  parallel_for((size + kGrain - 1) / kGrain, 1, [&](std::int64_t i) {
    const auto begin = all.begin() + i * kGrain;
    std::fill(begin, begin + std::min(kGrain, size - i * kGrain), 0.0F);
  });
}

TensorMap Parameters::tensors() const {
  TensorMap tensors;
  for (const auto& parameter : parameters_) {
    const auto bytes = std::as_bytes(std::span<const float>(parameter.value));
    tensors.emplace(parameter.name, Tensor::view(DType::f32, parameter.shape, bytes, nullptr));
  }
  return tensors;
}

}  // namespace cloze::internal
