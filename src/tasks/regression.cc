// Regression: a value for a text or a pair (likeness, rating); mean squared error, Pearson's and
// Spearman's correlation.
#include <cmath>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/json.h"
#include "core/numbers.h"
#include "metrics/correlation.h"
#include "tasks/text_data.h"

namespace cloze {
namespace {

using nlohmann::ordered_json;

double value_of(const std::string& text, const std::string& place) {
  if (const auto value = finite_number(text)) return *value;
  throw FormatError(
      fmt::format("{} has {} where a number must be: correct the row, or name the label column",
                  place, in_quotes(text)));
}

class Values : public TextLabels {
 public:
  explicit Values(std::vector<double> values) : values_(std::move(values)) {}

  void append_to(internal::TaskBatch& batch, std::size_t text) const override {
    batch.targets.push_back(static_cast<float>(values_[text]));
  }
  [[nodiscard]] TaskReport evaluate(std::span<const Tensor> logits) const override {
    std::vector<double> predicted;
    for (const auto& one : logits) predicted.push_back(one.values<float>()[0]);
    TaskReport report;
    report.metrics = {{"pearson", pearson(values_, predicted)},
                      {"spearman", spearman(values_, predicted)},
                      {"mse", mean_squared_error(values_, predicted)}};
    report.details_json = "{}";
    return report;
  }
  [[nodiscard]] std::vector<std::string> metric_names() const override {
    return {"pearson", "spearman", "mse"};
  }
  [[nodiscard]] std::string prediction(std::size_t text, std::int64_t line,
                                       std::span<const float> logits) const override {
    return ordered_json{{"line", line}, {"value", values_[text]}, {"predicted", logits[0]}}.dump();
  }

 private:
  std::vector<double> values_;
};

class Regression : public Task {
 public:
  explicit Regression(TaskSetup setup) : setup_(std::move(setup)) {
    require_one_output(setup_, "regression");
  }

  [[nodiscard]] std::string_view name() const override { return "regression"; }
  [[nodiscard]] const internal::HeadKind& head() const override {
    return internal::heads::sequence_classification;
  }
  [[nodiscard]] internal::TaskLoss loss() const override {
    return internal::TaskLoss::mean_squared_error;
  }
  [[nodiscard]] std::string_view best_metric() const override { return "pearson"; }
  [[nodiscard]] bool greater_is_better(std::string_view metric) const override {
    return metric != "mse";
  }

  [[nodiscard]] std::unique_ptr<TaskData> read_train(const DataSource& source) override {
    return read_eval(source);
  }
  [[nodiscard]] std::unique_ptr<TaskData> read_eval(const DataSource& source) const override {
    auto reader = open_table(source, setup_.options);
    std::vector<double> values;
    auto units =
        read_text_units(reader, *setup_.tokenizer, setup_.max_length(), setup_.options.max_samples,
                        [&](const LabelledText& row) {
                          values.push_back(value_of(row.labels.front(), reader.place(row.line)));
                        });
    return text_data(std::move(units), std::make_unique<Values>(std::move(values)), "texts");
  }
  void configure(BertConfig& config) const override {
    config.id2label = {"LABEL_0"};
    config.problem_type = "regression";
    config.architectures = {internal::architecture_of(head(), internal::trained_family(config))};
  }

 private:
  TaskSetup setup_;
};

}  // namespace

std::unique_ptr<Task> make_regression(TaskSetup setup) {
  return std::make_unique<Regression>(std::move(setup));
}

}  // namespace cloze
