#include "cloze/question_answering.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "core/strings.h"
#include "pipelines/batches.h"
#include "tasks/question_answering.h"

namespace cloze {
namespace {

/// The start and end logits of a window's tokens.
using WindowLogits = BertForQuestionAnswering::Output;

/// Probabilities of [CLS] (first) and the context's tokens.
std::vector<double> softmax(const Tensor& logits, const QuestionWindow& window) {
  const auto all = logits.values<float>();
  std::vector<double> values{all[0]};
  for (const float value :
       all.subspan(static_cast<std::size_t>(window.context_begin), window.offsets.size())) {
    values.push_back(value);
  }
  const double top = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (auto& value : values) sum += value = std::exp(value - top);
  for (auto& value : values) value /= sum;
  return values;
}

/// The offsets of the tokens [first, last] of the context, widened to whole words.
Span span_of(const QuestionWindow& window, std::size_t first, std::size_t last, bool whole_words) {
  if (whole_words) {
    const auto& words = window.word_ids;
    while (first > 0 && words[first - 1] == words[first]) --first;
    while (last + 1 < words.size() && words[last + 1] == words[last]) ++last;
  }
  return {window.offsets[first].begin, window.offsets[last].end};
}

struct Candidate {
  std::size_t first = 0, last = 0;
  double score = 0;
};

/// The `count` best spans of a window by the product of probabilities.
std::vector<Candidate> best_spans(const std::vector<double>& starts,
                                  const std::vector<double>& ends, std::int64_t max_answer,
                                  std::size_t count) {
  std::vector<Candidate> candidates;
  const auto better = [](const Candidate& a, const Candidate& b) { return a.score > b.score; };
  for (std::size_t s = 1; s < starts.size(); ++s) {
    const auto stop = std::min(ends.size(), s + static_cast<std::size_t>(max_answer));
    for (std::size_t e = s; e < stop; ++e) {
      const double score = starts[s] * ends[e];
      if (candidates.size() == count && score <= candidates.front().score) continue;
      if (candidates.size() == count) {
        std::pop_heap(candidates.begin(), candidates.end(), better);
        candidates.pop_back();
      }
      candidates.push_back({s - 1, e - 1, score});
      std::push_heap(candidates.begin(), candidates.end(), better);
    }
  }
  std::stable_sort(candidates.begin(), candidates.end(), better);
  return candidates;
}

/// Answers with probabilities: softmax of starts times softmax of ends over each window's context
/// and [CLS]; equal texts add up.
std::vector<Answer> likely_answers(std::span<const QuestionWindow> windows,
                                   std::span<const WindowLogits> logits, std::string_view context,
                                   const QuestionAnsweringOptions& options) {
  const auto bounds = internal::code_point_bounds(context);
  const auto top_k = static_cast<std::size_t>(options.top_k);
  std::vector<Answer> answers;
  double null = 1e6;
  // Widening to words makes some of them equal.
  const auto count = options.align_to_words ? 2 * top_k + 10 : top_k;
  for (std::size_t w = 0; w < windows.size(); ++w) {
    const auto starts = softmax(logits[w].start_logits, windows[w]);
    const auto ends = softmax(logits[w].end_logits, windows[w]);
    null = std::min(null, starts[0] * ends[0]);
    for (const auto& candidate : best_spans(starts, ends, options.max_answer_length, count)) {
      const auto offsets =
          span_of(windows[w], candidate.first, candidate.last, options.align_to_words);
      const auto bytes = internal::bytes_of(offsets, bounds);
      auto text = std::string(internal::part_of(context, bytes));
      const auto same = std::find_if(answers.begin(), answers.end(), [&](const Answer& a) {
        return lower_ascii(a.text) == lower_ascii(text);
      });
      if (same != answers.end()) {
        same->score += candidate.score;
      } else {
        answers.push_back({std::move(text), candidate.score, offsets, bytes});
      }
    }
  }
  if (options.handle_impossible_answer) answers.push_back({.score = null});
  std::stable_sort(answers.begin(), answers.end(),
                   [](const Answer& a, const Answer& b) { return a.score > b.score; });
  if (answers.size() > top_k) answers.resize(top_k);
  return answers;
}

void require_positive(std::int64_t value, std::string_view name) {
  if (value < 1) throw ArgumentError(fmt::format("{} is {}: it must be at least 1", name, value));
}

}  // namespace

QuestionAnsweringPipeline::QuestionAnsweringPipeline(BertForQuestionAnswering model,
                                                     Tokenizer tokenizer, std::int64_t batch_tokens)
    : Pipeline(std::move(model), std::move(tokenizer), batch_tokens) {}

QuestionAnsweringPipeline::QuestionAnsweringPipeline(const std::filesystem::path& directory_or_name,
                                                     const PipelineOptions& options)
    : Pipeline(directory_or_name, options) {}

QuestionAnsweringPipeline QuestionAnsweringPipeline::from_pretrained(
    const std::filesystem::path& directory_or_name, const PipelineOptions& options) {
  return {directory_or_name, options};
}

std::vector<std::vector<Answer>> QuestionAnsweringPipeline::operator()(
    std::span<const QuestionContext> questions, const QuestionAnsweringOptions& options,
    const ProgressCallback& progress) const {
  require_positive(options.top_k, "top_k");
  require_positive(options.max_answer_length, "max_answer_length");
  require_positive(options.max_question_length, "max_question_length");
  constexpr std::int64_t usual_length = 384;
  const QuestionOptions window_options{
      .max_length = options.max_length == 0
                        ? std::min(usual_length, max_length())
                        : internal::length_limit(options.max_length, max_length()),
      .stride = std::max<std::int64_t>(options.stride, 0),
      .max_question = options.max_question_length};
  std::vector<std::vector<QuestionWindow>> windows(questions.size());
  parallel_for(static_cast<std::int64_t>(questions.size()), 8, [&](std::int64_t index) {
    const auto i = static_cast<std::size_t>(index);
    windows[i] =
        question_windows(tokenizer(), questions[i].question, questions[i].context, window_options);
  });
  std::vector<TokenizedText> sequences;
  std::vector<std::size_t> question_of;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    for (auto& window : windows[i]) {
      sequences.push_back(std::move(window.tokens));
      question_of.push_back(i);
    }
  }
  std::vector<WindowLogits> logits(sequences.size());
  internal::for_each_batch(
      sequences, {"answering", "questions", batch_tokens(), progress, question_of},
      [&](const Batch& batch, std::span<const std::size_t> indices) {
        const auto both = model()(batch);
        for (std::size_t i = 0; i < indices.size(); ++i) {
          const auto begin = batch.cu_seqlens[i], end = batch.cu_seqlens[i + 1];
          logits[indices[i]] = {both.start_logits.rows(begin, end),
                                both.end_logits.rows(begin, end)};
        }
      });
  std::vector<std::vector<Answer>> answers(questions.size());
  std::size_t first = 0;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const auto own = std::span(logits).subspan(first, windows[i].size());
    answers[i] = likely_answers(windows[i], own, questions[i].context, options);
    first += windows[i].size();
  }
  return answers;
}

}  // namespace cloze
