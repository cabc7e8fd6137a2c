#include "datasets/labels.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/json.h"
#include "core/numbers.h"
#include "core/utf8.h"

namespace cloze {
LabelSet::LabelSet(std::vector<std::string> labels) : names_(std::move(labels)) {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (ids_.emplace(names_[i], static_cast<std::int32_t>(i)).second) continue;
    throw ArgumentError(fmt::format("the label {} is there twice", in_quotes(names_[i])));
  }
}

LabelSet LabelSet::of(const BertConfig& config) {
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < static_cast<std::size_t>(config.num_labels()); ++i) {
    labels.push_back(label_of(config, i));
  }
  return LabelSet(std::move(labels));
}

LabelSet LabelSet::discovered(const std::vector<std::string>& labels) {
  auto names = labels;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const auto is_number = [](const std::string& name) { return whole_number(name).has_value(); };
  if (std::all_of(names.begin(), names.end(), is_number)) {
    std::stable_sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
      return *whole_number(a) < *whole_number(b);
    });
  }
  return LabelSet(std::move(names));
}

std::int32_t LabelSet::id(std::string_view label, const std::string& place) const {
  if (const auto found = ids_.find(label); found != ids_.end()) return found->second;
  if (const auto number = whole_number(label);
      number && *number >= 0 && *number < static_cast<std::int64_t>(names_.size())) {
    return static_cast<std::int32_t>(*number);
  }
  throw FormatError(fmt::format(
      "{} has the label {}, which the model does not know: it knows {}; correct the row, or "
      "train with such rows too",
      place, in_quotes(label), excerpt_of_list(names_)));
}

void require_utf8_label(std::string_view label, const std::string& place) {
  if (utf8::valid_prefix(label) == label.size()) return;
  throw FormatError(fmt::format("{} has the label {}, which is not UTF-8: save the file as UTF-8",
                                place, in_quotes(label)));
}

std::string label_of(const BertConfig& config, std::size_t index) {
  if (config.id2label.empty()) return fmt::format("LABEL_{}", index);
  return config.id2label.at(index);
}

}  // namespace cloze
