/// \file
/// Whether numbers are finite: neither infinite nor NaN.
#pragma once

#include <span>
#include <string_view>

#include "cloze/tensor.h"

namespace cloze {

/// As fast as memory. What is no floating point number is finite.
[[nodiscard]] bool all_finite(const Tensor& tensor);
[[nodiscard]] bool all_finite(std::span<const float> values);

/// Throws ModelError where a weight, the tensor `name` of `origin`, is not.
void require_finite_weight(const Tensor& tensor, std::string_view origin, std::string_view name);

}  // namespace cloze
