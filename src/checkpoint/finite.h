/// \file
/// Whether numbers are finite: neither infinite nor NaN.
#pragma once

#include <span>

#include "cloze/tensor.h"

namespace cloze {

/// As fast as memory. What is no floating point number is finite.
[[nodiscard]] bool all_finite(const Tensor& tensor);
[[nodiscard]] bool all_finite(std::span<const float> values);

}  // namespace cloze
