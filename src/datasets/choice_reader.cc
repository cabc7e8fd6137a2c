#include "datasets/choice_reader.h"

#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/json.h"
#include "core/numbers.h"
#include "core/strings.h"
#include "datasets/table_reader.h"

namespace cloze {
namespace {

constexpr std::array<std::string_view, 10> known{"sent1",   "sent2",  "ending0", "startphrase",
                                                 "label",   "prompt", "context", "question",
                                                 "choice0", "choices"};

struct Columns {
  std::size_t prompt = 0;
  std::optional<std::size_t> start;  // SWAG: what every ending begins with
  std::vector<std::size_t> endings;
  std::optional<std::size_t> list;
  std::size_t label = 0;
};

std::optional<std::size_t> first_choice_of(const TableReader& table,
                                           std::initializer_list<std::string_view> names) {
  for (const auto name : names) {
    if (const auto found = table.find(name)) return found;
  }
  return std::nullopt;
}

Columns find_columns(const TableReader& table, const ChoiceOptions& options) {
  Columns columns;
  const auto require = [&](std::optional<std::size_t> column, std::string_view what) {
    if (column) return *column;
    throw FormatError(fmt::format(
        "{} has no column with {}: it has {}; choices need columns like SWAG's (sent1, sent2, "
        "ending0, ending1, ..., label), or JSON lines with prompt, choices and label",
        table.path().string(), what, table.describe_columns()));
  };
  columns.list = first_choice_of(table, {"choices", "endings", "options"});
  for (const auto* prefix : {"ending", "choice"}) {
    for (std::size_t i = 0; columns.endings.size() == i; ++i) {
      const auto found = table.find(fmt::format("{}{}", prefix, i));
      if (!found) break;
      columns.endings.push_back(*found);
    }
    if (!columns.endings.empty()) break;
  }
  if (!columns.list && columns.endings.size() < 2) (void)require(std::nullopt, "choices");
  columns.prompt = !options.text_column.empty()
                       ? table.column(options.text_column, "text column")
                       : require(first_choice_of(table, {"sent1", "prompt", "context", "question"}),
                                 "the prompt");
  if (options.text_column.empty() && table.find("sent1")) columns.start = table.find("sent2");
  columns.label = !options.label_column.empty()
                      ? table.column(options.label_column, "label column")
                      : require(first_choice_of(table, {"label", "answer"}), "the label");
  return columns;
}

}  // namespace

std::vector<Choices> read_choices(const std::filesystem::path& path, const ChoiceOptions& options) {
  TableReader table(path, {.wanted = {options.text_column, options.label_column}, .known = known});
  const auto columns = find_columns(table, options);
  std::vector<Choices> rows;
  while (options.max_samples == 0 || static_cast<std::int64_t>(rows.size()) < options.max_samples) {
    const auto row = table.next();
    if (!row) break;
    Choices choices;
    choices.line = row->line;
    choices.prompt = required_text(*row, columns.prompt, table, "prompt");
    std::string start;
    if (columns.start) start = row->cells[*columns.start].text;
    const auto add = [&](const std::string& ending) {
      if (trimmed(ending).empty()) {
        throw FormatError(fmt::format("{} has an empty choice: remove the row, or fill it in",
                                      table.place(row->line)));
      }
      choices.choices.push_back(start.empty() ? ending : fmt::format("{} {}", start, ending));
    };
    if (columns.list) {
      for (const auto& ending : row->cells[*columns.list].list) add(ending);
    } else {
      for (const auto column : columns.endings) {
        add(required_text(*row, column, table, table.names()[column]));
      }
    }
    const auto count = rows.empty() ? choices.choices.size() : rows.front().choices.size();
    if (choices.choices.size() != count || count < 2) {
      throw FormatError(
          fmt::format("{} has {} choices{}: every row must have as many, two at least",
                      table.place(row->line), choices.choices.size(),
                      rows.empty() ? "" : fmt::format(", where the first row has {}", count)));
    }
    const auto& label = required_text(*row, columns.label, table, "label");
    const auto number = whole_number(label);
    if (!number || *number < 0 || static_cast<std::size_t>(*number) >= count) {
      throw FormatError(
          fmt::format("{} has the label {}: it must be the number of a choice, 0 to {}",
                      table.place(row->line), in_quotes(label), count - 1));
    }
    choices.label = static_cast<decltype(choices.label)>(*number);
    rows.push_back(std::move(choices));
  }
  return rows;
}

}  // namespace cloze
