#include "bert/token_selection.h"

#include <algorithm>

namespace cloze::internal {
namespace {

std::span<const std::int32_t> first_tokens_of(const Batch& batch) {
  return std::span(batch.cu_seqlens).first(static_cast<std::size_t>(batch.sequences()));
}

}  // namespace

TokenSelection TokenSelection::first_tokens(const Batch& batch) { return of(batch, {}, true); }

TokenSelection TokenSelection::of(const Batch& batch, std::span<const std::int32_t> tokens,
                                  bool first) {
  TokenSelection selection;
  auto& chosen = selection.tokens_;
  chosen.assign(tokens.begin(), tokens.end());
  if (first) {
    const auto starts = first_tokens_of(batch);
    chosen.insert(chosen.end(), starts.begin(), starts.end());
  }
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  if (chosen.empty() || static_cast<std::int64_t>(chosen.size()) == batch.total_tokens()) {
    return {};
  }
  for (const auto end : batch.cu_seqlens) {
    const auto place = std::ranges::lower_bound(chosen, end);
    selection.cu_seqlens_.push_back(static_cast<std::int32_t>(place - chosen.begin()));
  }
  return selection;
}

std::int64_t TokenSelection::rows(const Batch& batch) const {
  return all() ? batch.total_tokens() : static_cast<std::int64_t>(tokens_.size());
}

std::int64_t TokenSelection::rows(const Batch& batch, std::int64_t index) const {
  if (all()) return batch.length(index);
  const auto at = static_cast<std::size_t>(index);
  return cu_seqlens_[at + 1] - cu_seqlens_[at];
}

std::vector<std::int32_t> TokenSelection::rows_of(std::span<const std::int32_t> tokens) const {
  std::vector<std::int32_t> rows(tokens.begin(), tokens.end());
  if (all()) return rows;
  for (auto& row : rows) {
    row = static_cast<std::int32_t>(std::ranges::lower_bound(tokens_, row) - tokens_.begin());
  }
  return rows;
}

std::vector<std::int32_t> TokenSelection::rows_of_first(const Batch& batch) const {
  return rows_of(first_tokens_of(batch));
}

}  // namespace cloze::internal
