/// \file
/// Extractive question answering: windows of question and context, and answers from their logits,
/// as SQuAD's run_squad has them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/tensor.h"
#include "cloze/tokenizer.h"
#include "datasets/batching.h"

namespace cloze {

struct QuestionOptions {
  std::int64_t max_length = 384;   ///< tokens of a window, question and special ones included
  std::int64_t stride = 128;       ///< tokens of the context that neighbouring windows share
  std::int64_t max_question = 64;  ///< a longer question is cut to so many tokens
};

struct QuestionWindow {
  TokenizedText tokens;
  std::int32_t context_begin = 0;      ///< the first token of the context
  std::vector<Span> offsets;           ///< of each token of the context, in code points
  std::vector<std::int32_t> word_ids;  ///< and the word that it belongs to
};

/// Throws ArgumentError where no context fits beside the question.
[[nodiscard]] std::vector<QuestionWindow> question_windows(const Tokenizer& tokenizer,
                                                           std::string_view question,
                                                           std::string_view context,
                                                           const QuestionOptions& options);

/// A stretch of code points, and what the model thinks of it.
struct FoundAnswer {
  std::string text;
  Span offsets;
  double score = 0;
};

/// What run_squad calls the n-best list: scores are sums of logits.
struct BestAnswers {
  std::vector<FoundAnswer> answers;  ///< best first
  double null_score = 0;             ///< of "no answer": the least of the windows' sums at [CLS]
};
struct BestOptions {
  std::size_t n_best = 20;
  std::int32_t max_answer = 30;  ///< tokens
};
/// `logits` of each window: [tokens, 2], start and end.
[[nodiscard]] BestAnswers best_answers(std::span<const QuestionWindow* const> windows,
                                       std::span<const Tensor> logits, std::string_view context,
                                       const BestOptions& options);

/// The code points `range` of a text.
[[nodiscard]] std::string code_points_of(std::string_view text, Span range);

}  // namespace cloze
