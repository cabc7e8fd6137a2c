// Ranking: a cross-encoder reads a query and a candidate together and says how likely they belong
// together (responses of a dialogue, passages for a question).
#include <array>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "checkpoint/json.h"
#include "cloze/error.h"
#include "data/labelled_text.h"
#include "tasks/metrics_ranking.h"
#include "tasks/task_setup.h"
#include "tasks/text_classification.h"
#include "tasks/text_units.h"

namespace cloze {
namespace {

using nlohmann::ordered_json;

struct Candidates {
  std::vector<std::size_t> queries;  // of each unit
  std::vector<bool> relevant;
};

bool relevance(const std::string& label, const std::string& place) {
  if (label == "1" || label == "1.0" || label == "true") return true;
  if (label == "0" || label == "0.0" || label == "false") return false;
  throw FormatError(fmt::format(
      "{} has the label {}: a candidate that suits its query has 1, another 0; name the column "
      "with --label-column",
      place, in_quotes(label)));
}

class RankingData : public TaskData {
 public:
  RankingData(TextUnits units, Candidates candidates)
      : units_(std::move(units)), candidates_(std::move(candidates)) {}

  [[nodiscard]] std::size_t size() const override { return units_.sequences.size(); }
  [[nodiscard]] std::size_t examples() const override { return size(); }
  [[nodiscard]] std::int64_t tokens(std::size_t unit) const override {
    return units_.sequences.length(unit);
  }
  [[nodiscard]] internal::TaskBatch batch(std::span<const std::size_t> units) const override {
    internal::TaskBatch batch;
    batch.inputs = units_.pack(units);
    for (const auto unit : units) batch.targets.push_back(candidates_.relevant[unit] ? 1.0F : 0.0F);
    return batch;
  }
  [[nodiscard]] TaskReport evaluate(std::span<const Tensor> logits) const override {
    require_logits(logits, *this);
    constexpr std::array<std::size_t, 3> ks{1, 5, 10};
    std::vector<RankedCandidate> ranked;
    std::int64_t right = 0;
    for (std::size_t i = 0; i < size(); ++i) {
      const double score = logits[i].values<float>()[0];
      ranked.push_back({candidates_.queries[i], score, candidates_.relevant[i]});
      right += (score > 0) == candidates_.relevant[i] ? 1 : 0;
    }
    const auto scores = ranking_scores(ranked, ks);
    TaskReport report;
    report.metrics = {{"mrr", scores.mrr}, {"map", scores.map}};
    for (std::size_t k = 0; k < ks.size(); ++k) {
      report.metrics.emplace_back(fmt::format("recall@{}", ks[k]), scores.recall[k]);
    }
    report.metrics.emplace_back(
        "accuracy", size() == 0 ? 0 : static_cast<double>(right) / static_cast<double>(size()));
    report.details_json = ordered_json{
        {"queries", scores.queries},
        {"queries_without_relevant",
         scores.without}}.dump();
    return report;
  }
  [[nodiscard]] std::vector<std::string> predictions(
      std::span<const Tensor> logits) const override {
    require_logits(logits, *this);
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < size(); ++i) {
      lines.push_back(
          ordered_json{{"line", units_.lines[i]},
                       {"query", candidates_.queries[i]},
                       {"label", candidates_.relevant[i] ? 1 : 0},
                       {"score", label_scores(logits[i].values<float>(), ScoreKind::sigmoid)[0]}}
              .dump());
    }
    return lines;
  }
  [[nodiscard]] std::vector<std::string> notes() const override {
    if (units_.cut == 0) return {};
    return {cut_note(units_.cut, size(), "pairs", units_.max_length)};
  }

 private:
  TextUnits units_;
  Candidates candidates_;
};

class Ranking : public Task {
 public:
  explicit Ranking(TaskSetup setup) : setup_(std::move(setup)) {
    if (setup_.trained && setup_.config.num_labels() != 1) {
      throw ModelError(fmt::format(
          "this model has {} labels, and ranking takes one output: use --task text-classification",
          setup_.config.num_labels()));
    }
  }
  [[nodiscard]] std::string_view name() const override { return "ranking"; }
  [[nodiscard]] internal::TaskHead head() const override { return internal::TaskHead::sequence; }
  [[nodiscard]] internal::TaskLoss loss() const override {
    return internal::TaskLoss::binary_cross_entropy;
  }
  [[nodiscard]] std::string_view best_metric() const override { return "mrr"; }
  [[nodiscard]] std::unique_ptr<TaskData> read_train(const std::filesystem::path& file) override {
    return read(file, true);
  }
  [[nodiscard]] std::unique_ptr<TaskData> read_eval(
      const std::filesystem::path& file) const override {
    return read(file, false);
  }
  void configure(BertConfig& config) const override {
    config.id2label = {"relevant"};
    config.problem_type = "multi_label_classification";  // a sigmoid, as transformers reads it
    config.architectures = {"BertForSequenceClassification"};
  }

 private:
  [[nodiscard]] std::unique_ptr<TaskData> read(const std::filesystem::path& file,
                                               bool needs_both) const {
    const auto& options = setup_.options;
    LabelledTextReader reader(file, {.text_column = options.text_column,
                                     .pair_column = options.pair_column,
                                     .label_column = options.label_column,
                                     .multi_label = false,
                                     .require_pairs = true});
    Candidates candidates;
    std::map<std::string, std::size_t> queries;
    std::size_t relevant = 0;
    auto units = read_text_units(
        reader, *setup_.tokenizer, setup_.max_length(), options.max_samples,
        [&](const LabelledText& row) {
          const auto at = queries.emplace(row.text, queries.size()).first;
          candidates.queries.push_back(at->second);
          candidates.relevant.push_back(relevance(row.labels.front(), reader.place(row.line)));
          relevant += candidates.relevant.back() ? 1 : 0;
        });
    if (needs_both && (relevant == 0 || relevant == candidates.relevant.size())) {
      throw FormatError(fmt::format(
          "{}: every candidate has the label {}, so there is nothing to learn; give both kinds",
          file.string(), relevant == 0 ? 0 : 1));
    }
    return std::make_unique<RankingData>(std::move(units), std::move(candidates));
  }
  TaskSetup setup_;
};

}  // namespace

std::unique_ptr<Task> make_ranking(TaskSetup setup) {
  return std::make_unique<Ranking>(std::move(setup));
}

}  // namespace cloze
