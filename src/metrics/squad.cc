#include "metrics/squad.h"

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <limits>
#include <numeric>
#include <tuple>

#include <utf8proc.h>

#include "core/utf8.h"

namespace cloze {
namespace {

constexpr std::string_view punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

bool is_space(char32_t c) {  // Python's str.isspace
  if (c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F) || c == 0x85) return true;
  if (c < 0x80) return false;
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
         category == UTF8PROC_CATEGORY_ZP;
}

/// Python's \w, by which `\b(a|an|the)\b` finds whole words.
bool is_word(char32_t c) {
  if (c == '_') return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

std::vector<char32_t> lowered_without_punctuation(std::string_view text) {
  constexpr char32_t dotted_capital_i = 0x130, combining_dot = 0x307;
  const utf8::ValidText valid(text);
  std::vector<char32_t> result;
  const auto* p = valid.text().data();
  const auto* const end = p + valid.text().size();
  while (p < end) {
    const auto c = utf8::decode(p);
    if (c < 0x80 && punctuation.find(static_cast<char>(c)) != std::string_view::npos) continue;
    if (c == dotted_capital_i) {  // the one letter that becomes two
      result.push_back('i');
      result.push_back(combining_dot);
      continue;
    }
    result.push_back(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
  }
  return result;
}

bool is_article(std::span<const char32_t> word) {
  constexpr std::array<std::u32string_view, 3> articles{U"a", U"an", U"the"};
  return std::any_of(articles.begin(), articles.end(), [&](std::u32string_view article) {
    return std::equal(word.begin(), word.end(), article.begin(), article.end());
  });
}

/// The words of a normalized answer, in order.
std::vector<std::string> words_of(std::string_view text) {
  auto characters = lowered_without_punctuation(text);
  for (std::size_t begin = 0; begin < characters.size();) {
    if (!is_word(characters[begin])) {
      ++begin;
      continue;
    }
    auto end = begin;
    while (end < characters.size() && is_word(characters[end])) ++end;
    if (is_article(std::span(characters).subspan(begin, end - begin))) {
      std::fill(characters.begin() + static_cast<std::ptrdiff_t>(begin),
                characters.begin() + static_cast<std::ptrdiff_t>(end), U' ');
    }
    begin = end;
  }
  std::vector<std::string> words;
  bool inside = false;
  for (const auto c : characters) {
    if (is_space(c)) {
      inside = false;
      continue;
    }
    if (!inside) words.emplace_back();
    inside = true;
    std::array<char, 4> bytes{};
    words.back().append(bytes.data(), static_cast<std::size_t>(utf8::encode(c, bytes.data())));
  }
  return words;
}

struct QuestionScore {
  double exact = 0, f1 = 0;
};

SquadScores mean_of(std::span<const SquadPrediction> predictions,
                    std::span<const QuestionScore> scores,
                    const std::function<bool(const SquadPrediction&)>& counts) {
  SquadScores mean;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!counts(predictions[i])) continue;
    mean.exact += 100.0 * scores[i].exact;
    mean.f1 += 100.0 * scores[i].f1;
    ++mean.total;
  }
  if (mean.total == 0) return mean;
  mean.exact /= static_cast<double>(mean.total);
  mean.f1 /= static_cast<double>(mean.total);
  return mean;
}

/// The best mean score (0 to 100) when answers over a threshold of `no_answer` are withdrawn, and
/// that threshold: the script's find_best_thresh.
std::pair<double, double> best_threshold(std::span<const SquadPrediction> predictions,
                                         const std::vector<double>& scores) {
  double current = 0;
  for (const auto& prediction : predictions) current += prediction.answers.empty() ? 1 : 0;
  double best = current, threshold = 0;
  std::vector<std::size_t> order(predictions.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return predictions[a].no_answer < predictions[b].no_answer;
  });
  for (const auto i : order) {
    if (!predictions[i].answers.empty()) {
      current += scores[i];
    } else if (!predictions[i].predicted.empty()) {
      current -= 1;
    }
    if (current > best) {
      best = current;
      threshold = predictions[i].no_answer;
    }
  }
  const auto total = static_cast<double>(std::max<std::size_t>(1, predictions.size()));
  return {100.0 * best / total, threshold};
}

}  // namespace

std::string normalize_answer(std::string_view text) {
  std::string joined;
  for (const auto& word : words_of(text)) joined += (joined.empty() ? "" : " ") + word;
  return joined;
}

bool exact_match(std::string_view gold, std::string_view predicted) {
  return normalize_answer(gold) == normalize_answer(predicted);
}

double answer_f1(std::string_view gold, std::string_view predicted) {
  auto right = words_of(gold), found = words_of(predicted);
  if (right.empty() || found.empty()) return right.empty() && found.empty() ? 1 : 0;
  std::sort(right.begin(), right.end());
  std::sort(found.begin(), found.end());
  std::vector<std::string> common;
  std::set_intersection(right.begin(), right.end(), found.begin(), found.end(),
                        std::back_inserter(common));
  if (common.empty()) return 0;
  const auto hits = static_cast<double>(common.size());
  const double precision = hits / static_cast<double>(found.size());
  const double recall = hits / static_cast<double>(right.size());
  return 2 * precision * recall / (precision + recall);
}

SquadReport squad_scores(std::span<const SquadPrediction> predictions, double threshold,
                         bool search) {
  std::vector<QuestionScore> raw;
  for (const auto& prediction : predictions) {
    QuestionScore score;
    // An answer of nothing but articles and punctuation is none; a question without one has "".
    std::vector<std::string> golds;
    for (const auto& answer : prediction.answers) {
      if (!normalize_answer(answer).empty()) golds.push_back(answer);
    }
    if (golds.empty()) golds.emplace_back();
    for (const auto& gold : golds) {
      score.exact = std::max(score.exact, exact_match(gold, prediction.predicted) ? 1.0 : 0.0);
      score.f1 = std::max(score.f1, answer_f1(gold, prediction.predicted));
    }
    raw.push_back(score);
  }
  auto with_threshold = raw;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (predictions[i].no_answer <= threshold) continue;
    const double right = predictions[i].answers.empty() ? 1 : 0;
    with_threshold[i] = {right, right};
  }
  SquadReport report;
  report.all = mean_of(predictions, with_threshold, [](const auto&) { return true; });
  report.has_answer =
      mean_of(predictions, with_threshold, [](const auto& p) { return !p.answers.empty(); });
  report.no_answer =
      mean_of(predictions, with_threshold, [](const auto& p) { return p.answers.empty(); });
  if (!search) return report;
  std::vector<double> exact, f1;
  for (const auto& score : raw) {
    exact.push_back(score.exact);
    f1.push_back(score.f1);
  }
  std::tie(report.best_exact, report.best_exact_threshold) = best_threshold(predictions, exact);
  std::tie(report.best_f1, report.best_f1_threshold) = best_threshold(predictions, f1);
  return report;
}

}  // namespace cloze
