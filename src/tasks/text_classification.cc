#include "tasks/text_classification.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/json.h"
#include "datasets/labels.h"
#include "metrics/classification.h"
#include "metrics/report_table.h"
#include "tasks/figures_json.h"
#include "tasks/text_data.h"

namespace cloze {

ScoreKind score_kind(const BertConfig& config) {
  if (config.problem_type == "regression") return ScoreKind::value;
  if (config.problem_type == "multi_label_classification" || config.num_labels() == 1) {
    return ScoreKind::sigmoid;
  }
  return ScoreKind::softmax;
}

std::vector<double> label_scores(std::span<const float> logits, ScoreKind kind) {
  std::vector<double> scores(logits.begin(), logits.end());
  if (kind == ScoreKind::sigmoid) {
    for (auto& score : scores) score = 1.0 / (1.0 + std::exp(-score));
  } else if (kind == ScoreKind::softmax && !scores.empty()) {
    const double top = *std::max_element(scores.begin(), scores.end());
    double sum = 0;
    for (auto& score : scores) sum += score = std::exp(score - top);
    for (auto& score : scores) score /= sum;
  }
  return scores;
}

std::vector<RankedLabel> best_labels(std::span<const double> scores, std::size_t count) {
  std::vector<RankedLabel> labels;
  for (std::size_t i = 0; i < scores.size(); ++i) labels.push_back({i, scores[i]});
  std::stable_sort(labels.begin(), labels.end(),
                   [](const RankedLabel& a, const RankedLabel& b) { return a.score > b.score; });
  labels.resize(std::min(labels.size(), count));
  return labels;
}

namespace {

using nlohmann::ordered_json;

/// Labels as rows of a file come, numbered by first appearance, and led to their sorted order once
/// all are known.
class LabelDiscovery {
 public:
  std::int32_t number(const std::string& label) {
    const auto [at, added] = numbers_.emplace(label, static_cast<std::int32_t>(seen_.size()));
    if (added) seen_.push_back(label);
    return at->second;
  }
  [[nodiscard]] const std::vector<std::string>& seen() const { return seen_; }

 private:
  std::unordered_map<std::string, std::int32_t> numbers_;
  std::vector<std::string> seen_;
};

class Labels : public TextLabels {
 public:
  Labels(std::vector<std::vector<std::int32_t>> labels, LabelSet names, bool multi_label)
      : labels_(std::move(labels)), names_(std::move(names)), multi_label_(multi_label) {}

  void append_to(internal::TaskBatch& batch, std::size_t text) const override {
    if (!multi_label_) {
      batch.labels.push_back(labels_[text].front());
      return;
    }
    const auto begin = batch.targets.size();
    batch.targets.resize(begin + names_.size());
    for (const auto label : labels_[text]) {
      batch.targets[begin + static_cast<std::size_t>(label)] = 1.0F;
    }
  }

  [[nodiscard]] TaskReport evaluate(std::span<const Tensor> logits) const override {
    return multi_label_ ? evaluate_several(logits) : evaluate_one(logits);
  }

  [[nodiscard]] std::vector<std::string> metric_names() const override {
    if (multi_label_) {
      return {"micro_f1", "micro_precision", "micro_recall",
              "macro_f1", "weighted_f1",     "exact_match_ratio"};
    }
    if (names_.size() == 2) {
      return {"accuracy", "f1",          "precision",           "recall",
              "macro_f1", "weighted_f1", "matthews_correlation"};
    }
    return {"accuracy", "macro_f1", "weighted_f1", "matthews_correlation"};
  }
  [[nodiscard]] std::string prediction(std::size_t text, std::int64_t line_number,
                                       std::span<const float> logits) const override {
    const auto scores =
        label_scores(logits, multi_label_ ? ScoreKind::sigmoid : ScoreKind::softmax);
    ordered_json line{{"line", line_number}};
    if (multi_label_) {
      ordered_json truth = ordered_json::array(), predicted = ordered_json::array();
      for (const auto label : labels_[text]) truth.push_back(name(label));
      for (std::size_t label = 0; label < scores.size(); ++label) {
        if (scores[label] > 0.5) predicted.push_back(names_.name(label));
      }
      line["labels"] = std::move(truth);
      line["predicted"] = std::move(predicted);
    } else {
      const auto best = best_labels(scores, 1).front();
      line["label"] = name(labels_[text].front());
      line["predicted"] = names_.name(best.label);
      line["score"] = best.score;
    }
    ordered_json by_label;
    for (std::size_t label = 0; label < scores.size(); ++label) {
      by_label[names_.name(label)] = scores[label];
    }
    line["scores"] = std::move(by_label);
    return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  }

