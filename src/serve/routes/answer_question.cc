#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "serve/json/fields.h"
#include "serve/json/writer.h"
#include "serve/request_error.h"
#include "serve/routes/inputs.h"
#include "serve/routes/tasks.h"

namespace cloze::serve {
namespace {

struct Question {
  std::string question, context;
};
using Answers = std::vector<Answer>;

QuestionAnsweringOptions answer_options_of(const Service& service, const ServedModel& model,
                                           const Fields& parameters) {
  QuestionAnsweringOptions options;
  const auto reads = model.max_length();
  const auto count = [&](const char* name, std::int64_t lowest, std::int64_t highest,
                         std::int64_t& target) {
    target = parameters.count(name, lowest, highest).value_or(target);
  };
  count("top_k", 1, service.limits().most_top_k, options.top_k);
  count("doc_stride", 0, reads, options.stride);
  count("max_answer_len", 1, reads, options.max_answer_length);
  count("max_seq_len", 8, reads, options.max_length);
  count("max_question_len", 1, reads, options.max_question_length);
  options.handle_impossible_answer = parameters.boolean("handle_impossible_answer", false);
  options.align_to_words = parameters.boolean("align_to_words", true);
  return options;
}

/// Tokens of all windows of a context, about.
std::int64_t answer_cost_of(const ServedModel& model, const Question& asked,
                            const QuestionAnsweringOptions& options) {
  const auto question =
      std::min(model.tokenizer().count_tokens(asked.question), options.max_question_length + 2);
  const auto context = model.tokenizer().count_tokens(asked.context);
  const auto window =
      options.max_length > 0 ? options.max_length : std::min<std::int64_t>(384, model.max_length());
  const auto room = std::max<std::int64_t>(window - question - 1, 1);
  if (context <= room) return question + context;
  const auto step = std::max<std::int64_t>(room - options.stride, 1);
  return (context / step + 1) * window;
}

void append_answer(std::string& out, const Answer& answer) {
  out += '{';
  append_field(out, "answer", answer.text);
  append_field(out, "score", static_cast<float>(answer.score));
  append_field(out, "start", answer.offsets.begin);
  append_field(out, "end", answer.offsets.end);
  out += '}';
}

}  // namespace

Reply answer_question(const Service& service, const Asked& asked) {
  const auto& model = service.choose(
      asked.model, [](const ServedModel& each) { return each.reader.has_value(); },
      "question answering");
  const Fields fields(asked.body);
  (void)fields.need("inputs");
  const auto inputs = fields.object("inputs");
  const auto options = answer_options_of(service, model, fields.object("parameters"));
  Question question{inputs.need_text("question"), inputs.need_text("context")};
  auto job = std::make_shared<BatchJob<Question, Answers>>(
      [&model, options](std::span<const Question> all, const ProgressCallback& progress) {
        std::vector<QuestionContext> views;
        views.reserve(all.size());
        for (const auto& each : all) views.push_back({each.question, each.context});
        return (*model.reader)(views, options, progress);
      });
  job->group =
      fmt::format("answer {} {} {} {} {} {} {} {}", fmt::ptr(&model), options.top_k, options.stride,
                  options.max_answer_length, options.max_length, options.max_question_length,
                  options.handle_impossible_answer, options.align_to_words);
  Reply reply;
  reply.inputs = 1;
  reply.characters = question.question.size() + question.context.size();
  reply.tokens = answer_cost_of(model, question, options);
  require_unit(service, reply.tokens, 0);
  job->tokens.push_back(reply.tokens);
  job->inputs.push_back(std::move(question));
  reply.write = [job = job.get(), several = options.top_k > 1] {
    std::string out;
    const auto& answers = job->outputs.front();
    if (several) {
      append_list(out, answers, [&](const Answer& answer) { append_answer(out, answer); });
    } else {
      append_answer(out, answers.empty() ? Answer{} : answers.front());
    }
    return out;
  };
  reply.job = std::move(job);
  return reply;
}

}  // namespace cloze::serve
