/// \file
/// The dtype that `Precision::best` is on this processor: decided by measurement, and kept, so that
/// the same machine always decides alike.
#pragma once

#include <optional>

#include "ops/measured_machine.h"

namespace cloze::ops {

/// bf16 where its products are as fast as those of f32, because it halves what memory has to carry.
/// A decision from `before` stays until the other dtype is a tenth faster. f32 where no bf16 was
/// measured.
[[nodiscard]] DType decide_fastest(const ProductRates& rates, std::optional<DType> before);

/// What is kept for this processor and this library; nothing where there is no such file, or another
/// text in it.
[[nodiscard]] std::optional<MeasuredMachine> kept_machine();

/// The decision of this process: f32 without measuring where there are no instructions for bf16,
/// else what is kept, else what is measured now (10 ms). It never changes while the process runs.
[[nodiscard]] DType fastest_dtype();

}  // namespace cloze::ops
