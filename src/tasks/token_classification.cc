// Token classification: a label for every word, at its first token; entities (or parts of speech)
// of CoNLL files.
#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/numbers.h"
#include "core/strings.h"
#include "datasets/conll_reader.h"
#include "datasets/example_reader.h"
#include "datasets/labels.h"
#include "metrics/classification.h"
#include "metrics/entities.h"
#include "metrics/report_table.h"
#include "tasks/figures_json.h"
#include "tasks/task_setup.h"
#include "tasks/token_windows.h"

namespace cloze {
namespace {

using nlohmann::ordered_json;

/// With neighbouring sentences around it a sentence costs its whole window: a fair part of the gain
/// of 512 tokens at a quarter of their price.
constexpr std::int64_t context_length = 128;

class TokenClassificationData : public TaskData {
 public:
  TokenClassificationData(TaggedTexts texts, TokenWindows windows, LabelSet labels,
                          std::vector<std::int32_t> tags)
      : texts_(std::move(texts)),
        windows_(std::move(windows)),
        labels_(std::move(labels)),
        tags_(std::move(tags)) {}

  [[nodiscard]] std::size_t size() const override { return windows_.size(); }
  [[nodiscard]] std::size_t examples() const override { return texts_.sentences.size(); }
  [[nodiscard]] std::int64_t tokens(std::size_t unit) const override {
    return windows_.length(unit);
  }

  [[nodiscard]] internal::TaskBatch batch(std::span<const std::size_t> units) const override {
    internal::TaskBatch batch;
    for (const auto unit : units) {
      windows_.append_to(batch.inputs, unit);
      for (const auto word : windows_.counted_words(unit)) {
        batch.labels.push_back(word < 0 ? internal::kIgnoredLabel
                                        : tags_[static_cast<std::size_t>(word)]);
      }
    }
    return batch;
  }

  [[nodiscard]] TaskReport evaluate(std::span<const Tensor> logits) const override {
    const auto predicted = predict(logits);
    return texts_.scheme == TagScheme::plain ? evaluate_labels(predicted)
                                             : evaluate_entities(predicted);
  }

  [[nodiscard]] std::vector<std::string> metric_names() const override {
    if (texts_.scheme == TagScheme::plain) return {"accuracy", "f1", "macro_f1", "weighted_f1"};
    return {"f1", "precision", "recall", "macro_f1", "accuracy"};
  }
  [[nodiscard]] std::vector<std::string> predictions(
      std::span<const Tensor> logits) const override {
    const auto predicted = predict(logits);
    std::vector<std::string> lines;
    std::size_t word = 0;
    for (const auto& sentence : texts_.sentences) {
      std::vector<std::string> tags;
      for (std::size_t w = 0; w < sentence.words.size(); ++w) {
        tags.push_back(name(predicted[word++]));
      }
      lines.push_back(ordered_json{{"line", sentence.line},
                                   {"words", sentence.words},
                                   {"labels", sentence.tags},
                                   {"predicted", std::move(tags)}}
                          .dump(-1, ' ', false, ordered_json::error_handler_t::replace));
    }
    return lines;
  }

  [[nodiscard]] std::vector<std::string> notes() const override {
    std::vector<std::string> notes;
    if (texts_.scheme == TagScheme::iob1 || texts_.scheme == TagScheme::bioes) {
      notes.push_back(
          fmt::format("tags were read as {} and converted to IOB2", name_of(texts_.scheme)));
    }
    if (texts_.broken_off > 0) {
      notes.push_back(
          fmt::format("{} entities lack their end or beginning, the first on {}: they "
                      "were taken as they stand",
                      texts_.broken_off, texts_.first_broken_off));
    }
    if (windows_.split_sentences() > 0) {
      notes.push_back(
          fmt::format("{} of {} sentences are longer than a window and were read in several",
                      windows_.split_sentences(), examples()));
    }
    return notes;
  }

 private:
  [[nodiscard]] const std::string& name(std::int32_t label) const {
    return labels_.name(static_cast<std::size_t>(label));
  }

