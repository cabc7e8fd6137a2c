#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "bert/head_table.h"
#include "cloze/error.h"
#include "core/strings.h"
#include "tasks/task.h"
#include "tasks/task_setup.h"

namespace cloze {
namespace {

namespace heads = internal::heads;

/// Which of the optional TaskOptions a task uses.
struct UsedOptions {
  bool columns = false, multi_label = false, stride = false, version_2 = false;
};

struct Entry {
  TaskInfo info;
  std::unique_ptr<Task> (*make)(TaskSetup setup) = nullptr;
  UsedOptions used;
};

constexpr std::array entries{
    Entry{{"text-classification", "a label for a text or a pair of texts, or several labels",
           heads::sequence_classification.pipeline},
          make_text_classification,
          UsedOptions{true, true, false, false}},
    Entry{{"regression", "a value for a text or a pair of texts",
           heads::sequence_classification.pipeline},
          make_regression,
          UsedOptions{true, false, false, false}},
    Entry{{"ranking", "which candidates suit a query: responses, passages", "text-ranking"},
          make_ranking,
          UsedOptions{true, false, false, false}},
    Entry{{"token-classification", "a label for every word: entities, parts of speech",
           heads::token_classification.pipeline},
          make_token_classification,
          UsedOptions{true, false, true, false}},
    Entry{{"question-answering", "where in a text a question is answered, if it is",
           heads::question_answering.pipeline},
          make_question_answering,
          UsedOptions{false, false, true, true}},
    Entry{{"multiple-choice", "which of several continuations is right",
           heads::multiple_choice.pipeline},
          make_multiple_choice,
          UsedOptions{true, false, false, false}},
    Entry{{"sentence-embedding", "vectors of texts that are alike where the texts are",
           heads::sentence_embedding.pipeline},
          make_sentence_embedding,
          UsedOptions{true, false, false, false}},
};

constexpr auto infos = [] {
  std::array<TaskInfo, entries.size()> result{};
  for (std::size_t i = 0; i < entries.size(); ++i) result[i] = entries[i].info;
  return result;
}();

void refuse_ignored(const Entry& entry, const TaskOptions& options) {
  const TaskOptions plain;
  const auto refuse = [&](bool set, std::string_view what) {
    if (!set) return;
    throw ArgumentError(fmt::format("the task {} knows no {}", entry.info.name, what));
  };
  if (!entry.used.columns) {
    refuse(!options.text_column.empty(), "text column");
    refuse(!options.pair_column.empty(), "pair column");
    refuse(!options.label_column.empty(), "label column");
  }
  if (!entry.used.multi_label) refuse(options.multi_label, "several labels (multi-label)");
  if (!entry.used.stride) refuse(options.stride != plain.stride, "stride");
  if (!entry.used.version_2) {
    refuse(options.version_2, "questions without answer (version 2)");
    refuse(options.answer_metrics != plain.answer_metrics, "metrics of answers");
  }
}

}  // namespace

std::span<const TaskInfo> tasks() { return infos; }

std::unique_ptr<Task> make_task(std::string_view name, const Tokenizer& tokenizer,
                                const BertConfig& config, const TaskOptions& options, bool trained,
                                const std::string& prompt) {
  const auto* entry = std::find_if(entries.begin(), entries.end(),
                                   [&](const Entry& each) { return each.info.name == name; });
  if (entry == entries.end()) {
    std::string known;
    for (const auto& each : entries)
      known += fmt::format("{}{}", known.empty() ? "" : ", ", each.info.name);
    throw ArgumentError(fmt::format("there is no task {}: there are {}", excerpt(name), known));
  }
  refuse_ignored(*entry, options);
  return entry->make(TaskSetup{&tokenizer, config, options, trained, prompt});
}

double TaskReport::metric(std::string_view name) const {
  for (const auto& [known, value] : metrics) {
    if (known == name) return value;
  }
  throw ArgumentError(fmt::format("the task has no metric {}", excerpt(name)));
}

std::int64_t TaskSetup::model_limit() const {
  return std::min(config.max_position_embeddings,
                  tokenizer->model_max_length().value_or(config.max_position_embeddings));
}

std::int64_t TaskSetup::max_length(std::int64_t usual) const {
  constexpr std::int64_t least = 8;  // special tokens, and some of each text
  const auto most = config.max_position_embeddings;
  if (options.max_length > most || (options.max_length != 0 && options.max_length < least)) {
    throw ArgumentError(fmt::format("a length of {} tokens cannot be: this model reads {} to {}",
                                    options.max_length, least, most));
  }
  if (options.max_length != 0) return options.max_length;
  return usual == 0 ? model_limit() : std::min(usual, model_limit());
}

void require_logits(std::span<const Tensor> logits, const TaskData& data) {
  if (logits.size() == data.size()) return;
  throw ArgumentError(
      fmt::format("there are logits of {} units, and {} units", logits.size(), data.size()));
}

}  // namespace cloze
