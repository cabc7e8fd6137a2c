#include "metrics/entities.h"

#include <algorithm>
#include <iterator>

#include "cloze/error.h"

namespace cloze {
namespace {

struct Tag {
  char part = 'O';
  std::string_view type = "_";
};

/// seqeval's reading of a tag: its first character, and what follows the first "-" after it.
Tag parse(std::string_view tag) {
  if (tag.empty()) return {};
  Tag result{.part = tag[0], .type = tag.substr(1)};
  if (const auto dash = result.type.find('-'); dash != std::string_view::npos) {
    result.type.remove_prefix(dash + 1);
  }
  if (result.type.empty()) result.type = "_";
  return result;
}

bool ends_entity(const Tag& before, const Tag& tag) {
  if (before.part == 'E' || before.part == 'S') return true;
  const bool inside = before.part == 'B' || before.part == 'I';
  if (inside && (tag.part == 'B' || tag.part == 'S' || tag.part == 'O')) return true;
  return before.part != 'O' && before.part != '.' && before.type != tag.type;
}

bool begins_entity(const Tag& before, const Tag& tag) {
  if (tag.part == 'B' || tag.part == 'S') return true;
  const bool after_end = before.part == 'E' || before.part == 'S' || before.part == 'O';
  if (after_end && (tag.part == 'E' || tag.part == 'I')) return true;
  return tag.part != 'O' && tag.part != '.' && before.type != tag.type;
}

}  // namespace

std::vector<Entity> entities_of(std::span<const std::string_view> tags) {
  std::vector<Entity> entities;
  Tag before;
  before.type = "";
  std::int32_t begin = 0;
  for (std::size_t i = 0; i <= tags.size(); ++i) {
    const auto tag = i < tags.size() ? parse(tags[i]) : Tag{};
    const auto at = static_cast<std::int32_t>(i);
    if (ends_entity(before, tag)) {
      entities.push_back({.type = std::string(before.type), .begin = begin, .end = at});
    }
    if (begins_entity(before, tag)) begin = at;
    before = tag;
  }
  return entities;
}

void EntityScores::add(std::span<const std::string_view> truth,
                       std::span<const std::string_view> predicted) {
  if (truth.size() != predicted.size()) {
    throw ArgumentError("a sentence has one tag a word, true and predicted");
  }
  for (std::size_t i = 0; i < truth.size(); ++i) right_ += truth[i] == predicted[i] ? 1 : 0;
  words_ += static_cast<std::int64_t>(truth.size());
  auto actual = entities_of(truth), found = entities_of(predicted);
  std::sort(actual.begin(), actual.end());
  std::sort(found.begin(), found.end());
  std::vector<Entity> hits;
  std::set_intersection(actual.begin(), actual.end(), found.begin(), found.end(),
                        std::back_inserter(hits));
  for (const auto& entity : actual) ++counts_[entity.type].actual;
  for (const auto& entity : found) ++counts_[entity.type].predicted;
  for (const auto& entity : hits) ++counts_[entity.type].hits;
}

AveragedF1 EntityScores::averages() const {
  std::vector<LabelCounts> counts;
  for (const auto& [type, count] : counts_) counts.push_back(count);
  return cloze::averages(counts);
}

double EntityScores::accuracy() const {
  return words_ == 0 ? 0 : static_cast<double>(right_) / static_cast<double>(words_);
}

}  // namespace cloze