  /// The label of every word; of one without tokens "O", or the first label.
  [[nodiscard]] std::vector<std::int32_t> predict(std::span<const Tensor> logits) const {
    require_logits(logits, *this);
    const auto& names = labels_.names();
    const auto outside = std::find(names.begin(), names.end(), "O");
    const auto none = outside == names.end() ? std::int32_t{0}
                                             : static_cast<std::int32_t>(outside - names.begin());
    std::vector<std::int32_t> predicted(tags_.size(), none);
    const auto width = labels_.size();
    for (std::size_t unit = 0; unit < size(); ++unit) {
      const auto values = logits[unit].values<float>();
      const auto words = windows_.counted_words(unit);
      for (std::size_t t = 0; t < words.size(); ++t) {
        if (words[t] < 0) continue;
        const auto row = values.subspan(t * width, width);
        predicted[static_cast<std::size_t>(words[t])] =
            static_cast<std::int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
      }
    }
    return predicted;
  }

  [[nodiscard]] TaskReport evaluate_entities(const std::vector<std::int32_t>& predicted) const {
    EntityScores scores;
    std::size_t word = 0;
    for (const auto& sentence : texts_.sentences) {
      const std::vector<std::string_view> truth(sentence.tags.begin(), sentence.tags.end());
      std::vector<std::string_view> found;
      for (std::size_t w = 0; w < truth.size(); ++w) found.emplace_back(name(predicted[word++]));
      scores.add(truth, found);
    }
    const auto all = scores.averages();
    TaskReport report;
    report.metrics = {{"f1", all.micro.f1},
                      {"precision", all.micro.precision},
                      {"recall", all.micro.recall},
                      {"macro_f1", all.macro.f1},
                      {"accuracy", scores.accuracy()}};
    ReportTable table({"", "precision", "recall", "f1", "support"});
    ordered_json json;
    auto& types = json["types"] = ordered_json::object();
    for (const auto& [type, counts] : scores.by_type()) {
      const auto figures = precision_recall_f1(counts.hits, counts.predicted, counts.actual);
      table.add(figures_row(type, figures));
      types[type] = figures_json(figures);
    }
    table.add(figures_row("micro average", all.micro));
    table.add(figures_row("macro average", all.macro));
    table.add(figures_row("weighted average", all.weighted));
    json["macro"] = figures_json(all.macro);
    json["weighted"] = figures_json(all.weighted);
    json["micro"] = figures_json(all.micro);
    report.details = table.text();
    report.details_json = json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    return report;
  }

  [[nodiscard]] TaskReport evaluate_labels(const std::vector<std::int32_t>& predicted) const {
    ConfusionMatrix confusion(labels_.size());
    for (std::size_t word = 0; word < tags_.size(); ++word) {
      confusion.add(static_cast<std::size_t>(tags_[word]),
                    static_cast<std::size_t>(predicted[word]));
    }
    const auto all = averages(confusion);
    TaskReport report;
    report.metrics = {{"accuracy", confusion.accuracy()},
                      {"f1", all.micro.f1},
                      {"macro_f1", all.macro.f1},
                      {"weighted_f1", all.weighted.f1}};
    ReportTable table({"", "precision", "recall", "f1", "support"});
    ordered_json json;
    auto& by_label = json["labels"] = ordered_json::object();
    for (std::size_t label = 0; label < labels_.size(); ++label) {
      table.add(figures_row(labels_.name(label), confusion.of(label)));
      by_label[labels_.name(label)] = figures_json(confusion.of(label));
    }
    report.details = table.text();
    report.details_json = json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    return report;
  }

  TaggedTexts texts_;
  TokenWindows windows_;
  LabelSet labels_;
  std::vector<std::int32_t> tags_;  // of every word
};

class TokenClassification : public Task {
 public:
  explicit TokenClassification(TaskSetup setup) : setup_(std::move(setup)) {
    if (setup_.trained) labels_ = LabelSet::of(setup_.config);
  }

