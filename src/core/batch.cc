#include "cloze/batch.h"

#include <algorithm>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/token_count.h"

namespace cloze {

std::int64_t Batch::max_length() const {
  std::int64_t longest = 0;
  for (std::int64_t i = 0; i < sequences(); ++i) longest = std::max(longest, length(i));
  return longest;
}

void Batch::append(std::span<const std::int32_t> ids, std::span<const std::int32_t> type_ids) {
  if (!type_ids.empty() && type_ids.size() != ids.size()) {
    throw ArgumentError(fmt::format("a sequence of {} tokens was given {} token_type_ids",
                                    ids.size(), type_ids.size()));
  }
  const auto end = cu_seqlen(input_ids.size() + ids.size());
  input_ids.insert(input_ids.end(), ids.begin(), ids.end());
  if (type_ids.empty()) {
    token_type_ids.resize(input_ids.size(), 0);
  } else {
    token_type_ids.insert(token_type_ids.end(), type_ids.begin(), type_ids.end());
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    position_ids.push_back(static_cast<std::int32_t>(i));
  }
  cu_seqlens.push_back(end);
}

void Batch::clear() {
  input_ids.clear();
  token_type_ids.clear();
  position_ids.clear();
  cu_seqlens.assign(1, 0);
}

}  // namespace cloze