 private:
  [[nodiscard]] const std::string& name(std::int32_t label) const {
    return names_.name(static_cast<std::size_t>(label));
  }

  [[nodiscard]] TaskReport evaluate_one(std::span<const Tensor> logits) const {
    ConfusionMatrix confusion(names_.size());
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      const auto values = logits[i].values<float>();
      const auto best = std::max_element(values.begin(), values.end()) - values.begin();
      confusion.add(static_cast<std::size_t>(labels_[i].front()), static_cast<std::size_t>(best));
    }
    const auto all = averages(confusion);
    TaskReport report;
    report.metrics.emplace_back("accuracy", confusion.accuracy());
    if (names_.size() == 2) {  // as GLUE has it: of label 1
      const auto positive = confusion.of(1);
      report.metrics.emplace_back("f1", positive.f1);
      report.metrics.emplace_back("precision", positive.precision);
      report.metrics.emplace_back("recall", positive.recall);
    }
    report.metrics.emplace_back("macro_f1", all.macro.f1);
    report.metrics.emplace_back("weighted_f1", all.weighted.f1);
    report.metrics.emplace_back("matthews_correlation", confusion.matthews());
    std::vector<PrecisionRecallF1> by_label;
    for (std::size_t label = 0; label < names_.size(); ++label)
      by_label.push_back(confusion.of(label));
    auto json = add_details(report, by_label, all);
    auto& counts = json["confusion"] = ordered_json::array();
    for (std::size_t t = 0; t < names_.size(); ++t) {
      auto row = ordered_json::array();
      for (std::size_t p = 0; p < names_.size(); ++p) row.push_back(confusion.count(t, p));
      counts.push_back(std::move(row));
    }
    if (const auto table = confusion_table(confusion, names_.names()); !table.empty()) {
      report.details += '\n' + table;
    }
    report.details_json = json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    return report;
  }

  [[nodiscard]] TaskReport evaluate_several(std::span<const Tensor> logits) const {
    std::vector<LabelCounts> counts(names_.size());
    std::int64_t exact = 0;
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      const auto values = logits[i].values<float>();
      std::vector<bool> actual(names_.size());
      for (const auto label : labels_[i]) actual[static_cast<std::size_t>(label)] = true;
      bool all_right = true;
      for (std::size_t label = 0; label < counts.size(); ++label) {
        const bool predicted = values[label] > 0;
        counts[label].predicted += predicted ? 1 : 0;
        counts[label].actual += actual[label] ? 1 : 0;
        counts[label].hits += predicted && actual[label] ? 1 : 0;
        all_right = all_right && predicted == actual[label];
      }
      exact += all_right ? 1 : 0;
    }
    const auto all = averages(counts);
    TaskReport report;
    report.metrics = {
        {"micro_f1", all.micro.f1},
        {"micro_precision", all.micro.precision},
        {"micro_recall", all.micro.recall},
        {"macro_f1", all.macro.f1},
        {"weighted_f1", all.weighted.f1},
        {"exact_match_ratio",
         labels_.empty() ? 0 : static_cast<double>(exact) / static_cast<double>(labels_.size())}};
    std::vector<PrecisionRecallF1> by_label;
    by_label.reserve(counts.size());
    for (const auto& one : counts) {
      by_label.push_back(precision_recall_f1(one.hits, one.predicted, one.actual));
    }
    report.details_json = add_details(report, by_label, all)
                              .dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    return report;
  }

  /// The table by label; returned as JSON.
  ordered_json add_details(TaskReport& report, const std::vector<PrecisionRecallF1>& by_label,
                           const AveragedF1& all) const {
    ReportTable table({"", "precision", "recall", "f1", "support"});
    ordered_json json;
    auto& labels = json["labels"] = ordered_json::object();
    for (std::size_t label = 0; label < by_label.size(); ++label) {
      table.add(figures_row(names_.name(label), by_label[label]));
      labels[names_.name(label)] = figures_json(by_label[label]);
    }
    for (const auto& [what, figures] :
         {std::pair{"macro average", all.macro}, std::pair{"weighted average", all.weighted},
          std::pair{"micro average", all.micro}}) {
      table.add(figures_row(what, figures));
    }
    json["macro"] = figures_json(all.macro);
    json["weighted"] = figures_json(all.weighted);
    json["micro"] = figures_json(all.micro);
    report.details = table.text();
    return json;
  }

