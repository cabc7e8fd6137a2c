#include "metrics/squad.h"

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <limits>
#include <numeric>
#include <tuple>

#include "core/utf8.h"
#include "metrics/cmrc.h"
#include "metrics/python_text.h"

namespace cloze {
namespace {

constexpr std::string_view punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

std::u32string lowered_without_punctuation(std::string_view text) {
  auto result = python_lower(text);
  std::erase_if(result, [](char32_t c) {
    return c < 0x80 && punctuation.find(static_cast<char>(c)) != std::string_view::npos;
  });
  return result;
}

bool is_article(std::u32string_view word) {
  return word == U"a" || word == U"an" || word == U"the";
}

/// The words of a normalized answer, in order.
std::vector<std::string> words_of(std::string_view text) {
  auto characters = lowered_without_punctuation(text);
  for (std::size_t begin = 0; begin < characters.size();) {
    if (!is_python_word(characters[begin])) {
      ++begin;
      continue;
    }
    auto end = begin;
    while (end < characters.size() && is_python_word(characters[end])) ++end;
    if (is_article(std::u32string_view(characters).substr(begin, end - begin))) {
      std::fill(characters.begin() + static_cast<std::ptrdiff_t>(begin),
                characters.begin() + static_cast<std::ptrdiff_t>(end), U' ');
    }
    begin = end;
  }
  std::vector<std::string> words;
  bool inside = false;
  for (const auto c : characters) {
    if (is_python_space(c)) {
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

namespace {

/// The best score against any of the right answers; a question without one has "".
QuestionScore score_of(const SquadPrediction& prediction, AnswerComparison comparison) {
  const bool words = comparison == AnswerComparison::words;
  std::vector<std::string> golds;
  for (const auto& answer : prediction.answers) {
    // To SQuAD an answer of nothing but articles and punctuation is none.
    if (!words || !normalize_answer(answer).empty()) golds.push_back(answer);
  }
  if (golds.empty()) golds.emplace_back();
  QuestionScore score;
  for (const auto& gold : golds) {
    const auto& found = prediction.predicted;
    const bool exact = words ? exact_match(gold, found) : cmrc_exact_match(gold, found);
    score.exact = std::max(score.exact, exact ? 1.0 : 0.0);
    score.f1 = std::max(score.f1, words ? answer_f1(gold, found) : cmrc_f1(gold, found));
  }
  return score;
}

}  // namespace

SquadReport squad_scores(std::span<const SquadPrediction> predictions, double threshold,
                         bool search, AnswerComparison comparison) {
  std::vector<QuestionScore> raw;
  for (const auto& prediction : predictions) raw.push_back(score_of(prediction, comparison));
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
