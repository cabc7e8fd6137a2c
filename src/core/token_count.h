/// \file
/// Counts of tokens as `Batch::cu_seqlens` holds them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze {

/// `tokens` as an element of cu_seqlens. Throws ArgumentError past 2^31 - 1.
[[nodiscard]] inline std::int32_t cu_seqlen(std::size_t tokens) {
  if (tokens > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw ArgumentError(fmt::format(
        "{} tokens are more than one batch holds (2^31 - 1): divide the texts over several",
        tokens));
  }
  return static_cast<std::int32_t>(tokens);
}

}  // namespace cloze
