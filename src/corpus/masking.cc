#include "corpus/masking.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze {

MaskableVocabulary::MaskableVocabulary(const Tokenizer& tokenizer)
    : kinds_(static_cast<std::size_t>(tokenizer.vocab_size()), Kind::start),
      cls_(tokenizer.cls_token_id()),
      sep_(tokenizer.sep_token_id()),
      shows_words_(tokenizer.model() != TokenizerModel::characters) {
  const auto mask = tokenizer.mask_token_id();
  if (!mask) {
    throw ModelError(
        "the vocabulary has no mask token, which masked language modelling needs: add it to "
        "vocab.txt and name it as mask_token in tokenizer_config.json, or train a vocabulary with "
        "cloze vocab");
  }
  mask_ = *mask;
  for (std::size_t id = 0; id < kinds_.size(); ++id) {
    if (tokenizer.continues_word(static_cast<std::int32_t>(id))) kinds_[id] = Kind::continued;
  }
  kinds_[static_cast<std::size_t>(cls_)] = Kind::fixed;
  kinds_[static_cast<std::size_t>(sep_)] = Kind::fixed;
}

Masker::Masker(const MaskableVocabulary& vocabulary, const MaskingOptions& options)
    : vocabulary_(&vocabulary), options_(options) {
  if (!(options.probability > 0 && options.probability < 1)) {
    throw ArgumentError(fmt::format("the share of masked tokens is {} and must lie between 0 and 1",
                                    options.probability));
  }
  if (options.whole_words && !vocabulary.shows_words()) {
    throw ArgumentError(
        "whole words cannot be masked: each token of this tokenizer is a character, which does not "
        "show where words begin; mask tokens instead");
  }
  if (options.max_predictions < 1) {
    throw ArgumentError(fmt::format("at most {} masked tokens a sequence leave nothing to predict",
                                    options.max_predictions));
  }
}

void Masker::mask(std::span<std::int32_t> ids, RandomStream& random,
                  std::vector<std::int32_t>& positions, std::vector<std::int32_t>& labels) {
  candidates_.clear();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!vocabulary_->may_be_masked(ids[i])) continue;
    const auto at = static_cast<std::int32_t>(i);
    // A piece belongs to the candidate before it, as Google has it (even over a [SEP]: a segment
    // that begins amid a word after truncation); here only where they touch.
    if (options_.whole_words && vocabulary_->continues_word(ids[i]) && !candidates_.empty() &&
        candidates_.back().begin + candidates_.back().count == at) {
      ++candidates_.back().count;
    } else {
      candidates_.push_back({at, 1});
    }
  }

  const double wanted = static_cast<double>(ids.size()) * options_.probability;
  auto count = static_cast<std::int64_t>(wanted);
  if (random.uniform() < wanted - static_cast<double>(count)) ++count;
  count = std::min(std::max<std::int64_t>(count, 1), options_.max_predictions);

  const auto first = positions.size();
  const auto missing = [&] { return count - static_cast<std::int64_t>(positions.size() - first); };
  for (std::size_t drawn = 0; drawn < candidates_.size() && missing() > 0; ++drawn) {
    const auto left = static_cast<std::uint32_t>(candidates_.size() - drawn);
    std::swap(candidates_[drawn], candidates_[drawn + random.below(left)]);
    const auto [begin, size] = candidates_[drawn];
    if (size > missing()) continue;
    for (std::int32_t i = 0; i < size; ++i) positions.push_back(begin + i);
  }
  std::sort(positions.begin() + static_cast<std::ptrdiff_t>(first), positions.end());

  for (auto i = first; i < positions.size(); ++i) {
    auto& id = ids[static_cast<std::size_t>(positions[i])];
    labels.push_back(id);
    const auto lot = random.uniform();
    if (lot < 0.8) {
      id = vocabulary_->mask();
    } else if (lot < 0.9) {
      id = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(vocabulary_->size())));
    }
  }
}

}  // namespace cloze
