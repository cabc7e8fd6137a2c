/// \file
/// Extractive question answering: where in a text a question is answered, as transformers'
/// `QuestionAnsweringPipeline` finds it. Long texts are read in windows.
///
///     const auto answer = cloze::QuestionAnsweringPipeline::from_pretrained("./squad");
///     const std::vector<cloze::QuestionContext> asked{{"Who wrote it?", book}};
///     const auto best = answer(asked, {.top_k = 3})[0][0];   // best.text, best.score,
///     best.offsets
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/pipeline.h"

#pragma GCC visibility push(default)
namespace cloze {

/// A question, and the text to find its answer in.
struct QuestionContext {
  std::string_view question, context;
};

/// Names and values as in transformers, which has 15 for `max_answer_length`; SQuAD's scripts have
/// 30.
struct QuestionAnsweringOptions {
  std::int64_t top_k = 1;                 ///< the best answers of each question
  std::int64_t max_answer_length = 30;    ///< tokens
  bool handle_impossible_answer = false;  ///< "" (no answer) is a possible answer
  bool align_to_words = true;             ///< answers begin and end with words
  /// Tokens of a window, question and special ones included; 0: 384, or what the model reads.
  std::int64_t max_length = 0;
  std::int64_t stride = 128;              ///< tokens of the context that neighbouring windows share
  std::int64_t max_question_length = 64;  ///< a longer question is cut to so many tokens
};

/// A stretch of the context.
struct Answer {
  std::string text{};   ///< empty: there is no answer
  double score = 0;     ///< probability of its begin times that of its end; equal texts add up
  Span offsets{};       ///< in code points of the context
  Span byte_offsets{};  ///< in bytes of the context
};

/// Finds answers in texts; immutable, and safe to share between threads.
class QuestionAnsweringPipeline : public Pipeline<BertForQuestionAnswering> {
 public:
  /// Throws as Pipeline does.
  [[nodiscard]] static QuestionAnsweringPipeline from_pretrained(
      const std::filesystem::path& directory_or_name, const PipelineOptions& options = {});
  QuestionAnsweringPipeline(BertForQuestionAnswering model, Tokenizer tokenizer,
                            std::int64_t batch_tokens = 8192);

  /// The best answers of each question, best first; fewer than `top_k` where a context has no more
  /// and none in an empty one. Throws ArgumentError where no context fits beside a question, for a
  /// `max_length` over what the model reads, and for a `top_k`, `max_answer_length` or
  /// `max_question_length` under 1; Cancelled.
  [[nodiscard]] std::vector<std::vector<Answer>> operator()(
      std::span<const QuestionContext> questions, const QuestionAnsweringOptions& options = {},
      const ProgressCallback& progress = {}) const;

 private:
  QuestionAnsweringPipeline(const std::filesystem::path& directory_or_name,
                            const PipelineOptions& options);
};

}  // namespace cloze

#pragma GCC visibility pop
