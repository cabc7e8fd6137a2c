// The task of SQuAD: where in a text its question is answered, and (2.0) whether it is.
#include "tasks/question_answering.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/squad.h"
#include "core/parallel.h"
#include "core/strings.h"
#include "core/utf8.h"
#include "datasets/example_reader.h"
#include "metrics/cmrc.h"
#include "metrics/squad.h"
#include "tasks/task_setup.h"
#include "tasks/text_units.h"

namespace cloze {
namespace {

using nlohmann::ordered_json;

constexpr std::int64_t usual_length = 384;

struct Unit {
  std::size_t question = 0;
  std::int32_t start = 0, end = 0;  // tokens of the answer, 0 for none in this window
  QuestionWindow window;            // its tokens are in the store; empty in training data
};

class QuestionAnsweringData : public TaskData {
 public:
  /// Training data need no offsets (`keep_offsets`), and cannot be evaluated without.
  QuestionAnsweringData(SquadData squad, bool version_2, bool keep_offsets, AnswerMetrics metrics)
      : squad_(std::move(squad)),
        version_2_(version_2),
        keep_offsets_(keep_offsets),
        by_characters_(metrics == AnswerMetrics::cmrc ||
                       (metrics == AnswerMetrics::automatic && keep_offsets && is_chinese())) {}

  void add(std::size_t question, QuestionWindow window) {
    Unit unit{.question = question, .window = {}};
    locate(question, window, unit);
    sequences_.append(window.tokens.ids, window.tokens.type_ids);
    window.tokens = {};
    if (keep_offsets_) unit.window = std::move(window);
    units_.push_back(std::move(unit));
  }
  [[nodiscard]] const SquadData& squad() const { return squad_; }

  [[nodiscard]] std::size_t size() const override { return units_.size(); }
  [[nodiscard]] std::size_t examples() const override { return squad_.questions.size(); }
  [[nodiscard]] std::int64_t tokens(std::size_t unit) const override {
    return sequences_.length(unit);
  }
  [[nodiscard]] internal::TaskBatch batch(std::span<const std::size_t> units) const override {
    internal::TaskBatch batch;
    for (const auto unit : units) {
      sequences_.append_to(batch.inputs, unit);
      batch.start_positions.push_back(units_[unit].start);
      batch.end_positions.push_back(units_[unit].end);
    }
    return batch;
  }

  [[nodiscard]] TaskReport evaluate(std::span<const Tensor> logits) const override {
    std::vector<SquadPrediction> predictions;
    for_each_question(logits, [&](const SquadQuestion& question, const BestAnswers& best) {
      SquadPrediction prediction;
      for (const auto& answer : question.answers) prediction.answers.push_back(answer.text);
      if (!best.answers.empty()) prediction.predicted = best.answers.front().text;
      prediction.no_answer = version_2_ ? null_difference(best) : -1;
      predictions.push_back(std::move(prediction));
    });
    const auto comparison = by_characters_ ? AnswerComparison::characters : AnswerComparison::words;
    const auto scores = squad_scores(predictions, 0.0, version_2_, comparison);
    TaskReport report;
    report.metrics = {{"exact_match", scores.all.exact}, {"f1", scores.all.f1}};
    if (by_characters_) {
      const auto words = squad_scores(predictions, 0.0, false).all;
      report.metrics.insert(report.metrics.end(),
                            {{"average", (scores.all.exact + scores.all.f1) / 2},
                             {"squad_exact_match", words.exact},
                             {"squad_f1", words.f1}});
    }
    if (version_2_) {
      report.metrics.insert(report.metrics.end(),
                            {{"HasAns_exact", scores.has_answer.exact},
                             {"HasAns_f1", scores.has_answer.f1},
                             {"NoAns_exact", scores.no_answer.exact},
                             {"NoAns_f1", scores.no_answer.f1},
                             {"best_exact", scores.best_exact},
                             {"best_exact_thresh", scores.best_exact_threshold},
                             {"best_f1", scores.best_f1},
                             {"best_f1_thresh", scores.best_f1_threshold}});
    }
    report.details_json = ordered_json{{"answers_compared_by", by_characters_ ? "cmrc" : "squad"},
                                       {"total", scores.all.total},
                                       {"HasAns_total", scores.has_answer.total},
                                       {"NoAns_total", scores.no_answer.total}}
                              .dump();
    return report;
  }

