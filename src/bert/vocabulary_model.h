/// \file
/// The masked-LM head read as a bag of words: how much of each word of the vocabulary is in a text,
/// as SPLADE has it (Formal et al., arXiv:2109.10086).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "bert/encoder.h"
#include "cloze/checkpoint.h"
#include "ops/linear.h"
#include "ops/norm.h"

namespace cloze::internal {

/// How the logits of a text's tokens become a weight for each word.
struct VocabularyPooling {
  bool sum = false;    ///< over the tokens; otherwise their maximum
  bool twice = false;  ///< log(1 + log(1 + relu(x))) of a logit x instead of log(1 + relu(x))
};

/// The words of a text, those whose weight is over 0.
struct WordWeights {
  std::vector<std::int32_t> ids;  ///< ascending
  std::vector<float> weights;
};

/// An encoder with the masked-LM head. Immutable after loading, and safe to share between threads.
class VocabularyModel {
 public:
  /// Throws as HeadModel::from_pretrained does; ModelError also for a decoder with weights that are
  /// infinite or NaN.
  [[nodiscard]] static std::shared_ptr<const VocabularyModel> from_pretrained(
      const std::filesystem::path& directory_or_name, const VocabularyPooling& pooling,
      const LoadOptions& options);

  /// The words of each sequence: of all its tokens' logits, special ones included. With `most` over
  /// 0 only the so many greatest weights (of equal ones those of lower ids). The logits of a slice
  /// of the vocabulary and a tile of tokens exist at a time. Throws ArgumentError for a batch that
  /// the model cannot read, ModelError where a result is infinite or NaN.
  [[nodiscard]] std::vector<WordWeights> run(const Batch& batch, std::int64_t most = 0) const;

  [[nodiscard]] const BertConfig& config() const { return encoder_.config(); }

 private:
  VocabularyModel(BertConfig config, Checkpoint checkpoint, WeightSource& weights,
                  const VocabularyPooling& pooling, const LoadOptions& options);
  /// What the decoder reads of hidden states, in the context's arena.
  [[nodiscard]] ops::Matrix transform(ops::Context& context, ops::ConstMatrix hidden) const;
  [[nodiscard]] std::vector<WordWeights> words_of(ops::Context& context, ops::ConstMatrix features,
                                                  const Batch& batch) const;
  void require_finite(ops::ConstMatrix features) const;

  Checkpoint checkpoint_;
  VocabularyPooling pooling_;
  BertEncoder encoder_;
  ops::LinearWeight transform_;
  ops::NormParameters norm_;
  std::vector<ops::LinearWeight> slices_;  ///< of the decoder, kSlice words each, the last fewer
};

}  // namespace cloze::internal
