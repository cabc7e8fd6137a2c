/// \file
/// The masked language model's task: which tokens of a sequence are to be predicted, and what the
/// model sees in their place (Devlin et al., arXiv:1810.04805, section 3.1).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cloze/tokenizer.h"
#include "core/random_stream.h"

namespace cloze {

struct MaskingOptions {
  double probability = 0.15;          ///< of a sequence's tokens, special ones counted
  std::int64_t max_predictions = 20;  ///< of a sequence
  bool whole_words = false;
};

/// What masking needs to know of a vocabulary.
class MaskableVocabulary {
 public:
  /// Throws ModelError when there is no mask token.
  explicit MaskableVocabulary(const Tokenizer& tokenizer);

  [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(kinds_.size()); }
  [[nodiscard]] std::int32_t cls() const { return cls_; }
  [[nodiscard]] std::int32_t sep() const { return sep_; }
  [[nodiscard]] std::int32_t mask() const { return mask_; }
  /// Neither [CLS] nor [SEP].
  [[nodiscard]] bool may_be_masked(std::int32_t id) const { return kind(id) != Kind::fixed; }
  /// Goes on with the word of the token before: "##ing", or of a Unigram model what has no "▁".
  [[nodiscard]] bool continues_word(std::int32_t id) const { return kind(id) == Kind::continued; }
  /// Whether tokens show where words begin: those of a tokenizer of characters do not.
  [[nodiscard]] bool shows_words() const { return shows_words_; }

 private:
  enum class Kind : std::uint8_t { start, continued, fixed };
  [[nodiscard]] Kind kind(std::int32_t id) const { return kinds_[static_cast<std::size_t>(id)]; }

  std::vector<Kind> kinds_;
  std::int32_t cls_, sep_;
  std::int32_t mask_ = 0;
  bool shows_words_;
};

/// Masks sequences by the rules of google-research/bert's create_masked_lm_predictions:
///  * n·probability tokens of a sequence of n (special ones counted) are to be predicted, at least
///    1, at most `max_predictions`; every token but [CLS] and [SEP] is as likely;
///  * of these, 80 % become [MASK], 10 % a token drawn uniformly from the whole vocabulary (special
///    and unused ones too, and the token itself), 10 % stay;
///  * with `whole_words`, words are drawn instead of tokens, and one whose pieces are more than are
///    still to be drawn is passed over.
/// One thing is different: where n·probability is no whole number Google rounds to the nearest
/// (19.2 of 128 are always 19: 14.84 %), this up or down at random, so that the mean is right.
class Masker {
 public:
  /// `vocabulary` must outlive it. Throws ArgumentError for options that make no sense.
  Masker(const MaskableVocabulary& vocabulary, const MaskingOptions& options);

  /// Masks `ids` in place; appends the masked places in `ids`, ascending, and what stood there.
  void mask(std::span<std::int32_t> ids, RandomStream& random, std::vector<std::int32_t>& positions,
            std::vector<std::int32_t>& labels);

 private:
  // A token or word: `count` tokens from `begin`.
  struct Candidate {
    std::int32_t begin, count;
  };

  const MaskableVocabulary* vocabulary_;
  MaskingOptions options_;
  std::vector<Candidate> candidates_;  // of the sequence at hand; kept for its memory
};

}  // namespace cloze
