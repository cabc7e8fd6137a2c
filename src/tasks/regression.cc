// Regression: a value for a text or a pair (likeness, rating); mean squared error, Pearson's and
// Spearman's correlation.
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "checkpoint/json.h"
#include "cloze/error.h"
#include "data/labelled_text.h"
#include "tasks/metrics_correlation.h"
#include "tasks/task_setup.h"
#include "tasks/text_units.h"

namespace cloze {
namespace {

using nlohmann::ordered_json;

double value_of(const std::string& text, const std::string& place) {
  double value = 0;
  const auto* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && at == end && std::isfinite(value)) return value;
  throw FormatError(fmt::format(
      "{} has {} where a number must be: correct the row, or name the column with --label-column",
      place, in_quotes(text)));
}

class RegressionData : public TaskData {
 public:
  RegressionData(TextUnits units, std::vector<double> values)
      : units_(std::move(units)), values_(std::move(values)) {}

  [[nodiscard]] std::size_t size() const override { return values_.size(); }
  [[nodiscard]] std::size_t examples() const override { return size(); }
  [[nodiscard]] std::int64_t tokens(std::size_t unit) const override {
    return units_.sequences.length(unit);
  }
  [[nodiscard]] internal::TaskBatch batch(std::span<const std::size_t> units) const override {
    internal::TaskBatch batch;
    batch.inputs = units_.pack(units);
    for (const auto unit : units) batch.targets.push_back(static_cast<float>(values_[unit]));
    return batch;
  }
  [[nodiscard]] TaskReport evaluate(std::span<const Tensor> logits) const override {
    require_logits(logits, *this);
    std::vector<double> predicted;
    for (const auto& one : logits) predicted.push_back(one.values<float>()[0]);
    TaskReport report;
    report.metrics = {{"pearson", pearson(values_, predicted)},
                      {"spearman", spearman(values_, predicted)},
                      {"mse", mean_squared_error(values_, predicted)}};
    report.details_json = "{}";
    return report;
  }
  [[nodiscard]] std::vector<std::string> predictions(
      std::span<const Tensor> logits) const override {
    require_logits(logits, *this);
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < size(); ++i) {
      lines.push_back(ordered_json{{"line", units_.lines[i]},
                                   {"value", values_[i]},
                                   {"predicted", logits[i].values<float>()[0]}}
                          .dump());
    }
    return lines;
  }
  [[nodiscard]] std::vector<std::string> notes() const override {
    if (units_.cut == 0) return {};
    return {cut_note(units_.cut, size(), "texts", units_.max_length)};
  }

 private:
  TextUnits units_;
  std::vector<double> values_;
};

class Regression : public Task {
 public:
  explicit Regression(TaskSetup setup) : setup_(std::move(setup)) {
    if (setup_.trained && setup_.config.num_labels() != 1) {
      throw ModelError(
          fmt::format("this model has {} labels, and regression takes one output: use --task "
                      "text-classification",
                      setup_.config.num_labels()));
    }
  }

  [[nodiscard]] std::string_view name() const override { return "regression"; }
  [[nodiscard]] internal::TaskHead head() const override { return internal::TaskHead::sequence; }
  [[nodiscard]] internal::TaskLoss loss() const override {
    return internal::TaskLoss::mean_squared_error;
  }
  [[nodiscard]] std::string_view best_metric() const override { return "pearson"; }

  [[nodiscard]] std::unique_ptr<TaskData> read_train(const std::filesystem::path& file) override {
    return read_eval(file);
  }
  [[nodiscard]] std::unique_ptr<TaskData> read_eval(
      const std::filesystem::path& file) const override {
    const auto& options = setup_.options;
    LabelledTextReader reader(file, {.text_column = options.text_column,
                                     .pair_column = options.pair_column,
                                     .label_column = options.label_column});
    std::vector<double> values;
    auto units =
        read_text_units(reader, *setup_.tokenizer, setup_.max_length(), options.max_samples,
                        [&](const LabelledText& row) {
                          values.push_back(value_of(row.labels.front(), reader.place(row.line)));
                        });
    return std::make_unique<RegressionData>(std::move(units), std::move(values));
  }
  void configure(BertConfig& config) const override {
    config.id2label = {"LABEL_0"};
    config.problem_type = "regression";
    config.architectures = {"BertForSequenceClassification"};
  }

 private:
  TaskSetup setup_;
};

}  // namespace

std::unique_ptr<Task> make_regression(TaskSetup setup) {
  return std::make_unique<Regression>(std::move(setup));
}

}  // namespace cloze
