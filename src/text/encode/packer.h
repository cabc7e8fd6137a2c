/// \file
/// Texts → packed batches, without an Encoding in between.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cloze/batch.h"
#include "cloze/tokenizer.h"
#include "text/encode/assemble.h"
#include "text/encode/pipeline.h"

namespace cloze::text {

/// Appends `first` (and `second`) to the batch as one sequence, and to `alignment` where each token
/// came from unless it is null. Returns the sequence's length. When it throws (ArgumentError), both
/// are as they were.
std::int32_t append(const Pipeline& pipeline, const Templates& templates,
                    const EncodeOptions& options, std::string_view first,
                    std::optional<std::string_view> second, Batch& batch, Alignment* alignment);

/// Appends all sequences of `from` to `to`.
void append(const Batch& from, Batch& to);
void append(const Alignment& from, Alignment& to);

}  // namespace cloze::text
