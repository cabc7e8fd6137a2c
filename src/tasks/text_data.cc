#include "tasks/text_data.h"

#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze {
namespace {

class TextData : public TaskData {
 public:
  TextData(TextUnits units, std::unique_ptr<TextLabels> labels, std::string_view what)
      : units_(std::move(units)), labels_(std::move(labels)), what_(what) {}

  [[nodiscard]] std::size_t size() const override { return units_.sequences.size(); }
  [[nodiscard]] std::size_t examples() const override { return size(); }
  [[nodiscard]] std::int64_t tokens(std::size_t unit) const override {
    return units_.sequences.length(unit);
  }

  [[nodiscard]] internal::TaskBatch batch(std::span<const std::size_t> units) const override {
    internal::TaskBatch batch;
    for (const auto unit : units) {
      units_.sequences.append_to(batch.inputs, unit);
      labels_->append_to(batch, unit);
    }
    return batch;
  }

  [[nodiscard]] TaskReport evaluate(std::span<const Tensor> logits) const override {
    require_logits(logits, *this);
    return labels_->evaluate(logits);
  }

  [[nodiscard]] std::vector<std::string> metric_names() const override {
    return labels_->metric_names();
  }

  [[nodiscard]] std::vector<std::string> predictions(
      std::span<const Tensor> logits) const override {
    require_logits(logits, *this);
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < size(); ++i) {
      lines.push_back(labels_->prediction(i, units_.lines[i], logits[i].values<float>()));
    }
    return lines;
  }

  [[nodiscard]] std::vector<std::string> notes() const override {
    if (units_.cut == 0) return {};
    return {fmt::format("{} of {} {} were cut to {} tokens", units_.cut, size(), what_,
                        units_.max_length)};
  }

 private:
  TextUnits units_;
  std::unique_ptr<TextLabels> labels_;
  std::string what_;
};

}  // namespace

std::unique_ptr<TaskData> text_data(TextUnits units, std::unique_ptr<TextLabels> labels,
                                    std::string_view what) {
  return std::make_unique<TextData>(std::move(units), std::move(labels), what);
}

LabelledTextReader open_table(const DataSource& source, const TaskOptions& options,
                              LabelledTextOptions table) {
  table.text_column = options.text_column;
  table.pair_column = options.pair_column;
  table.label_column = options.label_column;
  return {source, table};
}

void require_one_output(const TaskSetup& setup, std::string_view task) {
  if (!setup.trained || setup.config.num_labels() == 1) return;
  throw ModelError(fmt::format(
      "this model has {} labels, and {} takes one output: use the task text-classification",
      setup.config.num_labels(), task));
}

}  // namespace cloze
