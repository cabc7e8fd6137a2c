/// \file
/// The tokens of a batch whose last hidden states a head looks at. Of the others the
/// last layer is keys and values alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cloze/batch.h"

namespace cloze::internal {

class TokenSelection {
 public:
  /// All tokens.
  TokenSelection() = default;

  /// Each sequence's first token.
  [[nodiscard]] static TokenSelection first_tokens(const Batch& batch);

  /// `tokens` (rows of the batch, in any order, more than once if need be), and with `first` each
  /// sequence's first one, too. All tokens, where that is none.
  [[nodiscard]] static TokenSelection of(const Batch& batch, std::span<const std::int32_t> tokens,
                                         bool first);

  [[nodiscard]] bool all() const { return cu_seqlens_.empty(); }
  /// How many of the batch's tokens.
  [[nodiscard]] std::int64_t rows(const Batch& batch) const;
  /// Of sequence `index`.
  [[nodiscard]] std::int64_t rows(const Batch& batch, std::int64_t index) const;

  /// Where the hidden states of `tokens`, which must be selected, stand among those selected.
  [[nodiscard]] std::vector<std::int32_t> rows_of(std::span<const std::int32_t> tokens) const;
  [[nodiscard]] std::vector<std::int32_t> rows_of_first(const Batch& batch) const;

  /// The tokens, ascending, and [sequences + 1] counts of them; both empty: all.
  [[nodiscard]] std::span<const std::int32_t> tokens() const { return tokens_; }
  [[nodiscard]] std::span<const std::int32_t> cu_seqlens() const { return cu_seqlens_; }

 private:
  std::vector<std::int32_t> tokens_, cu_seqlens_;
};

}  // namespace cloze::internal
