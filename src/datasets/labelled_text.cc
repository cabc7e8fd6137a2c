#include "datasets/labelled_text.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/strings.h"
#include "core/utf8.h"
#include "datasets/labels.h"

namespace cloze {
namespace {

/// The pairs of columns that GLUE's tables, and others like them, have.
constexpr std::array<std::pair<std::string_view, std::string_view>, 15> pair_names{{
    {"sentence1", "sentence2"},
    {"premise", "hypothesis"},
    {"question1", "question2"},
    {"question", "sentence"},
    {"#1 string", "#2 string"},
    {"text1", "text2"},
    {"text_a", "text_b"},
    {"query", "candidate"},
    {"query", "passage"},
    {"query", "document"},
    {"query", "text"},
    {"context", "response"},
    {"question", "answer"},
    {"utterance", "response"},
    {"text", "text_pair"},
}};

constexpr std::array<std::string_view, 9> text_names{
    "sentence", "text", "review", "utterance", "content", "comment", "tweet", "query", "title"};

constexpr std::array<std::string_view, 14> label_names{
    "label",  "labels", "score",      "gold_label", "quality",      "class", "category",
    "intent", "target", "similarity", "relevance",  "is_duplicate", "value", "rating"};

/// Every name of the above: what a header is known by.
std::vector<std::string_view> known_names() {
  std::vector<std::string_view> names(text_names.begin(), text_names.end());
  names.insert(names.end(), label_names.begin(), label_names.end());
  for (const auto& [first, second] : pair_names) {
    names.push_back(first);
    names.push_back(second);
  }
  return names;
}

void add_label(std::vector<std::string>& labels, std::string_view text) {
  std::string label(trimmed(text));
  if (label.empty() || std::find(labels.begin(), labels.end(), label) != labels.end()) return;
  labels.push_back(std::move(label));
}

/// Whether column `a` looks more like labels than `b`, which is before it: numbers, else no more
/// different values, and not the numbers of the rows.
bool looks_like_labels(const TableReader& table, std::size_t a, std::size_t b) {
  const auto& one = table.look(a);
  const auto& other = table.look(b);
  if (one.numbers != other.numbers) return one.numbers;
  if (one.counts != other.counts) return other.counts;
  return one.distinct <= other.distinct;
}

}  // namespace

LabelledTextReader::LabelledTextReader(const DataSource& source, const LabelledTextOptions& options)
    : multi_label_(options.multi_label) {
  if (source.in_memory()) {
    examples_ = source.examples<TextExample>();
    look_at_examples(options);
    return;
  }
  table_.emplace(source.file(), TableOptions{.wanted = {options.text_column, options.pair_column,
                                                        options.label_column},
                                             .known = known_names()});
  find_columns(options);
  has_pairs_ = pair_.has_value();
  has_labels_ = label_.has_value();
}

std::string LabelledTextReader::place(std::int64_t line) const {
  return table_ ? table_->place(line) : example_name(line);
}

void LabelledTextReader::look_at_examples(const LabelledTextOptions& options) {
  has_pairs_ = !examples_.front().pair.empty();
  has_labels_ = !examples_.front().labels.empty() || !options.may_lack_labels;
  if (options.require_pairs && !has_pairs_) {
    throw FormatError("example 1 has one text, where two are needed");
  }
}

std::optional<LabelledText> LabelledTextReader::next_example() {
  if (next_example_ == examples_.size()) return std::nullopt;
  const auto& example = examples_[next_example_++];
  LabelledText result;
  result.text = example.text;
  result.labels = example.labels;
  result.line = static_cast<std::int64_t>(next_example_);
  const auto fail = [&](std::string_view what) {
    throw FormatError(fmt::format("{} {}", place(result.line), what));
  };
  if (example.text.empty()) fail("has an empty text");
  if (example.pair.empty() == has_pairs_) {
    fail(has_pairs_ ? "has one text, where the first has two"
                    : "has two texts, where the first has one");
  }
  if (has_pairs_) result.pair = example.pair;
  if (!has_labels_ && !example.labels.empty()) fail("has a label, and the first has none");
  if (has_labels_ && !multi_label_ && example.labels.size() != 1) {
    fail(fmt::format("has {} labels, where one must be", example.labels.size()));
  }
  for (const auto& label : example.labels) {
    if (trimmed(label).empty()) fail("has an empty label");
    require_utf8_label(label, place(result.line));
  }
  return result;
}

void LabelledTextReader::find_columns(const LabelledTextOptions& options) {
  if (table_->names().empty()) {
    find_unnamed(options);
  } else {
    find_named(options);
  }
  if (options.require_pairs && !pair_) {
    throw FormatError(fmt::format(
        "{} has one text a row, where two are needed: it has {}; name the pair column, which "
        "has the second text",
        table_->path().string(), table_->describe_columns()));
  }
  if (text_ == label_ || (pair_ && (*pair_ == text_ || *pair_ == label_))) {
    throw FormatError(fmt::format(
        "{}: one column cannot be two things; it has {}: name the text column, the pair "
        "column and the label column",
        table_->path().string(), table_->describe_columns()));
  }
}

void LabelledTextReader::find_named(const LabelledTextOptions& options) {
  const auto missing = [&](std::string_view what, std::string_view role) {
    return FormatError(
        fmt::format("{}: which column holds the {} cannot be told; it has {}: name it as the {}",
                    table_->path().string(), what, table_->describe_columns(), role));
  };
  const auto first_of = [&](std::span<const std::string_view> names) -> std::optional<std::size_t> {
    for (const auto name : names) {
      if (const auto found = table_->find(name)) return found;
    }
    return std::nullopt;
  };
  auto label = options.label_column.empty()
                   ? first_of(label_names)
                   : std::optional(table_->column(options.label_column, "label column"));
  if (!label && !options.may_lack_labels) throw missing("labels", "label column");
  label_ = label;
  if (!options.pair_column.empty()) pair_ = table_->column(options.pair_column, "pair column");
  if (!options.text_column.empty()) {
    text_ = table_->column(options.text_column, "text column");
    return;
  }
  std::optional<std::size_t> text;
  for (const auto& [first, second] : pair_names) {
    const auto a = table_->find(first), b = table_->find(second);
    if (!a || !b || a == label_ || b == label_ || (pair_ && *b != *pair_)) continue;
    text = a;
    pair_ = b;
    break;
  }
  if (!text) text = first_of(text_names);
  if (!text) {  // the only one that is left
    std::vector<std::size_t> left;
    for (std::size_t c = 0; c < table_->width(); ++c) {
      if (c != label_ && c != pair_) left.push_back(c);
    }
    if (left.size() == 1) text = left.front();
  }
  if (!text) throw missing("texts", "text column");
  text_ = *text;
}

void LabelledTextReader::find_unnamed(const LabelledTextOptions& options) {
  constexpr std::size_t most_to_guess = 3;
  const auto width = table_->width();
  if (width == 1) {
    throw FormatError(
        fmt::format("{} has a single column: an example is a text, a tab, and its label (or CSV, "
                    "or JSON lines)",
                    table_->path().string()));
  }
  std::vector<bool> taken(width);
  const auto take = [&](std::size_t column) {
    taken[column] = true;
    return column;
  };
  const auto given = [&](const std::string& wanted, std::string_view role) {
    return take(table_->column(wanted, role));
  };
  const auto guessable = [&](std::string_view role) {
    if (width <= most_to_guess) return;
    throw FormatError(fmt::format(
        "{} has {}: name the text column, the label column and, for pairs, the pair column "
        "(numbers from 1); the {} is missing",
        table_->path().string(), table_->describe_columns(), role));
  };
  if (!options.text_column.empty()) text_ = given(options.text_column, "text column");
  if (!options.pair_column.empty()) pair_ = given(options.pair_column, "pair column");
  if (!options.label_column.empty()) {
    label_ = given(options.label_column, "label column");
  } else if (!options.may_lack_labels || width > 2) {
    guessable("label column");
    std::optional<std::size_t> label;
    for (std::size_t c = 0; c < width; ++c) {
      if (!taken[c] && (!label || looks_like_labels(*table_, c, *label))) label = c;
    }
    if (!label) {
      throw FormatError(fmt::format("{} has no column left for labels", table_->path().string()));
    }
    label_ = take(*label);
  }
  // The numbers of the rows, which some tables have first, are no texts.
  const auto next_free = [&]() -> std::optional<std::size_t> {
    for (std::size_t c = 0; c < width; ++c) {
      if (!taken[c] && !table_->look(c).counts) return c;
    }
    return std::nullopt;
  };
  if (!options.text_column.empty()) return;
  guessable("text column");
  const auto text = next_free();
  if (!text)
    throw FormatError(fmt::format("{} has no column left for texts", table_->path().string()));
  text_ = take(*text);
  if (pair_) return;
  if (const auto pair = next_free()) pair_ = take(*pair);
}

std::vector<std::string> LabelledTextReader::labels(const TableRow& row) const {
  std::vector<std::string> labels;
  if (!label_) return labels;
  const auto& cell = row.cells[*label_];
  if (!multi_label_) {
    if (cell.is_list) {
      throw FormatError(fmt::format("{} has a list of labels: turn on multi-label to read several",
                                    place(row.line)));
    }
    labels.emplace_back(trimmed(required_text(row, *label_, *table_, "label")));
    return labels;
  }
  if (cell.flags) {
    throw FormatError(fmt::format(
        "{} has the labels {}, which look like a 1 or 0 for each label there is: write the names "
        "of those that hold, as texts",
        place(row.line), excerpt_of_list(cell.list)));
  }
  for (const auto& item : cell.list) add_label(labels, item);
  std::string_view rest = cell.text;
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    add_label(labels, rest.substr(0, comma));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return labels;
}

std::optional<LabelledText> LabelledTextReader::next() {
  if (!table_) return next_example();
  auto row = table_->next();
  if (!row) return std::nullopt;
  LabelledText example;
  example.line = row->line;
  example.text = required_text(*row, text_, *table_, "text");
  if (pair_) example.pair = required_text(*row, *pair_, *table_, "second text");
  example.labels = labels(*row);
  for (const auto& label : example.labels) {
    if (utf8::valid_prefix(label) != label.size()) require_utf8_label(label, place(row->line));
  }
  return example;
}

}  // namespace cloze
