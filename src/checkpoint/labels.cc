#include "checkpoint/labels.h"

#include <cstddef>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/strings.h"

namespace cloze::internal {
namespace {

using nlohmann::json;

/// Puts `label` at `index` of labels numbered 0 to count - 1, each once.
class Labels {
 public:
  Labels(const Fields& fields, const char* field, std::size_t count)
      : fields_(&fields), field_(field), labels_(count), seen_(count) {}

  void set(std::int64_t index, std::string label) {
    if (index < 0 || index >= static_cast<std::int64_t>(labels_.size())) {
      throw ModelError(
          fmt::format("{}: \"{}\" has {} labels and numbers one of them {}; number "
                      "them 0 to {}",
                      fields_->origin(), field_, labels_.size(), index, labels_.size() - 1));
    }
    const auto at = static_cast<std::size_t>(index);
    if (seen_[at]) {
      throw ModelError(
          fmt::format("{}: \"{}\" numbers two labels {}", fields_->origin(), field_, index));
    }
    seen_[at] = true;
    labels_[at] = std::move(label);
  }

  [[nodiscard]] std::vector<std::string> take() { return std::move(labels_); }

 private:
  const Fields* fields_;
  const char* field_;
  std::vector<std::string> labels_;
  std::vector<bool> seen_;
};

/// A label as Python's str has it.
std::string label_of(const Fields& fields, const json& label) {
  if (label.is_string()) return label.get<std::string>();
  if (label.is_boolean()) return label == true ? "True" : "False";
  if (label.is_null()) return "None";
  if (!label.is_number()) fields.wrong_type("id2label", "labels", label);
  return label.dump();
}

/// {"0": "NO", "1": "YES"}, or ["NO", "YES"].
std::vector<std::string> labels_by_id(const Fields& fields, const json& value) {
  constexpr auto kField = "id2label";
  if (!value.is_object() && !value.is_array()) {
    fields.wrong_type(kField, "an object of labels", value);
  }
  Labels labels(fields, kField, value.size());
  std::int64_t position = 0;
  for (const auto& [key, label] : value.items()) {
    std::int64_t index = position++;
    if (value.is_object()) {
      const auto parsed = json::parse(key, nullptr, false);
      if (!parsed.is_number_integer()) {
        throw FormatError(fmt::format("{}: \"id2label\" has the key {}, which is no number",
                                      fields.origin(), in_quotes(key)));
      }
      index = fields.integer(parsed, kField);
    }
    labels.set(index, label_of(fields, label));
  }
  return labels.take();
}

/// {"NO": 0, "YES": 1}.
std::vector<std::string> ids_by_label(const Fields& fields, const json& value) {
  constexpr auto kField = "label2id";
  if (!value.is_object()) fields.wrong_type(kField, "an object of numbers", value);
  Labels labels(fields, kField, value.size());
  for (const auto& [label, index] : value.items()) labels.set(fields.integer(index, kField), label);
  return labels.take();
}

/// The field that names the labels; null where there is none.
const char* naming_field(const json& config) {
  for (const auto* name : {"id2label", "label2id"}) {
    if (config.contains(name) && !config[name].is_null()) return name;
  }
  return nullptr;
}

}  // namespace

std::vector<std::string> take_labels(Fields& fields) {
  const auto id2label = fields.extract("id2label").value_or(json());
  const auto label2id = fields.extract("label2id").value_or(json());
  const auto num_labels = fields.extract("num_labels").value_or(json());
  std::vector<std::string> labels;
  if (!id2label.is_null()) {
    labels = labels_by_id(fields, id2label);
  } else if (!label2id.is_null()) {
    labels = ids_by_label(fields, label2id);
  }
  if (num_labels.is_null()) return labels;
  const auto count = fields.integer(num_labels, "num_labels");
  if (count < 1 || count > kMostLabels) {
    throw ModelError(fmt::format("{}: \"num_labels\" is {}; a head has 1 to {} labels",
                                 fields.origin(), count, kMostLabels));
  }
  if (count == static_cast<std::int64_t>(labels.size())) return labels;
  labels.clear();
  for (std::int64_t i = 0; i < count; ++i) labels.push_back(fmt::format("LABEL_{}", i));
  return labels;
}

std::optional<std::string> warning_of_labels(const json& config, const std::string& origin) {
  const auto* const field = config.is_object() ? naming_field(config) : nullptr;
  const auto count = config.is_object() ? config.find("num_labels") : config.end();
  if (field == nullptr || count == config.end() || !count->is_number_integer()) return std::nullopt;
  const auto named = config[field].size();
  if (named == 0 || *count == named) return std::nullopt;
  return fmt::format(
      "{}: \"num_labels\" is {}, but \"{}\" names {} label{}; they are called LABEL_0 to LABEL_{}, "
      "as in "
      "transformers: correct the one that is wrong",
      origin, count->dump(), field, named, named == 1 ? "" : "s", count->get<std::int64_t>() - 1);
}

}  // namespace cloze::internal
