/// \file
/// The normalizers that tokenizers of SentencePiece models are made of, one after another.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/normalize/placed_text.h"
#include "text/normalize/precompiled_map.h"

namespace cloze::text {

/// Drops controls, and makes what counts as white space a space.
struct NmtStep {};
/// Normalization form KC.
struct NfkcStep {};
/// Each character by itself.
struct LowercaseStep {};
/// White space at the ends.
struct StripStep {
  bool left = false, right = false;
};
/// Each `pattern` becomes `content`; or each run of at least two spaces, where `spaces` is set.
struct ReplaceStep {
  bool spaces = false;
  std::string pattern;  ///< not empty, unless `spaces`
  std::string content;
};
using PrecompiledStep = std::shared_ptr<const PrecompiledMap>;

using NormalizerStep =
    std::variant<PrecompiledStep, NmtStep, NfkcStep, LowercaseStep, StripStep, ReplaceStep>;

/// A text with the place of each byte in itself.
[[nodiscard]] NormalizedText placed(std::string_view text, std::int32_t begin, OffsetUnit unit);

/// Takes `text` through all steps. Returns false when a step shifted the places of all that follows,
/// because characters vanished at the begin (PrecompiledMap::apply).
bool run_steps(const std::vector<NormalizerStep>& steps, NormalizedText& text);

/// Whether text may be cut before a single space between ASCII letters or digits, and the parts
/// taken through the steps by themselves.
[[nodiscard]] bool divisible(const std::vector<NormalizerStep>& steps);

}  // namespace cloze::text
