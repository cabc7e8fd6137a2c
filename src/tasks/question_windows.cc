// Question and context to windows, and logits to answers.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/utf8.h"
#include "datasets/batching.h"
#include "tasks/question_answering.h"

namespace cloze {
namespace {

QuestionWindow window_of(const Encoding& encoding) {
  QuestionWindow window;
  window.tokens = {encoding.ids, encoding.type_ids};
  for (std::size_t t = 0; t < encoding.ids.size(); ++t) {
    if (encoding.sequence_ids[t] != 1) continue;
    if (window.offsets.empty()) window.context_begin = static_cast<std::int32_t>(t);
    window.offsets.push_back(encoding.offsets[t]);
    window.word_ids.push_back(encoding.word_ids[t]);
  }
  return window;
}

/// Indices of the `count` largest of one column of the logits, over the context's tokens.
std::vector<std::size_t> largest(std::span<const float> logits, const QuestionWindow& window,
                                 std::size_t column, std::size_t count) {
  std::vector<std::size_t> order(window.offsets.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = static_cast<std::size_t>(window.context_begin) + i;
  }
  count = std::min(count, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](std::size_t a, std::size_t b) {
                      const float x = logits[2 * a + column], y = logits[2 * b + column];
                      return x != y ? x > y : a < b;
                    });
  order.resize(count);
  return order;
}

}  // namespace

std::string code_points_of(std::string_view text, Span range) {
  std::size_t begin = text.size(), end = text.size();
  std::int32_t at = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!utf8::begins_code_point(text[i])) continue;
    if (at == range.begin) begin = i;
    if (at == range.end) {
      end = i;
      break;
    }
    ++at;
  }
  return begin < end ? std::string(text.substr(begin, end - begin)) : std::string();
}

std::vector<QuestionWindow> question_windows(const Tokenizer& tokenizer, std::string_view question,
                                             std::string_view context,
                                             const QuestionOptions& options) {
  EncodeOptions plain;
  plain.add_special_tokens = false;
  plain.offsets = OffsetUnit::bytes;
  plain.truncation = Truncation::longest_first;  // one token more tells that it is cut
  plain.max_length = static_cast<std::int32_t>(options.max_question + 1);
  plain.overflowing = false;
  const auto asked = tokenizer.encode(question, plain);
  auto tokens = static_cast<std::int64_t>(asked.ids.size());
  if (tokens > options.max_question) {
    tokens = options.max_question;
    const auto end = asked.offsets[static_cast<std::size_t>(tokens) - 1].end;
    question = question.substr(0, static_cast<std::size_t>(end));
  }
  const auto special = tokenizer.count_tokens("", "");
  const auto room = options.max_length - tokens - special;
  if (room < 2) {
    throw ArgumentError(
        fmt::format("a question of {} tokens leaves no room for its text in windows of {}", tokens,
                    options.max_length));
  }
  EncodeOptions encode;
  encode.truncation = Truncation::only_second;
  encode.max_length = static_cast<std::int32_t>(options.max_length);
  encode.stride = static_cast<std::int32_t>(std::min(options.stride, room / 2));
  const auto encoding = tokenizer.encode(question, context, encode);
  std::vector<QuestionWindow> windows{window_of(encoding)};
  for (const auto& more : encoding.overflowing) {
    windows.push_back(window_of(more));
    // tokenizers gives the contexts of further windows type 1 whatever the template says; the model
    // is to see them as it sees the first.
    auto& types = windows.back().tokens.type_ids;
    const auto context = static_cast<std::size_t>(windows.front().context_begin);
    for (std::size_t t = 0; t < types.size(); ++t) {
      if (more.sequence_ids[t] == 1) types[t] = encoding.type_ids[context];
    }
  }
  for (auto& window : windows) {
    window.tokens.type_ids = types_for_model(tokenizer, std::move(window.tokens.type_ids));
  }
  return windows;
}

BestAnswers best_answers(std::span<const QuestionWindow* const> windows,
                         std::span<const Tensor> logits, std::string_view context,
                         const BestOptions& options) {
  BestAnswers best;
  std::vector<FoundAnswer> all;
  for (std::size_t w = 0; w < windows.size(); ++w) {
    const auto& window = *windows[w];
    const auto values = logits[w].values<float>();
    const double null = static_cast<double>(values[0]) + values[1];
    if (w == 0 || null < best.null_score) best.null_score = null;
    const auto ends = largest(values, window, 1, options.n_best);
    for (const auto start : largest(values, window, 0, options.n_best)) {
      for (const auto end : ends) {
        if (end < start || static_cast<std::int32_t>(end - start) >= options.max_answer) continue;
        const auto base = static_cast<std::size_t>(window.context_begin);
        all.push_back(
            {.text = {},
             .offsets = {window.offsets[start - base].begin, window.offsets[end - base].end},
             .score = static_cast<double>(values[2 * start]) + values[2 * end + 1]});
      }
    }
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const FoundAnswer& a, const FoundAnswer& b) { return a.score > b.score; });
  for (auto& answer : all) {
    if (best.answers.size() == options.n_best) break;
    const bool known =
        std::any_of(best.answers.begin(), best.answers.end(),
                    [&](const FoundAnswer& other) { return other.offsets == answer.offsets; });
    if (known) continue;  // windows share text
    answer.text = code_points_of(context, answer.offsets);
    best.answers.push_back(std::move(answer));
  }
  return best;
}

}  // namespace cloze
