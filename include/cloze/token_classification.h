/// \file
/// Token classification: the entities of a text, as transformers' `TokenClassificationPipeline`
/// finds them with its five aggregation strategies; or a label for each word of sentences that are
/// split already, as the models are trained.
///
///     const auto tag = cloze::TokenClassificationPipeline::from_pretrained("./ner");
///     const std::vector<std::string> texts{"Angela Merkel met Peter in New York."};
///     const auto entities = tag(texts)[0];
///     for (const auto& entity : entities) use(entity.label, entity.word, entity.offsets);
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/pipeline.h"

#pragma GCC visibility push(default)
namespace cloze {

/// How labels of tokens become entities (transformers' `aggregation_strategy`).
enum class Aggregation : std::uint8_t {
  none,     ///< every token by itself
  simple,   ///< neighbouring tokens of one type are an entity
  first,    ///< words first: a word has the label of its first token
  max,      ///< ... of its surest token
  average,  ///< ... that is best in the mean over its tokens
};

/// "none", "simple", "first", "max" or "average". Throws ArgumentError for another name.
[[nodiscard]] Aggregation aggregation_from(std::string_view name);

/// How entities are made of tokens.
struct TokenClassificationOptions {
  Aggregation aggregation = Aggregation::simple;
  std::vector<std::string> ignore_labels{"O"};
  /// Tokens of a window, special ones included; 0: what the model reads.
  std::int64_t max_length = 0;
  /// Texts over `max_length` are read in windows that share so many tokens (at most half of a
  /// window); where they disagree the longer entity wins, then the surer one.
  std::int64_t stride = 128;
};

/// An entity, or with `Aggregation::none` a token.
struct TaggedEntity {
  std::string
      label{};         ///< the type ("PER"); with `Aggregation::none` as the model has it ("B-PER")
  double score = 0;    ///< probability; of an entity the mean over its tokens or words
  std::string word{};  ///< tokens joined, as transformers gives it
  Span offsets{};      ///< in code points of the text
  Span byte_offsets{};      ///< in bytes of the text
  std::int32_t index = -1;  ///< with `Aggregation::none`: the token's place in its window
};

/// How words that were split before are labelled.
struct WordTaggingOptions {
  std::int64_t max_length = 0;  ///< tokens of a window, special ones included; 0: the model's most
  std::int64_t stride = 128;    ///< tokens that windows of one long sentence share
  /// Neighbouring sentences are read together, as much on either side as a window holds (Devlin et
  /// al., section 5.3). An empty sentence parts documents.
  bool document_context = false;
};

/// The label of a word.
struct WordLabel {
  std::string label{};
  double score = 0;  ///< probability
};

/// Finds entities in texts; immutable, and safe to share between threads.
class TokenClassificationPipeline : public Pipeline<BertForTokenClassification> {
 public:
  /// Throws as Pipeline does.
  [[nodiscard]] static TokenClassificationPipeline from_pretrained(
      const std::filesystem::path& directory_or_name, const PipelineOptions& options = {});
  TokenClassificationPipeline(BertForTokenClassification model, Tokenizer tokenizer,
                              std::int64_t batch_tokens = 8192);

  /// The entities of each text, in their order. Throws ArgumentError for a `max_length` over what
  /// the model reads or without room for a token, a negative stride, and pairs; Cancelled.
  [[nodiscard]] std::vector<std::vector<TaggedEntity>> operator()(
      const Texts& texts, const TokenClassificationOptions& options = {},
      const ProgressCallback& progress = {}) const;

  /// The label of each word of each sentence: that of its first token. A word without a token has
  /// the label "O" with probability 1. Throws as above.
  [[nodiscard]] std::vector<std::vector<WordLabel>> tag_words(
      std::span<const std::vector<std::string_view>> sentences,
      const WordTaggingOptions& options = {}, const ProgressCallback& progress = {}) const;

 private:
  TokenClassificationPipeline(const std::filesystem::path& directory_or_name,
                              const PipelineOptions& options);
};

}  // namespace cloze

#pragma GCC visibility pop
