/// \file
/// Entities in plain text, as transformers' token-classification pipeline finds them: tokens, or
/// tokens merged into words and spans, with offsets into the text.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/tokenizer.h"
#include "tasks/task_predictor.h"

namespace cloze {

enum class Aggregation : std::uint8_t {
  none,     ///< every token by itself
  simple,   ///< neighbouring tokens of one type are an entity
  first,    ///< words first: a word has the label of its first token
  max,      ///< ... of its surest token
  average,  ///< ... that is best in the mean over its tokens
};
/// "none", "simple", "first", "max" or "average". Throws ArgumentError for another name.
[[nodiscard]] Aggregation aggregation_from(std::string_view name);

struct TaggedSpan {
  std::string label;  ///< with `Aggregation::none` as the model has it ("B-PER"), else the type
  double score = 0;   ///< probability; of a span the mean over its tokens or words
  std::string word;   ///< tokens joined, as transformers gives it
  Span offsets;       ///< in code points of the text
  std::int32_t index = -1;  ///< with `Aggregation::none`: the token's place in the sequence
  std::int32_t window = 0;
};

struct TaggerOptions {
  Aggregation aggregation = Aggregation::simple;
  std::int64_t max_length = 512;
  /// Texts over `max_length` are read in windows that share so many tokens; where they disagree the
  /// longer entity wins, then the surer one.
  std::int64_t stride = 128;
  std::vector<std::string> ignore_labels{"O"};
};

/// The spans of each text. Throws ArgumentError for a stride that leaves no room in a window.
[[nodiscard]] std::vector<std::vector<TaggedSpan>> tag_texts(
    const TaskPredictor& predictor, const Tokenizer& tokenizer,
    std::span<const std::string_view> texts, const TaggerOptions& options);

/// The label of each word of each sentence, with its probability; texts that follow one another
/// are neighbours of one document where `document_context` says so. A word without a token has the
/// label "O" with probability 1.
struct WordLabel {
  std::string label;
  double score = 0;
};
struct WordTaggerOptions {
  std::int64_t max_length = 512;
  std::int64_t stride = 128;
  bool document_context = false;  ///< an empty sentence parts documents
};
[[nodiscard]] std::vector<std::vector<WordLabel>> tag_words(
    const TaskPredictor& predictor, const Tokenizer& tokenizer,
    std::span<const std::vector<std::string_view>> sentences, const WordTaggerOptions& options);

}  // namespace cloze
