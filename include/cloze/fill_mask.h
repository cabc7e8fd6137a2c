/// \file
/// Fill-mask: the tokens that the masked language model expects at each [MASK] of a text, as
/// transformers' `FillMaskPipeline` gives them.
///
///     const auto fill = cloze::FillMaskPipeline::from_pretrained("bert-base-uncased");
///     const std::vector<std::string> texts{"The capital of France is [MASK]."};
///     const auto masks = fill(texts)[0];
///     for (const auto& mask : masks) use(mask.candidates[0].token);   // "paris"
///     const auto two = fill(texts, {.targets = {"paris", "lyon"}});
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "cloze/pipeline.h"

#pragma GCC visibility push(default)
namespace cloze {

/// How masks are filled.
struct FillMaskOptions {
  std::int64_t top_k = 5;  ///< candidates of each mask
  /// If there are any, only these tokens are candidates. Their scores stay probabilities over the
  /// whole vocabulary. See `FillMaskPipeline::resolve`.
  std::vector<std::string> targets{};
  TextLimits limits{};
};

/// A token for a mask.
struct MaskCandidate {
  std::string token{};
  std::int32_t id = 0;
  double score = 0;        ///< probability, softmax over the vocabulary
  std::string sequence{};  ///< the text with this token in place
};

/// A mask of a text.
struct FilledMask {
  std::int64_t position = 0;                ///< of the mask, in the text's tokens
  bool in_pair = false;                     ///< it stands in the second text of a pair
  Span offsets{};                           ///< where it stands in its text, in code points
  Span byte_offsets{};                      ///< the same in bytes
  std::vector<MaskCandidate> candidates{};  ///< best first; equal scores by id
};

/// The token that stands for a target.
struct MaskTarget {
  std::string target{};       ///< as it was given
  std::string token{};        ///< the target itself, or the first piece of it; empty: it has none
  std::int32_t id = -1;       ///< of the token; -1: it has none
  bool in_vocabulary = true;  ///< whether the target itself is a token
};

/// Fills [MASK]; immutable, and safe to share between threads.
class FillMaskPipeline : public Pipeline<BertForMaskedLM> {
 public:
  /// Throws as Pipeline does; ModelError also for a vocabulary without [MASK].
  [[nodiscard]] static FillMaskPipeline from_pretrained(
      const std::filesystem::path& directory_or_name, const PipelineOptions& options = {});
  FillMaskPipeline(BertForMaskedLM model, Tokenizer tokenizer, std::int64_t batch_tokens = 8192);

  /// The masks of each text or pair, in order; a text without one has an empty list. Sequences are
  /// decoded as in transformers: without special tokens when the text has one mask; with them, the
  /// other masks among them, when it has several. Throws ArgumentError for a `top_k` that is not in
  /// 1..vocabulary and for targets of which none has a token; TextTooLong; Cancelled.
  [[nodiscard]] std::vector<std::vector<FilledMask>> operator()(
      const Texts& texts, const FillMaskOptions& options = {},
      const ProgressCallback& progress = {}) const;

  /// The tokens that stand for `targets`. A target that is no token of the vocabulary is tokenized,
  /// and its first piece stands for it (transformers warns of this); one without a piece is left
  /// out of the candidates.
  [[nodiscard]] std::vector<MaskTarget> resolve(std::span<const std::string> targets) const;

 private:
  FillMaskPipeline(const std::filesystem::path& directory_or_name, const PipelineOptions& options);
};

}  // namespace cloze

#pragma GCC visibility pop
