/// \file
/// SQuAD's exact match and F1, with the normalization and the search for the best no-answer
/// threshold of its official script (evaluate-v2.0.py); the same of answers that are compared as
/// CMRC's script compares them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cloze {

/// Lower case (Unicode's, as Python's), without ASCII punctuation and the words a, an and the,
/// white space made single spaces.
[[nodiscard]] std::string normalize_answer(std::string_view text);

[[nodiscard]] bool exact_match(std::string_view gold, std::string_view predicted);
/// F1 of the words in common; of texts without words 1 if both have none, else 0.
[[nodiscard]] double answer_f1(std::string_view gold, std::string_view predicted);

struct SquadPrediction {
  std::vector<std::string> answers;  ///< what is right; none: the question has no answer
  std::string predicted;             ///< "" for no answer
  double no_answer = 0;              ///< the more, the surer that there is none
};

struct SquadScores {
  double exact = 0, f1 = 0;  ///< 0 to 100
  std::int64_t total = 0;
};

struct SquadReport {
  SquadScores all, has_answer, no_answer;
  /// With `search`: the best of each over all thresholds of `no_answer`, and where.
  double best_exact = 0, best_exact_threshold = 0, best_f1 = 0, best_f1_threshold = 0;
};

/// How an answer is compared with the right ones.
enum class AnswerComparison : std::uint8_t {
  words,      ///< SQuAD's
  characters  ///< CMRC's (cmrc.h)
};

/// Answers whose `no_answer` is over `threshold` count as "no answer".
[[nodiscard]] SquadReport squad_scores(std::span<const SquadPrediction> predictions,
                                       double threshold, bool search,
                                       AnswerComparison comparison = AnswerComparison::words);

}  // namespace cloze
