#include "datasets/table_reader.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/json.h"
#include "core/numbers.h"
#include "core/strings.h"

namespace cloze {
namespace {

constexpr std::size_t rows_to_look_at = 64;
constexpr std::size_t longest_name = 40;

std::string lower(std::string_view text) { return lower_ascii(trimmed(text)); }

bool is_number(std::string_view text) { return real_number(text).has_value(); }

/// A first row that names columns: one of the names is known, and none is a number or a text.
bool looks_like_header(const TableRow& row, std::span<const std::string_view> known) {
  bool found = false;
  for (const auto& cell : row.cells) {
    const auto name = lower(cell.text);
    if (name.size() > longest_name || is_number(name)) return false;
    found = found || std::find(known.begin(), known.end(), name) != known.end();
  }
  return found;
}

char most_frequent_delimiter(std::string_view line) {
  constexpr std::array candidates{',', ';', '\t'};
  return *std::max_element(candidates.begin(), candidates.end(), [&](char a, char b) {
    return std::count(line.begin(), line.end(), a) < std::count(line.begin(), line.end(), b);
  });
}

std::string text_of(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

TableCell cell_of(const nlohmann::json& value) {
  TableCell cell;
  if (value.is_null()) {
    cell.missing = true;
  } else if (value.is_array()) {
    cell.is_list = true;
    for (const auto& item : value) cell.list.push_back(text_of(item));
    cell.flags = value.size() > 1 && std::all_of(value.begin(), value.end(), [](const auto& item) {
                   return item.is_boolean() || item == 0 || item == 1;
                 });
  } else {
    cell.text = text_of(value);
  }
  return cell;
}

}  // namespace

TableReader::TableReader(const std::filesystem::path& path, const TableOptions& options)
    : path_(path), lines_(TextReader::file(path, Tabs::space)), first_line_(lines_.next()) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (first_line_ && first_line_->text.starts_with(byte_order_mark)) {
    first_line_->text.erase(0, byte_order_mark.size());
  }
  if (!first_line_)
    throw FormatError(fmt::format("{} is empty: there is nothing to read", path_.string()));
  const std::string_view first = trimmed(first_line_->text);
  const auto extension = lower(path_.extension().string());
  if (first.starts_with('[') && (extension == ".json" || extension == ".jsonl")) {
    throw FormatError(fmt::format(
        "{} is one JSON list: write its objects one a line (JSON lines), without the list around",
        path_.string()));
  }
  if (first.starts_with('{') && extension != ".tsv" && extension != ".csv") {
    format_ = TableFormat::json_lines;
  } else if (extension == ".csv" ||
             (extension != ".tsv" && first.find('\t') == std::string_view::npos &&
              first.find(',') != std::string_view::npos)) {
    format_ = TableFormat::csv;
    delimiter_ = most_frequent_delimiter(first_line_->text);
  }

