#include "metrics/report_table.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/strings.h"
#include "core/utf8.h"

namespace cloze {
namespace {

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(utf8::count_code_points(text));
}

}  // namespace

std::string ReportTable::text() const {
  auto rows = rows_;  // printable: labels may hold anything
  for (auto& row : rows) {
    for (auto& cell : row) cell = excerpt(cell);
  }
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c)
      widths[c] = std::max(widths[c], characters(row[c]));
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string space(widths[c] - characters(row[c]), ' ');
      text += c == 0 ? row[c] + space : "  " + space + row[c];
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

std::vector<std::string> figures_row(std::string label, const PrecisionRecallF1& figures) {
  return {std::move(label), fmt::format("{:.4f}", figures.precision),
          fmt::format("{:.4f}", figures.recall), fmt::format("{:.4f}", figures.f1),
          fmt::format("{}", figures.support)};
}

std::string confusion_table(const ConfusionMatrix& confusion,
                            const std::vector<std::string>& labels) {
  constexpr std::size_t most_columns = 10;
  if (labels.size() > most_columns) return {};
  std::vector<std::string> header{"true \\ predicted"};
  header.insert(header.end(), labels.begin(), labels.end());
  ReportTable table(std::move(header));
  for (std::size_t t = 0; t < labels.size(); ++t) {
    std::vector<std::string> row{labels[t]};
    for (std::size_t p = 0; p < labels.size(); ++p) {
      row.push_back(fmt::format("{}", confusion.count(t, p)));
    }
    table.add(std::move(row));
  }
  return table.text();
}

}  // namespace cloze
