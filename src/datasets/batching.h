/// \file
/// Batches by token budget: texts of like length together, results where their texts were.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cloze/batch.h"
#include "cloze/config.h"
#include "cloze/tokenizer.h"

namespace cloze {

/// A text as the model reads it.
struct TokenizedText {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> type_ids;

  [[nodiscard]] std::int64_t length() const { return static_cast<std::int64_t>(ids.size()); }
};

/// The types of an Encoding's or a Batch's tokens as a model gets them: all 0 from a tokenizer that
/// gives none (Tokenizer::gives_token_types).
[[nodiscard]] std::vector<std::int32_t> types_for_model(const Tokenizer& tokenizer,
                                                        std::vector<std::int32_t> types);

/// Throws ModelError when the tokenizer has ids that the model has no embedding for.
void require_same_vocabulary(const Tokenizer& tokenizer, const BertConfig& config);

/// Divides sequences over batches of at most `batch_tokens` tokens (a longer sequence is a batch of
/// its own): longest first, each batch a list of indices into `lengths`, every index once.
[[nodiscard]] std::vector<std::vector<std::size_t>> plan_batches(
    std::span<const std::int64_t> lengths, std::int64_t batch_tokens);

/// The same from the texts.
[[nodiscard]] std::vector<std::vector<std::size_t>> plan_batches(
    std::span<const TokenizedText> texts, std::int64_t batch_tokens);

/// The texts `indices`, packed.
[[nodiscard]] Batch pack(std::span<const TokenizedText> texts,
                         std::span<const std::size_t> indices);

}  // namespace cloze
