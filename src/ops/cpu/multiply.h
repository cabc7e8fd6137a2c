/// \file
/// Products of strided matrices on the calling thread, for operations that divide their own work.
#pragma once

#include <cstdint>
#include <span>

#include "ops/cpu/device.h"
#include "ops/training.h"

namespace cloze::ops {

/// c = a·b + bias, or c += a·b, on the calling thread alone.
void multiply_here(Context& context, Factor a, Factor b, Matrix c, bool accumulate,
                   std::span<const float> bias = {});

}  // namespace cloze::ops
