/// \file
/// Tables of text, a row at a time: TSV (tabs, quotes are plain characters), CSV (RFC 4180: quotes
/// that hold delimiters and line ends) and JSON lines (an object a line). Which of them a file is,
/// and whether its first row names the columns, is found from the file.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/text_reader.h"

namespace cloze {

enum class TableFormat : std::uint8_t { tsv, csv, json_lines };

/// A value of a row. Only JSON has lists, and rows without some of the values.
struct TableCell {
  std::string text;  ///< numbers and booleans as JSON writes them
  std::vector<std::string> list{};
  bool is_list = false;
  bool flags = false;    ///< a list of two or more values, each 0 or 1, true or false
  bool missing = false;  ///< the object has no such key, or null there
};

struct TableRow {
  std::vector<TableCell> cells;  ///< as many as the table has columns
  std::int64_t line = 0;         ///< on which it begins, from 1
};

struct TableOptions {
  /// Columns that will be asked for; a name (anything but a number) means that there is a header.
  /// In TSV numbers alone mean that rows may have further columns at their end (STS-B's have).
  std::vector<std::string> wanted;
  /// Names in lower case that only a header has: a first row with one of them, and without numbers
  /// and long texts, is taken for a header.
  std::span<const std::string_view> known;
};

/// Reads a table in order, holding no more than the first rows and the current one.
class TableReader {
 public:
  /// Opens the file and reads its first rows. Throws IoError; FormatError for an empty file or a
  /// list of objects that is not lines.
  TableReader(const std::filesystem::path& path, const TableOptions& options);

  [[nodiscard]] TableFormat format() const { return format_; }
  /// Names of the columns; empty without a header. (JSON: the keys of the first object, sorted.)
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] std::size_t width() const { return width_; }

  /// The place of the column that a person calls `wanted`: a name (exact, else whatever the case),
  /// or a number from 1. Throws FormatError when there is none: the columns that there are, and
  /// the `role` that it was to have: "text column".
  [[nodiscard]] std::size_t column(const std::string& wanted, std::string_view role) const;
  /// The column with this name, whatever its case.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const;

  /// How a column's cells look in the first rows.
  struct Look {
    bool numbers = true;       ///< every cell is a number
    bool counts = true;        ///< every cell is the number of its row, from 0 or from 1
    std::size_t distinct = 0;  ///< different cells
  };
  [[nodiscard]] const Look& look(std::size_t column) const { return looks_.at(column); }

  /// The next row; nothing at the end. Throws FormatError, with line and cause, for a row with
  /// another number of columns, a quote that does not end, JSON that is none, a blank line between
  /// rows.
  [[nodiscard]] std::optional<TableRow> next();

  /// "line 12 of FILE".
  [[nodiscard]] std::string place(std::int64_t line) const { return lines_.place(line); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// "a, b and c", or "3 columns without names": for messages.
  [[nodiscard]] std::string describe_columns() const;

 private:
  [[nodiscard]] std::optional<TextItem> next_line();
  [[nodiscard]] std::optional<TableRow> read_row();
  [[nodiscard]] static TableRow split_tabs(const TextItem& line);
  [[nodiscard]] TableRow read_quoted(TextItem line);
  [[nodiscard]] TableRow read_object(const TextItem& line);
  void take_header(const TableRow& row);

  std::filesystem::path path_;
  TextReader lines_;
  std::optional<TextItem> first_line_;
  TableFormat format_ = TableFormat::tsv;
  char delimiter_ = '\t';
  bool by_number_ = false;  // columns are chosen so
  std::size_t width_ = 0;
  std::vector<std::string> names_;
  std::deque<TableRow> ahead_;  // rows that were read to look at and not yet handed out
  std::vector<Look> looks_;
};

/// A row's text cell, which must not be empty or missing: FormatError with `place` otherwise.
[[nodiscard]] const std::string& required_text(const TableRow& row, std::size_t column,
                                               const TableReader& table, std::string_view what);

}  // namespace cloze
