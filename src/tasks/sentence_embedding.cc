// Sentence embedding: texts to vectors whose cosine says how alike the texts are. Learns from pairs
// that belong together, or from pairs with a score; is measured on scores.
#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/similarity.h"
#include "core/json.h"
#include "core/numbers.h"
#include "metrics/correlation.h"
#include "sentence/write_modules.h"
#include "tasks/text_data.h"

namespace cloze {
namespace {

using nlohmann::ordered_json;

struct Pairs {
  TextUnits units;             // two sequences a pair
  std::vector<double> scores;  // of every pair, or none
  double divisor = 1;          // what scores were divided by, to be cosines
};

class SentencePairData : public TaskData {
 public:
  explicit SentencePairData(Pairs pairs) : pairs_(std::move(pairs)) {}

  [[nodiscard]] std::size_t size() const override { return pairs_.units.lines.size(); }
  [[nodiscard]] std::size_t examples() const override { return size(); }
  [[nodiscard]] std::int64_t tokens(std::size_t unit) const override {
    return pairs_.units.sequences.length(2 * unit) + pairs_.units.sequences.length(2 * unit + 1);
  }
  [[nodiscard]] internal::TaskBatch batch(std::span<const std::size_t> units) const override {
    internal::TaskBatch batch;
    for (const auto unit : units) {
      pairs_.units.sequences.append_to(batch.inputs, 2 * unit);
      pairs_.units.sequences.append_to(batch.inputs, 2 * unit + 1);
      if (pairs_.scores.empty()) continue;
      batch.targets.push_back(static_cast<float>(pairs_.scores[unit] / pairs_.divisor));
    }
    return batch;
  }
  [[nodiscard]] TaskReport evaluate(std::span<const Tensor> logits) const override {
    const auto found = likeness(logits);
    TaskReport report;
    report.metrics = {{"spearman", spearman(pairs_.scores, found)},
                      {"pearson", pearson(pairs_.scores, found)}};
    report.details_json = "{}";
    return report;
  }
  [[nodiscard]] std::vector<std::string> metric_names() const override {
    return {"spearman", "pearson"};
  }
  [[nodiscard]] std::vector<std::string> predictions(
      std::span<const Tensor> logits) const override {
    const auto found = likeness(logits);
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < size(); ++i) {
      lines.push_back(ordered_json{
          {"line", pairs_.units.lines[i]}, {"score", pairs_.scores[i]}, {"cosine", found[i]}}
                          .dump());
    }
    return lines;
  }
  [[nodiscard]] std::vector<std::string> notes() const override {
    std::vector<std::string> notes;
    if (pairs_.units.cut > 0) {
      notes.push_back(fmt::format("{} of {} texts were cut to {} tokens", pairs_.units.cut,
                                  2 * size(), pairs_.units.max_length));
    }
    if (pairs_.divisor != 1) {
      notes.push_back(
          fmt::format("scores are divided by {:g}, the highest, to be cosines", pairs_.divisor));
    }
    return notes;
  }

 private:
  /// The cosine of each pair.
  [[nodiscard]] std::vector<double> likeness(std::span<const Tensor> vectors) const {
    require_logits(vectors, *this);
    if (pairs_.scores.empty()) {
      throw ArgumentError("pairs without scores cannot be evaluated: use read_eval");
    }
    std::vector<double> found;
    for (const auto& pair : vectors) found.push_back(pair_cosines(pair).front());
    return found;
  }

  Pairs pairs_;
};

double score_of(const std::string& text, const std::string& place) {
  if (const auto value = finite_number(text)) return *value;
  throw FormatError(
      fmt::format("{} has {} where the pair's score must be: correct the row, or name the label "
                  "column",
                  place, in_quotes(text)));
}

class SentenceEmbedding : public Task {
 public:
  explicit SentenceEmbedding(TaskSetup setup) : setup_(std::move(setup)) {}

  [[nodiscard]] std::string_view name() const override { return "sentence-embedding"; }
  [[nodiscard]] const internal::HeadKind& head() const override {
    return internal::heads::sentence_embedding;
  }
  [[nodiscard]] internal::TaskLoss loss() const override { return loss_; }
  [[nodiscard]] std::string_view best_metric() const override { return "spearman"; }

  [[nodiscard]] std::unique_ptr<TaskData> read_train(const DataSource& source) override {
    auto pairs = read(source);
    loss_ = pairs.scores.empty() ? internal::TaskLoss::in_batch_negatives
                                 : internal::TaskLoss::cosine_error;
    if (pairs.scores.empty() && pairs.units.lines.size() < 2) {
      throw FormatError(fmt::format(
          "{} has a single pair: pairs without scores learn from one another, give more",
          source.name()));
    }
    return std::make_unique<SentencePairData>(std::move(pairs));
  }
  [[nodiscard]] std::unique_ptr<TaskData> read_eval(const DataSource& source) const override {
    auto pairs = read(source);
    if (pairs.scores.empty()) {
      throw FormatError(
          fmt::format("{} has pairs without scores, and an evaluation compares with scores: add "
                      "them, or name their label column",
                      source.name()));
    }
    return std::make_unique<SentencePairData>(std::move(pairs));
  }
  void configure(BertConfig& config) const override {
    config.id2label.clear();
    config.problem_type = "";
    config.architectures = {"BertModel"};
  }
  /// sentence-transformers' modules: the transformer, the mean of its tokens, length 1.
  void write_files(const std::filesystem::path& directory) const override {
    write_modules(directory, {.hidden_size = setup_.config.hidden_size,
                              .pooling = Pooling::mean,
                              .max_seq_length = setup_.max_length(),
                              .normalize = true});
  }

 private:
  [[nodiscard]] Pairs read(const DataSource& source) const {
    auto reader =
        open_table(source, setup_.options, {.require_pairs = true, .may_lack_labels = true});
    Pairs pairs;
    pairs.units = read_text_units(
        reader, *setup_.tokenizer, setup_.max_length(), setup_.options.max_samples,
        [&](const LabelledText& row) {
          if (!reader.has_labels()) return;
          pairs.scores.push_back(score_of(row.labels.front(), reader.place(row.line)));
        },
        {.pairs = PairForm::separate, .prompt = setup_.prompt});
    if (!pairs.scores.empty()) {
      pairs.divisor = std::max(1.0, *std::max_element(pairs.scores.begin(), pairs.scores.end()));
    }
    return pairs;
  }

  TaskSetup setup_;
  internal::TaskLoss loss_ = internal::TaskLoss::cosine_error;
};

}  // namespace

std::unique_ptr<Task> make_sentence_embedding(TaskSetup setup) {
  return std::make_unique<SentenceEmbedding>(std::move(setup));
}

}  // namespace cloze
