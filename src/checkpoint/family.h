/// \file
/// The kinds of BERT that Cloze computes: models of BERT's layers whose configurations, classes and
/// tensors have other names.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "cloze/config.h"

namespace cloze::internal {

enum class Family : std::uint8_t {
  bert,
  distilbert,  ///< without segment embeddings and pooler; classifiers stand on `pre_classifier`
  electra,     ///< projected embeddings, no pooler, heads of its own
  dpr,         ///< a BERT whose result is the first token's hidden state, perhaps projected
};

/// By the configuration's `model_type`.
[[nodiscard]] Family family_of(const BertConfig& config);

/// What training makes of a model of this family: an ELECTRA stays one, the others go on as a BERT.
[[nodiscard]] Family trained_family(const BertConfig& config);

/// What the names of transformers' classes begin with: "Bert", "DistilBert", "Electra".
[[nodiscard]] std::string_view class_prefix(Family family);

/// What the names of tensors begin with in classes with a head: "bert.", "distilbert.", "electra.".
[[nodiscard]] std::string_view tensor_prefix(Family family);

/// Some of the families.
class FamilySet {
 public:
  constexpr FamilySet(std::initializer_list<Family> families) {
    for (const auto family : families) bits_ = static_cast<std::uint8_t>(bits_ | bit(family));
  }
  [[nodiscard]] constexpr bool contains(Family family) const { return (bits_ & bit(family)) != 0; }

 private:
  [[nodiscard]] static constexpr unsigned bit(Family family) {
    return 1U << static_cast<unsigned>(family);
  }
  std::uint8_t bits_ = 0;
};

}  // namespace cloze::internal
