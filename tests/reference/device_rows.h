/// \file
/// The non-linearities by their names, and their slopes.
#pragma once

#include "ops/activation.h"

namespace cloze::reference {

/// What the activation makes of x; of `none` and `add` x itself.
[[nodiscard]] double activated(ops::Epilogue activation, double x);

/// Its derivative.
[[nodiscard]] double slope(ops::Epilogue activation, double x);

}  // namespace cloze::reference
