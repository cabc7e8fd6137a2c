// Ranking: a cross-encoder reads a query and a candidate together and says how likely they belong
// together (responses of a dialogue, passages for a question).
#include "metrics/ranking.h"

#include <array>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/json.h"
#include "tasks/text_classification.h"
#include "tasks/text_data.h"

namespace cloze {
namespace {

using nlohmann::ordered_json;

bool relevance(const std::string& label, const std::string& place) {
  if (label == "1" || label == "1.0" || label == "true") return true;
  if (label == "0" || label == "0.0" || label == "false") return false;
  throw FormatError(fmt::format(
      "{} has the label {}: a candidate that suits its query has 1, another 0; name the label "
      "column",
      place, in_quotes(label)));
}

class Candidates : public TextLabels {
 public:
  void add(std::size_t query, bool relevant) {
    queries_.push_back(query);
    relevant_.push_back(relevant);
    suitable_ += relevant ? 1 : 0;
  }
  /// Whether all of them suit, or none does.
  [[nodiscard]] bool alike() const { return suitable_ == 0 || suitable_ == relevant_.size(); }
  [[nodiscard]] std::size_t suitable() const { return suitable_; }

  void append_to(internal::TaskBatch& batch, std::size_t text) const override {
    batch.targets.push_back(relevant_[text] ? 1.0F : 0.0F);
  }
  [[nodiscard]] TaskReport evaluate(std::span<const Tensor> logits) const override {
    constexpr std::array<std::size_t, 3> ks{1, 5, 10};
    std::vector<RankedCandidate> ranked;
    std::int64_t right = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const double score = logits[i].values<float>()[0];
      ranked.push_back({queries_[i], score, relevant_[i]});
      right += (score > 0) == relevant_[i] ? 1 : 0;
    }
    const auto scores = ranking_scores(ranked, ks);
    TaskReport report;
    report.metrics = {{"mrr", scores.mrr}, {"map", scores.map}};
    for (std::size_t k = 0; k < ks.size(); ++k) {
      report.metrics.emplace_back(fmt::format("recall@{}", ks[k]), scores.recall[k]);
    }
    report.metrics.emplace_back(
        "accuracy",
        logits.empty() ? 0 : static_cast<double>(right) / static_cast<double>(logits.size()));
    report.details_json = ordered_json{
        {"queries", scores.queries},
        {"queries_without_relevant",
         scores.without}}.dump();
    return report;
  }
  [[nodiscard]] std::vector<std::string> metric_names() const override {
    return {"mrr", "map", "recall@1", "recall@5", "recall@10", "accuracy"};
  }
  [[nodiscard]] std::string prediction(std::size_t text, std::int64_t line,
                                       std::span<const float> logits) const override {
    return ordered_json{{"line", line},
                        {"query", queries_[text]},
                        {"label", relevant_[text] ? 1 : 0},
                        {"score", label_scores(logits, ScoreKind::sigmoid)[0]}}
        .dump();
  }

 private:
  std::vector<std::size_t> queries_;  // of each candidate
  std::vector<bool> relevant_;
  std::size_t suitable_ = 0;
};

class Ranking : public Task {
 public:
  explicit Ranking(TaskSetup setup) : setup_(std::move(setup)) {
    require_one_output(setup_, "ranking");
  }
  [[nodiscard]] std::string_view name() const override { return "ranking"; }
  [[nodiscard]] const internal::HeadKind& head() const override {
    return internal::heads::sequence_classification;
  }
  [[nodiscard]] internal::TaskLoss loss() const override {
    return internal::TaskLoss::binary_cross_entropy;
  }
  [[nodiscard]] std::string_view best_metric() const override { return "mrr"; }
  [[nodiscard]] std::unique_ptr<TaskData> read_train(const DataSource& source) override {
    return read(source, true);
  }
  [[nodiscard]] std::unique_ptr<TaskData> read_eval(const DataSource& source) const override {
    return read(source, false);
  }
  void configure(BertConfig& config) const override {
    config.id2label = {"relevant"};
    config.problem_type = "multi_label_classification";  // a sigmoid, as transformers reads it
    config.architectures = {internal::architecture_of(head(), internal::trained_family(config))};
  }

 private:
  [[nodiscard]] std::unique_ptr<TaskData> read(const DataSource& source, bool needs_both) const {
    auto reader = open_table(source, setup_.options, {.require_pairs = true});
    auto candidates = std::make_unique<Candidates>();
    std::map<std::string, std::size_t> queries;
    auto units = read_text_units(
        reader, *setup_.tokenizer, setup_.max_length(), setup_.options.max_samples,
        [&](const LabelledText& row) {
          const auto at = queries.emplace(row.text, queries.size()).first;
          candidates->add(at->second, relevance(row.labels.front(), reader.place(row.line)));
        });
    if (needs_both && candidates->alike()) {
      throw FormatError(fmt::format(
          "{}: every candidate has the label {}, so there is nothing to learn; give both kinds",
          source.name(), candidates->suitable() == 0 ? 0 : 1));
    }
    return text_data(std::move(units), std::move(candidates), "pairs");
  }
  TaskSetup setup_;
};

}  // namespace

std::unique_ptr<Task> make_ranking(TaskSetup setup) {
  return std::make_unique<Ranking>(std::move(setup));
}

}  // namespace cloze
