/// \file
/// Where labelled examples come from: a file, or memory.
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "cloze/examples.h"

namespace cloze {

class DataSource {
 public:
  template <class Path>
  // NOLINTNEXTLINE(modernize-pass-by-value): a path, or what one is made from
  requires std::convertible_to<const Path&, std::filesystem::path> DataSource(const Path& file)
      : file_(file) {}  // NOLINT(google-explicit-constructor)
  /// What the examples view must outlive it.
  explicit DataSource(const Examples& examples) : in_memory_(true), examples_(examples) {}

  [[nodiscard]] bool in_memory() const { return in_memory_; }
  /// The examples in memory. Throws ArgumentError where they are of another struct: which, and which
  /// one is needed; FormatError where there are none.
  template <LabelledExample Example>
  [[nodiscard]] std::span<const Example> examples() const {
    require_some(examples_.are<Example>(), form_of(Examples(std::span<const Example>())));
    return examples_.as<Example>();
  }
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }
  /// For messages.
  [[nodiscard]] std::string name() const { return in_memory_ ? "the examples" : file_.string(); }

 private:
  /// "TextExample (text, pair, labels)".
  [[nodiscard]] static std::string form_of(const Examples& examples);
  void require_some(bool right_form, const std::string& wanted) const;

  bool in_memory_ = false;
  std::filesystem::path file_;
  Examples examples_;
};

/// "example 3", counted from 1: what messages call an example in memory.
[[nodiscard]] std::string example_name(std::int64_t number);

}  // namespace cloze
