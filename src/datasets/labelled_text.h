/// \file
/// Texts and pairs with their labels, from memory or from tables whose columns are named, numbered
/// or guessed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "datasets/data_source.h"
#include "datasets/table_reader.h"

namespace cloze {

struct LabelledText {
  std::string text;
  std::optional<std::string> pair;
  std::vector<std::string>
      labels;             ///< one; with `multi_label` any number; of a table without, none
  std::int64_t line = 0;  ///< in memory: its number, from 1
};

struct LabelledTextOptions {
  /// Names of columns or numbers from 1; empty: by the usual names (sentence, text, sentence1 and
  /// sentence2, premise and hypothesis, question and sentence, label, ...), or in a table of two or
  /// three columns without names by their looks: labels are numbers, or what repeats the most.
  std::string text_column{}, pair_column{}, label_column{};
  bool multi_label = false;      ///< labels parted by commas, or a JSON list
  bool require_pairs = false;    ///< a table without a second text is an error
  bool may_lack_labels = false;  ///< a table of texts alone is none
};

class LabelledTextReader {
 public:
  /// Throws IoError; FormatError when the columns cannot be found: which there are, and the option
  /// that names one.
  /// In memory all examples or none have a second text, and labels; FormatError otherwise.
  LabelledTextReader(const DataSource& source, const LabelledTextOptions& options);

  /// The next example; nothing at the end. Throws FormatError as TableReader, and for an empty text
  /// or (but with `multi_label`) an empty label.
  [[nodiscard]] std::optional<LabelledText> next();

  /// "line 12 of FILE", "example 12".
  [[nodiscard]] std::string place(std::int64_t line) const;
  [[nodiscard]] bool has_pairs() const { return has_pairs_; }
  [[nodiscard]] bool has_labels() const { return has_labels_; }

 private:
  void find_columns(const LabelledTextOptions& options);
  void find_named(const LabelledTextOptions& options);
  void find_unnamed(const LabelledTextOptions& options);
  void look_at_examples(const LabelledTextOptions& options);
  [[nodiscard]] std::optional<LabelledText> next_example();
  [[nodiscard]] std::vector<std::string> labels(const TableRow& row) const;

  std::optional<TableReader> table_;  // none: the examples
  std::span<const TextExample> examples_;
  std::size_t next_example_ = 0;
  bool multi_label_, has_pairs_ = false, has_labels_ = false;
  std::size_t text_ = 0;
  std::optional<std::size_t> pair_, label_;
};

}  // namespace cloze
