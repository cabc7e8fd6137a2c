#include "train/pretrain/pretrain_log.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <fmt/format.h>

#include "ops/transfer.h"
#include "train/optimizer/schedule.h"

namespace cloze {
namespace {

// A histogram of so many values, evenly spread, looks like that of all.
constexpr std::size_t kMostValues = std::size_t{1} << 16;

std::vector<float> sample_of(std::span<const float> values) {
  const std::size_t stride = (values.size() + kMostValues - 1) / kMostValues;
  std::vector<float> sample;
  for (std::size_t i = 0; i < values.size(); i += std::max<std::size_t>(stride, 1)) {
    sample.push_back(values[i]);
  }
  return sample;
}

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

HyperParameters hyper_parameters(const PretrainInputs& inputs, const PretrainSettings& settings) {
  const auto& config = inputs.model.config();
  const auto& data = inputs.phases.front().data;
  HyperParameters found{
      {"layers", static_cast<double>(config.num_hidden_layers)},
      {"hidden", static_cast<double>(config.hidden_size)},
      {"heads", static_cast<double>(config.num_attention_heads)},
      {"vocabulary", static_cast<double>(config.vocab_size)},
      {"dropout", config.hidden_dropout_prob},
      {"learning_rate", settings.learning_rate},
      {"warmup", warmup_share(settings, settings.steps)},
      {"schedule", std::string(name_of(settings.schedule))},
      {"optimizer", std::string(name_of(settings.optimizer.kind))},
      {"weight_decay", settings.optimizer.weight_decay},
      {"max_length", static_cast<double>(data.max_length)},
      {"batch_tokens",
       static_cast<double>(data.batch_sequences > 0 ? data.batch_sequences * data.max_length
                                                    : data.batch_tokens)},
      {"accumulation", static_cast<double>(settings.accumulation)},
      {"next_sentence", std::string(data.next_sentence ? "yes" : "no")},
      {"whole_words", std::string(data.whole_words ? "yes" : "no")},
      {"seed", static_cast<double>(settings.seed)}};
  if (settings.steps > 0) found["steps"] = static_cast<double>(settings.steps);
  if (settings.max_seconds > 0) found["max_seconds"] = settings.max_seconds;
  return found;
}

/// A token as markdown shows it in a table.
std::string shown(std::string_view token) {
  std::string text = "`";
  for (const char c : token) text += c == '`' ? '\'' : c == '|' ? '/' : c;
  return text + "`";
}

}  // namespace

std::string histogram_tag(const std::string& kind, const std::string& parameter) {
  const std::string prefix = "bert.";
  return kind + "/" + (parameter.starts_with(prefix) ? parameter.substr(prefix.size()) : parameter);
}

PretrainLog::PretrainLog(const std::filesystem::path& directory, const PretrainInputs& inputs,
                         const PretrainSettings& settings)
    : writer_(directory) {
  writer_.hyper_parameters(hyper_parameters(inputs, settings),
                           {"evaluation/masked_lm_loss", "evaluation/masked_lm_accuracy"});
}

void PretrainLog::step(const PretrainStep& step) {
  writer_.scalar("train/masked_lm_loss", step.metrics.masked_lm_loss, step.step);
  writer_.scalar("train/masked_lm_accuracy",
                 share(step.metrics.masked_correct, step.metrics.masked), step.step);
  if (step.metrics.sequences > 0) {
    writer_.scalar("train/next_sentence_loss", step.metrics.next_sentence_loss, step.step);
    writer_.scalar("train/next_sentence_accuracy",
                   share(step.metrics.next_sentence_correct, step.metrics.sequences), step.step);
  }
  writer_.scalar("train/loss", step.metrics.loss(), step.step);
  writer_.scalar("train/learning_rate", step.learning_rate, step.step);
  writer_.scalar("train/gradient_norm", step.gradient_norm, step.step);
  writer_.scalar("speed/tokens_per_s", step.tokens_per_s, step.step);
  writer_.scalar("speed/share_of_gemm", step.gemm_share, step.step);
  writer_.scalar("speed/waited_for_data", step.waited_share, step.step);
  writer_.scalar("train/tokens", static_cast<double>(step.tokens), step.step);
}

void PretrainLog::evaluation(const PretrainEvaluation& evaluation) {
  const auto& loss = evaluation.metrics;
  writer_.scalar("evaluation/masked_lm_loss", loss.masked_lm_loss, evaluation.step);
  writer_.scalar("evaluation/perplexity", loss.perplexity(), evaluation.step);
  writer_.scalar("evaluation/masked_lm_accuracy", share(loss.masked_correct, loss.masked),
                 evaluation.step);
  if (loss.sequences > 0) {
    writer_.scalar("evaluation/next_sentence_loss", loss.next_sentence_loss, evaluation.step);
    writer_.scalar("evaluation/next_sentence_accuracy",
                   share(loss.next_sentence_correct, loss.sequences), evaluation.step);
  }
}

void PretrainLog::histograms(internal::Parameters& parameters, bool gradients, std::int64_t step) {
  for (const auto& parameter : parameters.all()) {
    const std::string kind = gradients ? "gradients" : "parameters";
    const auto values = ops::to_host(
        parameters.device(), gradients ? parameter.gradient : parameter.value, parameter.shape);
    writer_.histogram(histogram_tag(kind, parameter.name), sample_of(values.values<float>()), step);
  }
}

void PretrainLog::fill_masks(internal::PretrainingModel& model, const Tokenizer& tokenizer,
                             const internal::PretrainingBatch& batch, std::int64_t step) {
  constexpr std::size_t kSamples = 8, kShown = 3;
  constexpr std::int32_t kAround = 8;  // tokens of context on each side
  if (batch.masked() == 0) return;
  std::vector<std::int32_t> positions, labels;
  const std::size_t stride = std::max<std::size_t>(1, batch.masked_positions.size() / kSamples);
  for (std::size_t i = 0; i < batch.masked_positions.size() && positions.size() < kSamples;
       i += stride) {
    positions.push_back(batch.masked_positions[i]);
    labels.push_back(batch.masked_labels[i]);
  }
  const auto logits = model.predict(batch.inputs, positions);
  const auto vocabulary = static_cast<std::size_t>(logits.dim(1));
  std::string table = "| context | was | expected |\n|---|---|---|\n";
  for (std::size_t row = 0; row < positions.size(); ++row) {
    const auto scores = logits.values<float>().subspan(row * vocabulary, vocabulary);
    std::vector<std::size_t> order(vocabulary);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::partial_sort(order.begin(), order.begin() + kShown, order.end(),
                      [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
    double sum = 0;
    for (const float score : scores) sum += std::exp(static_cast<double>(score - scores[order[0]]));
    std::string context, expected;
    const auto& ends = batch.inputs.cu_seqlens;
    const auto sequence = std::upper_bound(ends.begin(), ends.end(), positions[row]) - 1;
    const std::int32_t first = std::max(*sequence, positions[row] - kAround);
    const std::int32_t last = std::min(*(sequence + 1), positions[row] + kAround + 1);
    for (std::int32_t at = first; at < last; ++at) {
      const auto id = batch.inputs.input_ids[static_cast<std::size_t>(at)];
      const auto token = shown(tokenizer.id_to_token(id));
      context += at == positions[row] ? " **" + token + "**" : " " + token;
    }
    for (std::size_t i = 0; i < kShown; ++i) {
      const double p = std::exp(static_cast<double>(scores[order[i]] - scores[order[0]])) / sum;
      expected +=
          fmt::format(" {} {:.0f} %",
                      shown(tokenizer.id_to_token(static_cast<std::int32_t>(order[i]))), 100 * p);
    }
    table += fmt::format("| {} | {} | {} |\n", context, shown(tokenizer.id_to_token(labels[row])),
                         expected);
  }
  writer_.text("fill-mask", table, step);
}

}  // namespace cloze
