/// \file
/// Where labelled examples come from: a file, or memory.
#pragma once

#include <concepts>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "cloze/error.h"
#include "cloze/text_example.h"

namespace cloze {

class DataSource {
 public:
  template <class Path>
  // NOLINTNEXTLINE(modernize-pass-by-value): a path, or what one is made from
  requires std::convertible_to<const Path&, std::filesystem::path> DataSource(const Path& file)
      : file_(file) {}  // NOLINT(google-explicit-constructor)
  /// The examples must outlive it.
  explicit DataSource(std::span<const TextExample> examples)
      : in_memory_(true), examples_(examples) {}

  [[nodiscard]] bool in_memory() const { return in_memory_; }
  [[nodiscard]] std::span<const TextExample> examples() const { return examples_; }
  /// Throws ArgumentError for examples in memory.
  [[nodiscard]] const std::filesystem::path& file() const {
    if (in_memory_) {
      throw ArgumentError(
          "this task reads its examples from a file: those in memory are for text classification, "
          "regression, ranking and sentence embedding");
    }
    return file_;
  }
  /// For messages.
  [[nodiscard]] std::string name() const { return in_memory_ ? "the examples" : file_.string(); }

 private:
  bool in_memory_ = false;
  std::filesystem::path file_;
  std::span<const TextExample> examples_;
};

}  // namespace cloze