  [[nodiscard]] std::string_view name() const override { return "token-classification"; }
  [[nodiscard]] const internal::HeadKind& head() const override {
    return internal::heads::token_classification;
  }
  [[nodiscard]] internal::TaskLoss loss() const override {
    return internal::TaskLoss::cross_entropy;
  }
  [[nodiscard]] std::string_view best_metric() const override { return "f1"; }

  [[nodiscard]] std::unique_ptr<TaskData> read_train(const DataSource& source) override {
    auto texts = read(source);
    if (labels_.empty()) {
      std::set<std::string> seen;
      for (const auto& sentence : texts.sentences) {
        seen.insert(sentence.tags.begin(), sentence.tags.end());
      }
      if (seen.size() == 1) {
        throw FormatError(
            fmt::format("{}: every word has the tag {}, so there is nothing to learn; give "
                        "sentences with others",
                        source.name(), in_quotes(*seen.begin())));
      }
      labels_ = LabelSet::discovered({seen.begin(), seen.end()});
    }
    return make_data(std::move(texts), source);
  }

  [[nodiscard]] std::unique_ptr<TaskData> read_eval(const DataSource& source) const override {
    if (labels_.empty()) throw ArgumentError("training data must be read before other data");
    return make_data(read(source), source);
  }

  void configure(BertConfig& config) const override {
    config.id2label = labels_.names();
    config.problem_type = "";
    config.architectures = {internal::architecture_of(head(), internal::trained_family(config))};
  }

 private:
  [[nodiscard]] TaggedTexts read(const DataSource& source) const {
    if (!source.in_memory()) return read_conll(source.file(), conll_options());
    return tagged_texts(source.examples<TaggedExample>(), setup_.options.max_samples);
  }

  [[nodiscard]] ConllOptions conll_options() const {
    const auto number = [](const std::string& text, std::string_view option) {
      if (text.empty()) return std::int64_t{0};
      if (const auto value = whole_number(text); value && *value > 0) return *value;
      throw ArgumentError(fmt::format("the columns of sentences have numbers from 1: {} is {}",
                                      option, excerpt(text)));
    };
    const auto& options = setup_.options;
    return {.word_column = number(options.text_column, "the text column"),
            .tag_column = number(options.label_column, "the label column"),
            .max_sentences = options.max_samples};
  }

  /// The number of a tag; a model that knows only I- takes B- for it.
  [[nodiscard]] std::int32_t tag_id(const std::string& tag, const std::string& place) const {
    const auto& names = labels_.names();
    if (tag.starts_with("B-") && std::find(names.begin(), names.end(), tag) == names.end()) {
      const auto inside = "I" + tag.substr(1);
      const auto found = std::find(names.begin(), names.end(), inside);
      if (found != names.end()) return static_cast<std::int32_t>(found - names.begin());
    }
    return labels_.id(tag, place);
  }

  [[nodiscard]] std::unique_ptr<TaskData> make_data(TaggedTexts texts,
                                                    const DataSource& source) const {
    const auto& options = setup_.options;
    TokenWindows windows(
        *setup_.tokenizer,
        {.max_length = setup_.max_length(options.document_context ? context_length : 0),
         .stride = options.stride,
         .document_context = options.document_context});
    std::vector<std::int32_t> tags;
    std::int64_t document = 0;
    for (const auto& sentence : texts.sentences) {
      if (sentence.document != document) windows.end_document();
      document = sentence.document;
      const std::vector<std::string_view> words(sentence.words.begin(), sentence.words.end());
      windows.add_sentence(words);
      const auto place = source.in_memory() ? example_name(sentence.line)
                                            : fmt::format("the sentence on line {} of {}",
                                                          sentence.line, source.name());
      for (const auto& tag : sentence.tags) tags.push_back(tag_id(tag, place));
    }
    windows.finish();
    return std::make_unique<TokenClassificationData>(std::move(texts), std::move(windows), labels_,
                                                     std::move(tags));
  }

  TaskSetup setup_;
  LabelSet labels_;
};

}  // namespace

std::unique_ptr<Task> make_token_classification(TaskSetup setup) {
  return std::make_unique<TokenClassification>(std::move(setup));
}

}  // namespace cloze
