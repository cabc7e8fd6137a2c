/// \file
/// The packed batch: the one form in which text reaches the model. Sequences lie one after another
/// without padding; `cu_seqlens` (cumulative sequence lengths) says where each begins.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#pragma GCC visibility push(default)
namespace cloze {

/// Sequences one after another; token i of sequence s is element cu_seqlens[s] + i.
struct Batch {
  std::vector<std::int32_t> input_ids;       ///< [total_tokens]
  std::vector<std::int32_t> token_type_ids;  ///< [total_tokens], segment 0 or 1
  std::vector<std::int32_t> position_ids;    ///< [total_tokens], 0, 1, ... in each sequence
  std::vector<std::int32_t> cu_seqlens{0};   ///< [sequences + 1], cu_seqlens[0] == 0

  [[nodiscard]] std::int64_t total_tokens() const {
    return static_cast<std::int64_t>(input_ids.size());
  }
  [[nodiscard]] std::int64_t sequences() const {
    return static_cast<std::int64_t>(cu_seqlens.size()) - 1;
  }
  /// Tokens of sequence `index`.
  [[nodiscard]] std::int64_t length(std::int64_t index) const {
    const auto at = static_cast<std::size_t>(index);
    return cu_seqlens[at + 1] - cu_seqlens[at];
  }
  /// Tokens of the longest sequence, 0 for an empty batch.
  [[nodiscard]] std::int64_t max_length() const;

  /// Appends one sequence with positions 0, 1, ... An empty `type_ids` means all zero; otherwise it
  /// must be as long as `ids`. Throws ArgumentError, also past 2^31 - 1 tokens in all.
  void append(std::span<const std::int32_t> ids, std::span<const std::int32_t> type_ids = {});

  /// No sequences again; the memory is kept.
  void clear();
};

}  // namespace cloze

#pragma GCC visibility pop
