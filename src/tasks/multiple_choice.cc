// Multiple choice: which of several continuations of a prompt is right (SWAG).
#include <algorithm>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "datasets/batching.h"
#include "datasets/choice_reader.h"
#include "datasets/example_reader.h"
#include "tasks/task_setup.h"
#include "tasks/text_classification.h"
#include "tasks/text_units.h"

namespace cloze {
namespace {

using nlohmann::ordered_json;

struct Group {
  std::int32_t label = 0;
  std::int64_t line = 0;
};

class MultipleChoiceData : public TaskData {
 public:
  MultipleChoiceData(SequenceStore sequences, std::vector<Group> groups, std::size_t choices)
      : sequences_(std::move(sequences)), groups_(std::move(groups)), choices_(choices) {}

  [[nodiscard]] std::size_t size() const override { return groups_.size(); }
  [[nodiscard]] std::size_t examples() const override { return size(); }
  [[nodiscard]] std::int64_t tokens(std::size_t unit) const override {
    std::int64_t sum = 0;
    for (std::size_t c = 0; c < choices_; ++c) sum += sequences_.length(unit * choices_ + c);
    return sum;
  }
  [[nodiscard]] internal::TaskBatch batch(std::span<const std::size_t> units) const override {
    internal::TaskBatch batch;
    for (const auto unit : units) {
      for (std::size_t c = 0; c < choices_; ++c) {
        sequences_.append_to(batch.inputs, unit * choices_ + c);
      }
      batch.labels.push_back(groups_[unit].label);
      batch.choices.push_back(static_cast<std::int32_t>(choices_));
    }
    return batch;
  }
  [[nodiscard]] TaskReport evaluate(std::span<const Tensor> logits) const override {
    require_logits(logits, *this);
    std::int64_t right = 0;
    for (std::size_t i = 0; i < size(); ++i) right += best(logits[i]) == groups_[i].label ? 1 : 0;
    TaskReport report;
    report.metrics = {
        {"accuracy", size() == 0 ? 0 : static_cast<double>(right) / static_cast<double>(size())}};
    report.details_json = "{}";
    return report;
  }
  [[nodiscard]] std::vector<std::string> metric_names() const override { return {"accuracy"}; }
  [[nodiscard]] std::vector<std::string> predictions(
      std::span<const Tensor> logits) const override {
    require_logits(logits, *this);
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < size(); ++i) {
      lines.push_back(
          ordered_json{{"line", groups_[i].line},
                       {"label", groups_[i].label},
                       {"predicted", best(logits[i])},
                       {"scores", label_scores(logits[i].values<float>(), ScoreKind::softmax)}}
              .dump());
    }
    return lines;
  }

 private:
  static std::int32_t best(const Tensor& logits) {
    const auto values = logits.values<float>();
    return static_cast<std::int32_t>(std::max_element(values.begin(), values.end()) -
                                     values.begin());
  }
  SequenceStore sequences_;
  std::vector<Group> groups_;
  std::size_t choices_;
};

class MultipleChoice : public Task {
 public:
  explicit MultipleChoice(TaskSetup setup) : setup_(std::move(setup)) {}
  [[nodiscard]] std::string_view name() const override { return "multiple-choice"; }
  [[nodiscard]] const internal::HeadKind& head() const override {
    return internal::heads::multiple_choice;
  }
  [[nodiscard]] internal::TaskLoss loss() const override {
    return internal::TaskLoss::cross_entropy;
  }
  [[nodiscard]] std::string_view best_metric() const override { return "accuracy"; }
  [[nodiscard]] std::unique_ptr<TaskData> read_train(const DataSource& source) override {
    return read_eval(source);
  }
  [[nodiscard]] std::unique_ptr<TaskData> read_eval(const DataSource& source) const override {
    const auto& options = setup_.options;
    const auto rows = source.in_memory()
                          ? choices_of(source.examples<ChoiceExample>(), options.max_samples)
                          : read_choices(source.file(), {.text_column = options.text_column,
                                                         .label_column = options.label_column,
                                                         .max_samples = options.max_samples});
    EncodeOptions encode;
    encode.truncation = Truncation::longest_first;
    encode.max_length = static_cast<std::int32_t>(setup_.max_length());
    std::vector<TextPair> pairs;
    std::vector<Group> groups;
    for (const auto& row : rows) {
      for (const auto& choice : row.choices) pairs.push_back({row.prompt, choice});
      groups.push_back({row.label, row.line});
    }
    SequenceStore sequences;
    auto batch = setup_.tokenizer->pack(pairs, encode);
    batch.token_type_ids = types_for_model(*setup_.tokenizer, std::move(batch.token_type_ids));
    sequences.append(batch);
    return std::make_unique<MultipleChoiceData>(std::move(sequences), std::move(groups),
                                                rows.front().choices.size());
  }
  void configure(BertConfig& config) const override {
    config.id2label.clear();
    config.problem_type = "";
    config.architectures = {internal::architecture_of(head(), internal::trained_family(config))};
  }

 private:
  TaskSetup setup_;
};

}  // namespace

std::unique_ptr<Task> make_multiple_choice(TaskSetup setup) {
  return std::make_unique<MultipleChoice>(std::move(setup));
}

}  // namespace cloze
