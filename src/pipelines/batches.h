/// \file
/// What the pipelines share inside: public classes named after transformers' tasks, which turn
/// texts into answers. Here: texts to sequences of tokens, and sequences through a model in
/// batches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/pipeline.h"
#include "cloze/tensor.h"
#include "datasets/batching.h"

namespace cloze::internal {

/// What a message calls text `index` of a call.
[[nodiscard]] std::string name_of_text(const TextName& name, std::size_t index);

/// The tokens that a text may have. Throws ArgumentError for a `max_length` below 0 or over
/// `model_limit`.
[[nodiscard]] std::int64_t length_limit(std::int64_t max_length, std::int64_t model_limit);

/// Tokenizes on all threads; `truncation` is how a text is cut that is too long. Throws TextTooLong
/// for one that is not to be cut, and as length_limit does.
[[nodiscard]] std::vector<TokenizedText> tokenize(
    const Tokenizer& tokenizer, const Texts& texts, const TextLimits& limits,
    std::int64_t model_limit, Truncation truncation = Truncation::longest_first);

/// Throws ArgumentError for a text that has no pair, or with `pairs` false for one that has.
void require_pairs(const Texts& texts, bool pairs, const TextName& name);

/// Work on sequences, as progress tells of it.
struct Work {
  std::string_view stage;  ///< "classifying"
  std::string_view unit;   ///< "texts"
  std::int64_t batch_tokens = 8192;
  const ProgressCallback& progress;
  /// For each sequence the unit that it is a part of, where a unit has several; units are numbered
  /// from 0 and all have a sequence. Empty: every sequence is a unit.
  std::span<const std::size_t> unit_of = {};
};

/// What a model does with a batch: a tensor with a row for each sequence or each token.
using Forward = std::function<Tensor(const Batch& batch)>;

/// The row of each sequence, [1, columns], in their order.
[[nodiscard]] std::vector<Tensor> sequence_rows(std::span<const TokenizedText> sequences,
                                                const Work& work, const Forward& forward);

/// The rows of each sequence's tokens, [length, columns], in their order.
[[nodiscard]] std::vector<Tensor> token_rows(std::span<const TokenizedText> sequences,
                                             const Work& work, const Forward& forward);

/// Hands each batch to `use`, with the indices of its sequences.
void for_each_batch(std::span<const TokenizedText> sequences, const Work& work,
                    const std::function<void(const Batch&, std::span<const std::size_t>)>& use);

/// Byte at which each code point of `text` begins, as the tokenizer counts them (what is not UTF-8
/// is U+FFFD, one for each maximal subpart), and the end of the text. Only the first `most` need
/// be right.
[[nodiscard]] std::vector<std::int32_t> code_point_bounds(
    std::string_view text, std::size_t most = std::numeric_limits<std::size_t>::max());

/// The bytes of a range of code points.
[[nodiscard]] inline Span bytes_of(Span code_points, std::span<const std::int32_t> bounds) {
  return {bounds[static_cast<std::size_t>(code_points.begin)],
          bounds[static_cast<std::size_t>(code_points.end)]};
}

/// The part of a text at `bytes`.
[[nodiscard]] inline std::string_view part_of(std::string_view text, Span bytes) {
  return text.substr(static_cast<std::size_t>(bytes.begin),
                     static_cast<std::size_t>(bytes.end - bytes.begin));
}

}  // namespace cloze::internal