  [[nodiscard]] std::vector<std::string> metric_names() const override {
    std::vector<std::string> names{"exact_match", "f1"};
    if (by_characters_) {
      names.insert(names.end(), {"average", "squad_exact_match", "squad_f1"});
    }
    if (version_2_) {
      names.insert(names.end(), {"HasAns_exact", "HasAns_f1", "NoAns_exact", "NoAns_f1",
                                 "best_exact", "best_exact_thresh", "best_f1", "best_f1_thresh"});
    }
    return names;
  }
  [[nodiscard]] std::vector<std::string> predictions(
      std::span<const Tensor> logits) const override {
    std::vector<std::string> lines;
    for_each_question(logits, [&](const SquadQuestion& question, const BestAnswers& best) {
      ordered_json line{{"id", question.id}, {"question", question.question}};
      auto& right = line["answers"] = ordered_json::array();
      for (const auto& answer : question.answers) right.push_back(answer.text);
      const bool none = best.answers.empty() || (version_2_ && null_difference(best) > 0);
      line["predicted"] = none ? "" : best.answers.front().text;
      if (!best.answers.empty()) {
        const auto& answer = best.answers.front();
        line["best"] = {{"text", answer.text},
                        {"start", answer.offsets.begin},
                        {"end", answer.offsets.end},
                        {"score", answer.score}};
      }
      line["null_score_diff"] = null_difference(best);
      lines.push_back(line.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
    });
    return lines;
  }

  [[nodiscard]] std::vector<std::string> notes() const override {
    std::vector<std::string> notes;
    if (by_characters_ && keep_offsets_) {
      notes.emplace_back(
          "answers are compared by characters, as CMRC 2018 compares them; --answer-metrics squad "
          "compares words");
    }
    if (squad_.moved > 0) {
      notes.push_back(
          fmt::format("{} answers do not stand where they are said to: the nearest place was taken",
                      squad_.moved));
    }
    if (squad_.missing > 0) {
      notes.push_back(fmt::format(
          "{} answers are not in their context, the first of question {}: nothing can be learned "
          "from them",
          squad_.missing, squad_.first_missing));
    }
    return notes;
  }

 private:
  /// Whether the texts are mostly in Chinese. (Answers alone may be so in Japanese.)
  [[nodiscard]] bool is_chinese() const {
    return mostly_chinese({squad_.contexts.begin(), squad_.contexts.end()});
  }

  /// How much surer the model is of no answer than of its best one.
  static double null_difference(const BestAnswers& best) {
    constexpr double certain = 1e6;
    return best.answers.empty() ? certain : best.null_score - best.answers.front().score;
  }

  /// The tokens of the question's first answer, if this window holds it whole.
  void locate(std::size_t question, const QuestionWindow& window, Unit& unit) const {
    const auto& answers = squad_.questions[question].answers;
    const auto answer = std::find_if(answers.begin(), answers.end(),
                                     [](const SquadAnswer& each) { return each.start >= 0; });
    if (answer == answers.end() || window.offsets.empty()) return;
    const auto length = static_cast<std::int32_t>(utf8::count_code_points(answer->text));
    const auto begin = answer->start, end = answer->start + length;
    const auto& offsets = window.offsets;
    if (offsets.front().begin > begin || offsets.back().end < end || length == 0) return;
    std::size_t first = 0, last = offsets.size() - 1;
    while (first + 1 < offsets.size() && offsets[first + 1].begin <= begin) ++first;
    while (last > 0 && offsets[last - 1].end >= end) --last;
    if (last < first) return;
    unit.start = window.context_begin + static_cast<std::int32_t>(first);
    unit.end = window.context_begin + static_cast<std::int32_t>(last);
  }

  template <class Use>
  void for_each_question(std::span<const Tensor> logits, const Use& use) const {
    require_logits(logits, *this);
    if (!keep_offsets_) throw ArgumentError("training data are not evaluated: use read_eval");
    std::size_t unit = 0;
    for (std::size_t q = 0; q < squad_.questions.size(); ++q) {
      const auto begin = unit;
      std::vector<const QuestionWindow*> windows;
      for (; unit < units_.size() && units_[unit].question == q; ++unit) {
        windows.push_back(&units_[unit].window);
      }
      const auto& question = squad_.questions[q];
      use(question, best_answers(windows, logits.subspan(begin, unit - begin),
                                 squad_.contexts[question.context], {}));
    }
  }

  SquadData squad_;
  bool version_2_;
  bool keep_offsets_;
  bool by_characters_;
  SequenceStore sequences_;
  std::vector<Unit> units_;  // question after question
};

class QuestionAnswering : public Task {
 public:
  explicit QuestionAnswering(TaskSetup setup) : setup_(std::move(setup)) {}