  const auto wanted = [&](const auto& what) {
    return std::any_of(options.wanted.begin(), options.wanted.end(), [&](const std::string& name) {
      return !name.empty() && what(whole_number<std::size_t>(name).has_value());
    });
  };
  const bool by_name = wanted([](bool number) { return !number; });
  by_number_ =
      format_ == TableFormat::tsv && !by_name && wanted([](bool number) { return number; });
  while (ahead_.size() < rows_to_look_at) {
    auto row = read_row();
    if (!row) break;
    const bool first_row = width_ == 0;
    if (first_row) width_ = row->cells.size();
    if (first_row && format_ != TableFormat::json_lines) {
      if (by_name || looks_like_header(*row, options.known)) {
        take_header(*row);
        continue;
      }
    }
    ahead_.push_back(std::move(*row));
  }
  if (ahead_.empty()) {
    throw FormatError(fmt::format("{} has no rows: there is nothing to read", path_.string()));
  }
  for (std::size_t c = 0; c < width_; ++c) {
    std::set<std::string_view> distinct;
    Look look;
    const auto first = whole_number<std::size_t>(trimmed(ahead_.front().cells[c].text));
    look.counts = first && *first <= 1;
    for (std::size_t r = 0; r < ahead_.size(); ++r) {
      const auto text = trimmed(ahead_[r].cells[c].text);
      look.numbers = look.numbers && is_number(text);
      look.counts = look.counts && whole_number<std::size_t>(text) == *first + r;
      distinct.insert(text);
    }
    look.distinct = distinct.size();
    looks_.push_back(look);
  }
}

void TableReader::take_header(const TableRow& row) {
  for (const auto& cell : row.cells) names_.emplace_back(trimmed(cell.text));
}

std::optional<TextItem> TableReader::next_line() {
  if (first_line_) return std::exchange(first_line_, std::nullopt);
  return lines_.next();
}

std::optional<TableRow> TableReader::read_row() {
  auto line = next_line();
  if (line && is_blank(line->text)) {  // fine at the end
    const auto blank = line->number;
    while (line && is_blank(line->text)) line = next_line();
    if (!line) return std::nullopt;
    throw FormatError(
        fmt::format("{} is blank, between rows: remove it, or fill it in", place(blank)));
  }
  if (!line) return std::nullopt;
  auto row = format_ == TableFormat::json_lines ? read_object(*line)
             : format_ == TableFormat::csv      ? read_quoted(std::move(*line))
                                                : split_tabs(*line);
  if (by_number_ && width_ > 0 && row.cells.size() > width_) row.cells.resize(width_);
  if (width_ > 0 && row.cells.size() != width_) {
    throw FormatError(fmt::format(
        "{} has {} columns, where the first row has {}: {}", place(row.line), row.cells.size(),
        width_,
        format_ == TableFormat::tsv ? "a text must not have tabs in it (rows may have more columns "
                                      "at their end where yours are chosen by number)"
                                    : "put a text with commas or line ends into quotes"));
  }
  return row;
}

TableRow TableReader::split_tabs(const TextItem& line) {
  TableRow row{.cells = {}, .line = line.number};
  std::string_view rest = line.text;
  while (true) {
    const auto tab = rest.find('\t');
    row.cells.push_back({.text = std::string(rest.substr(0, tab))});
    if (tab == std::string_view::npos) return row;
    rest.remove_prefix(tab + 1);
  }
}

TableRow TableReader::read_quoted(TextItem line) {
  TableRow row{.cells = {}, .line = line.number};
  std::string cell;
  bool quoted = false, closed = false;  // inside quotes; after the quotes of this cell
  while (true) {
    const std::string_view text = line.text;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (quoted) {
        if (c != '"') {
          cell += c;
        } else if (i + 1 < text.size() && text[i + 1] == '"') {
          cell += c;
          ++i;
        } else {
          quoted = false;
          closed = true;
        }
      } else if (c == delimiter_) {
        row.cells.push_back({.text = std::exchange(cell, {})});
        closed = false;
      } else if (closed) {
        if (c == ' ') continue;
        throw FormatError(fmt::format(
            "{} has text after a closing quote: a quote inside a quoted text is written twice",
            place(line.number)));
      } else if (c == '"' && cell.empty()) {
        quoted = true;
      } else {
        cell += c;
      }
    }
    if (!quoted) break;
    auto more = next_line();
    if (!more) {
      throw FormatError(
          fmt::format("{}: a quote that opens in this row is never closed", place(row.line)));
    }
    cell += '\n';
    line = std::move(*more);
  }
  row.cells.push_back({.text = std::move(cell)});
  return row;
}

TableRow TableReader::read_object(const TextItem& line) {
  const auto object = parse_json_object(line.text, place(line.number));
  TableRow row{.cells = {}, .line = line.number};
  if (names_.empty()) {
    for (const auto& [key, value] : object.items()) names_.push_back(key);
    if (names_.empty()) {
      throw FormatError(fmt::format("{} is an object without values", place(line.number)));
    }
  }
  for (const auto& name : names_) {
    const auto found = object.find(name);
    row.cells.push_back(found == object.end() ? TableCell{.text = {}, .missing = true}
                                              : cell_of(*found));
  }
  return row;
}

std::string TableReader::describe_columns() const {
  if (names_.empty()) return fmt::format("{} columns without names", width_);
  return fmt::format("the columns {}", excerpt_of_list(names_));
}

std::optional<std::size_t> TableReader::find(std::string_view name) const {
  for (std::size_t c = 0; c < names_.size(); ++c) {
    if (names_[c] == name) return c;
  }
  const auto wanted = lower(name);
  for (std::size_t c = 0; c < names_.size(); ++c) {
    if (lower(names_[c]) == wanted) return c;
  }
  return std::nullopt;
}

std::size_t TableReader::column(const std::string& wanted, std::string_view role) const {
  if (const auto found = find(wanted)) return *found;
  const auto number = whole_number<std::size_t>(wanted);
  if (number && format_ != TableFormat::json_lines && *number >= 1 && *number <= width_) {
    return *number - 1;
  }
  throw FormatError(fmt::format("{} has no column {}: it has {}; choose one as the {}",
                                path_.string(), number ? excerpt(wanted) : in_quotes(wanted),
                                describe_columns(), role));
}

std::optional<TableRow> TableReader::next() {
  if (ahead_.empty()) return read_row();
  auto row = std::move(ahead_.front());
  ahead_.pop_front();
  return row;
}

const std::string& required_text(const TableRow& row, std::size_t column, const TableReader& table,
                                 std::string_view what) {
  const auto& cell = row.cells.at(column);
  if (cell.is_list) {
    throw FormatError(fmt::format("{} has a list as its {}, where one text is read",
                                  table.place(row.line), what));
  }
  if (is_blank(cell.text)) {
    throw FormatError(
        fmt::format("{} has no {}: remove the row, or fill it in", table.place(row.line), what));
  }
  return cell.text;
}

}  // namespace cloze
