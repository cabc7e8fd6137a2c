/// \file
/// The labels of a task: discovered in training data, or those of a trained model.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/config.h"

namespace cloze {

class LabelSet {
 public:
  LabelSet() = default;
  /// The labels in this order. Throws ArgumentError if one is there twice.
  explicit LabelSet(std::vector<std::string> labels);

  /// Those of a trained model; LABEL_0, LABEL_1 where its config names none, as in transformers.
  [[nodiscard]] static LabelSet of(const BertConfig& config);

  /// Sorted as run_glue of transformers sorts them: whole numbers by value, else by code point.
  [[nodiscard]] static LabelSet discovered(const std::vector<std::string>& labels);

  [[nodiscard]] bool empty() const { return names_.empty(); }
  [[nodiscard]] std::size_t size() const { return names_.size(); }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] const std::string& name(std::size_t id) const { return names_.at(id); }

  /// The number of a label. A number that is no label's name means the label with that number, so
  /// that a table of 0 and 1 fits a model of NEGATIVE and POSITIVE. Throws FormatError, beginning
  /// with `place`, for a label that is none of them.
  [[nodiscard]] std::int32_t id(std::string_view label, const std::string& place) const;

 private:
  std::vector<std::string> names_;
  std::map<std::string, std::int32_t, std::less<>> ids_;
};

/// Throws FormatError, beginning with `place`, for a label that is not UTF-8. Of texts such bytes count
/// as U+FFFD; two labels would become one.
void require_utf8_label(std::string_view label, const std::string& place);

/// The name that a trained model gives to output `index` of its head.
[[nodiscard]] std::string label_of(const BertConfig& config, std::size_t index);

}  // namespace cloze