  [[nodiscard]] std::string_view name() const override { return "question-answering"; }
  [[nodiscard]] const internal::HeadKind& head() const override {
    return internal::heads::question_answering;
  }
  [[nodiscard]] internal::TaskLoss loss() const override {
    return internal::TaskLoss::cross_entropy;
  }
  [[nodiscard]] std::string_view best_metric() const override { return "f1"; }

  [[nodiscard]] std::unique_ptr<TaskData> read_train(const DataSource& source) override {
    auto squad = read(source);
    const auto impossible =
        std::find_if(squad.questions.begin(), squad.questions.end(),
                     [](const SquadQuestion& question) { return question.answers.empty(); });
    if (impossible != squad.questions.end() && !setup_.options.version_2) {
      throw FormatError(fmt::format(
          "{}: question {} has no answer: turn on version 2 to train for such questions",
          source.name(), in_quotes(impossible->id)));
    }
    // Nothing can be learned where the answer is not in the text.
    std::erase_if(squad.questions, [](const SquadQuestion& question) {
      return !question.answers.empty() &&
             std::all_of(question.answers.begin(), question.answers.end(),
                         [](const SquadAnswer& answer) { return answer.start < 0; });
    });
    if (squad.questions.empty()) {
      throw FormatError(fmt::format("{}: no answer is in its context, so there is nothing to learn",
                                    source.name()));
    }
    return make_data(std::move(squad), setup_.options.version_2, false);
  }

  [[nodiscard]] std::unique_ptr<TaskData> read_eval(const DataSource& source) const override {
    auto squad = read(source);
    const bool version_2 =
        setup_.options.version_2 ||
        std::any_of(squad.questions.begin(), squad.questions.end(),
                    [](const SquadQuestion& question) { return question.answers.empty(); });
    return make_data(std::move(squad), version_2, true);
  }

  void configure(BertConfig& config) const override {
    config.id2label.clear();
    config.problem_type = "";
    config.architectures = {internal::architecture_of(head(), internal::trained_family(config))};
  }

 private:
  [[nodiscard]] SquadData read(const DataSource& source) const {
    const auto most = setup_.options.max_samples;
    if (source.in_memory()) return squad_data(source.examples<QuestionExample>(), most);
    auto data = read_squad(source.file(), most);
    for (const auto& question : data.questions) {
      if (question.labelled) continue;
      throw FormatError(
          fmt::format("{}: question {} has no \"answers\": training and evaluation need them (and "
                      "\"is_impossible\" where there is none); predicting does not",
                      source.file().string(), in_quotes(question.id)));
    }
    return data;
  }

  [[nodiscard]] std::unique_ptr<TaskData> make_data(SquadData squad, bool version_2,
                                                    bool keep_offsets) const {
    const QuestionOptions options{.max_length = setup_.max_length(usual_length),
                                  .stride = setup_.options.stride};
    auto data = std::make_unique<QuestionAnsweringData>(std::move(squad), version_2, keep_offsets,
                                                        setup_.options.answer_metrics);
    constexpr std::size_t at_once = 1024;
    const auto& questions = data->squad().questions;
    for (std::size_t begin = 0; begin < questions.size(); begin += at_once) {
      const auto count = std::min(at_once, questions.size() - begin);
      std::vector<std::vector<QuestionWindow>> windows(count);
      parallel_for(static_cast<std::int64_t>(count), 8, [&](std::int64_t i) {
        const auto& question = questions[begin + static_cast<std::size_t>(i)];
        windows[static_cast<std::size_t>(i)] =
            question_windows(*setup_.tokenizer, question.question,
                             data->squad().contexts[question.context], options);
      });
      for (std::size_t i = 0; i < count; ++i) {
        for (auto& window : windows[i]) data->add(begin + i, std::move(window));
      }
    }
    return data;
  }

  TaskSetup setup_;
};

}  // namespace

std::unique_ptr<Task> make_question_answering(TaskSetup setup) {
  return std::make_unique<QuestionAnswering>(std::move(setup));
}

}  // namespace cloze