  std::vector<std::vector<std::int32_t>> labels_;  // of each text
  LabelSet names_;
  bool multi_label_;
};

class TextClassification : public Task {
 public:
  explicit TextClassification(TaskSetup setup)
      : setup_(std::move(setup)), multi_label_(setup_.options.multi_label) {
    if (!setup_.trained) return;
    if (score_kind(setup_.config) == ScoreKind::value || setup_.config.num_labels() == 1) {
      throw ModelError(
          "this model gives one value, not labels: it is for the tasks regression and ranking");
    }
    labels_ = LabelSet::of(setup_.config);
    multi_label_ = multi_label_ || setup_.config.problem_type == "multi_label_classification";
  }

  [[nodiscard]] std::string_view name() const override { return "text-classification"; }
  [[nodiscard]] const internal::HeadKind& head() const override {
    return internal::heads::sequence_classification;
  }
  [[nodiscard]] internal::TaskLoss loss() const override {
    return multi_label_ ? internal::TaskLoss::binary_cross_entropy
                        : internal::TaskLoss::cross_entropy;
  }
  [[nodiscard]] std::string_view best_metric() const override {
    return multi_label_ ? "micro_f1" : "accuracy";
  }

  [[nodiscard]] std::unique_ptr<TaskData> read_train(const DataSource& source) override {
    if (!labels_.empty()) return read_eval(source);
    LabelDiscovery discovery;
    std::vector<std::vector<std::int32_t>> labels;
    auto reader = open_table(source, setup_.options, {.multi_label = multi_label_});
    auto units = read(reader, [&](const LabelledText& row) {
      labels.emplace_back();
      for (const auto& label : row.labels) labels.back().push_back(discovery.number(label));
    });
    if (discovery.seen().empty() || (!multi_label_ && discovery.seen().size() == 1)) {
      throw FormatError(fmt::format(
          "{}: {}, so there is nothing to learn; give examples of every label", source.name(),
          discovery.seen().empty()
              ? "no row has a label"
              : fmt::format("every row has the label {}", in_quotes(discovery.seen().front()))));
    }
    labels_ = LabelSet::discovered(discovery.seen());
    for (auto& row : labels) {
      for (auto& label : row) {
        label = labels_.id(discovery.seen()[static_cast<std::size_t>(label)], source.name());
      }
    }
    return make_data(std::move(units), std::move(labels));
  }

  [[nodiscard]] std::unique_ptr<TaskData> read_eval(const DataSource& source) const override {
    if (labels_.empty()) throw ArgumentError("training data must be read before other data");
    std::vector<std::vector<std::int32_t>> labels;
    auto reader = open_table(source, setup_.options, {.multi_label = multi_label_});
    auto units = read(reader, [&](const LabelledText& row) {
      labels.emplace_back();
      for (const auto& label : row.labels) {
        labels.back().push_back(labels_.id(label, reader.place(row.line)));
      }
    });
    return make_data(std::move(units), std::move(labels));
  }

  void configure(BertConfig& config) const override {
    config.id2label = labels_.names();
    config.problem_type =
        multi_label_ ? "multi_label_classification" : "single_label_classification";
    config.architectures = {internal::architecture_of(head(), internal::trained_family(config))};
  }

 private:
  [[nodiscard]] std::unique_ptr<TaskData> make_data(
      TextUnits units, std::vector<std::vector<std::int32_t>> labels) const {
    return text_data(std::move(units),
                     std::make_unique<Labels>(std::move(labels), labels_, multi_label_), "texts");
  }
  [[nodiscard]] TextUnits read(LabelledTextReader& reader,
                               const std::function<void(const LabelledText&)>& take) const {
    return read_text_units(reader, *setup_.tokenizer, setup_.max_length(),
                           setup_.options.max_samples, take);
  }

  TaskSetup setup_;
  bool multi_label_;
  LabelSet labels_;
};

}  // namespace

std::unique_ptr<Task> make_text_classification(TaskSetup setup) {
  return std::make_unique<TextClassification>(std::move(setup));
}

}  // namespace cloze
