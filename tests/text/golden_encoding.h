/// \file
/// Encodings that Hugging Face's tokenizers made, as the makers of goldens write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/tokenizer.h"

namespace cloze::testing {

inline nlohmann::json flat(const std::vector<Span>& offsets) {
  nlohmann::json out = nlohmann::json::array();
  for (const auto [begin, end] : offsets) out.push_back(begin), out.push_back(end);
  return out;
}

inline void expect_same(const Encoding& ours, const nlohmann::json& theirs) {
  EXPECT_EQ(nlohmann::json(ours.ids), theirs["ids"]);
  EXPECT_EQ(nlohmann::json(ours.tokens), theirs["tokens"]);
  EXPECT_EQ(flat(ours.offsets), theirs["offsets"]);
  EXPECT_EQ(nlohmann::json(ours.word_ids), theirs["words"]);
  const auto size = ours.ids.size();
  EXPECT_EQ(ours.type_ids, theirs.value("type_ids", std::vector<std::int32_t>(size, 0)));
  EXPECT_EQ(ours.attention_mask, std::vector<std::uint8_t>(size, 1));
  for (std::size_t i = 0; i < size; ++i) {
    const bool special = ours.word_ids[i] == -1;
    EXPECT_EQ(ours.special_tokens_mask[i], special ? 1 : 0);
    // Types are those of the texts where the golden does not list both.
    const auto sequence = theirs.contains("sequences") ? theirs["sequences"][i].get<std::int32_t>()
                          : special                    ? -1
                                                       : ours.type_ids[i];
    EXPECT_EQ(ours.sequence_ids[i], sequence);
  }
  const nlohmann::json overflowing = theirs.value("overflowing", nlohmann::json::array());
  ASSERT_EQ(ours.overflowing.size(), overflowing.size());
  for (std::size_t i = 0; i < overflowing.size(); ++i) {
    expect_same(ours.overflowing[i], overflowing[i]);
  }
}

inline EncodeOptions options_of(const nlohmann::json& golden) {
  EncodeOptions options;
  const auto truncation = golden.value("truncation", "");
  if (truncation == "longest_first") options.truncation = Truncation::longest_first;
  if (truncation == "only_first") options.truncation = Truncation::only_first;
  if (truncation == "only_second") options.truncation = Truncation::only_second;
  options.max_length = golden.value("max_length", 512);
  options.stride = golden.value("stride", 0);
  return options;
}

inline Encoding encode(const Tokenizer& tokenizer, const nlohmann::json& golden) {
  const auto options = options_of(golden);
  if (golden.contains("words")) {
    const auto strings = golden["words"].get<std::vector<std::string>>();
    const auto pair_strings = golden.value("pair_words", std::vector<std::string>());
    const std::vector<std::string_view> words(strings.begin(), strings.end());
    const std::vector<std::string_view> pair(pair_strings.begin(), pair_strings.end());
    return golden.contains("pair_words") ? tokenizer.encode_words(words, pair, options)
                                         : tokenizer.encode_words(words, options);
  }
  const auto text = golden["text"].get<std::string>();
  return golden.contains("pair")
             ? tokenizer.encode(text, golden["pair"].get<std::string>(), options)
             : tokenizer.encode(text, options);
}

}  // namespace cloze::testing
