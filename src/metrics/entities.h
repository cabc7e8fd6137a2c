/// \file
/// Entities in sequences of tags, and their precision, recall and F1, as seqeval's default mode
/// (that is conlleval) has them.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/classification.h"

namespace cloze {

/// Words [begin, end) of a sentence.
struct Entity {
  std::string type;
  std::int32_t begin = 0, end = 0;
  friend bool operator==(const Entity&, const Entity&) = default;
  friend auto operator<=>(const Entity&, const Entity&) = default;
};

/// The entities of one sentence's tags, in order: "B-PER", "I-PER", "E-PER", "S-PER", "O".
[[nodiscard]] std::vector<Entity> entities_of(std::span<const std::string_view> tags);

/// Counts over sentences.
class EntityScores {
 public:
  /// Throws ArgumentError for sentences of different lengths.
  void add(std::span<const std::string_view> truth, std::span<const std::string_view> predicted);

  [[nodiscard]] const std::map<std::string, LabelCounts>& by_type() const { return counts_; }
  [[nodiscard]] AveragedF1 averages() const;
  [[nodiscard]] double accuracy() const;  ///< of words

 private:
  std::map<std::string, LabelCounts> counts_;
  std::int64_t words_ = 0, right_ = 0;
};

}  // namespace cloze
