/// \file
/// Replaced tokens: which tokens of a text do not fit it, as ELECTRA's discriminator was trained to
/// tell (Clark et al., arXiv:2003.10555): `ElectraForPreTraining` of transformers.
///
///     const auto name = "google/electra-small-discriminator";
///     const auto check = cloze::ReplacedTokensPipeline::from_pretrained(name);
///     const std::vector<std::string> texts{"the quick brown fox fakes over the lazy dog"};
///     const auto results = check(texts);
///     for (const auto& token : results[0]) {
///       if (token.replaced()) use(token.token, token.score);  // "fakes"
///     }
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cloze/pipeline.h"

#pragma GCC visibility push(default)
namespace cloze {

/// A token of a text, and what the model thinks of it.
struct CheckedToken {
  std::string token{};  ///< as the vocabulary has it, "##ing"
  std::int32_t id = 0;
  double score = 0;      ///< probability that it was put in place of another token
  double logit = 0;      ///< what the score is the sigmoid of
  bool in_pair = false;  ///< it is of the pair
  Span offsets{};        ///< in code points of its text
  Span byte_offsets{};   ///< in bytes of its text

  [[nodiscard]] bool replaced() const { return logit > 0; }
};

/// Tells replaced tokens; immutable, and safe to share between threads.
class ReplacedTokensPipeline : public Pipeline<ElectraForPreTraining> {
 public:
  /// Throws as Pipeline does.
  [[nodiscard]] static ReplacedTokensPipeline from_pretrained(
      const std::filesystem::path& directory_or_name, const PipelineOptions& options = {});
  ReplacedTokensPipeline(ElectraForPreTraining model, Tokenizer tokenizer,
                         std::int64_t batch_tokens = 8192);

  /// The tokens of each text or pair, special ones left out. Throws TextTooLong, ArgumentError for
  /// a limit over what the model reads, Cancelled.
  [[nodiscard]] std::vector<std::vector<CheckedToken>> operator()(
      const Texts& texts, const TextLimits& limits = {},
      const ProgressCallback& progress = {}) const;

 private:
  ReplacedTokensPipeline(const std::filesystem::path& directory_or_name,
                         const PipelineOptions& options);
};

}  // namespace cloze

#pragma GCC visibility pop
