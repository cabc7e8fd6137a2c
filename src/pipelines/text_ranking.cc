#include "cloze/text_ranking.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "cloze/hub.h"
#include "cloze/sentence_settings.h"
#include "pipelines/batches.h"
#include "pipelines/prompted.h"
#include "pipelines/scores.h"
#include "pipelines/token_limit.h"
#include "pipelines/warnings.h"
#include "sentence/lower_case.h"
#include "sentence/ranking_settings.h"
#include "tasks/task_predictor.h"

namespace cloze {

struct CrossEncoder::Settings {
  ScoreActivation activation = ScoreActivation::sigmoid;
  std::int64_t max_length = 0;
  Prompts prompts{};
};

namespace {

void require_one_score(const BertConfig& config, std::string_view model) {
  if (config.num_labels() <= 2) return;
  throw WrongPipeline(
      fmt::format("{} has {} labels, and ranking needs one output, or two (no, yes): use "
                  "TextClassificationPipeline",
                  model, config.num_labels()),
      "text-classification");
}

/// What becomes of a logit where the directory says nothing. Of two outputs the logit is a
/// difference, whose sigmoid is the softmax of both.
ScoreActivation default_activation(const BertConfig& config) {
  return config.num_labels() == 1 && score_kind(config) == ScoreKind::value
             ? ScoreActivation::identity
             : ScoreActivation::sigmoid;
}

}  // namespace

CrossEncoder::CrossEncoder(BertForSequenceClassification model, Tokenizer tokenizer,
                           std::int64_t batch_tokens, std::shared_ptr<const Settings> settings)
    : Pipeline(std::move(model), std::move(tokenizer), batch_tokens),
      settings_(std::move(settings)) {}

CrossEncoder::CrossEncoder(BertForSequenceClassification model, Tokenizer tokenizer,
                           std::int64_t batch_tokens)
    : Pipeline(std::move(model), std::move(tokenizer), batch_tokens) {
  require_one_score(config(), "the model");
  settings_ = std::make_shared<const Settings>(
      Settings{.activation = default_activation(config()),
               .max_length = internal::token_limit(this->tokenizer(), config())});
}

CrossEncoder CrossEncoder::from_pretrained(const std::filesystem::path& directory_or_name,
                                           const PipelineOptions& options) {
  const auto root = find_model(directory_or_name.string(), options.progress);
  const auto directory = transformer_directory(root);
  const auto config = BertConfig::from_pretrained(directory);
  require_made_for(config, directory, internal::heads::sequence_classification);
  require_one_score(config, directory_or_name.string());
  auto stated = ranking_settings(root, config);
  auto tokenizer = Tokenizer::from_pretrained(directory);
  const auto reads = config.max_position_embeddings;
  Settings settings{.activation = config.num_labels() == 1 && stated.activation
                                      ? *stated.activation
                                      : default_activation(config),
                    .max_length = stated.max_seq_length ? std::min(*stated.max_seq_length, reads)
                                                        : internal::token_limit(tokenizer, config),
                    .prompts = std::move(stated.prompts)};
  if (stated.do_lower_case) tokenizer = lower_cased(tokenizer);
  CrossEncoder encoder(BertForSequenceClassification::from_pretrained(directory, options.load),
                       std::move(tokenizer), options.batch_tokens,
                       std::make_shared<const Settings>(std::move(settings)));
  encoder.warn(stated.warnings);
  encoder.warn(internal::model_warnings(encoder.config(), encoder.tokenizer(), directory));
  return encoder;
}

std::vector<double> CrossEncoder::logits(const Texts& pairs, const CrossEncoderOptions& options,
                                         const ProgressCallback& progress) const {
  internal::require_pairs(pairs, true, options.limits.name);
  auto limits = options.limits;
  if (limits.max_length == 0) limits.max_length = max_length();
  const auto reads = config().max_position_embeddings;
  const auto prompt = prompts().resolve(options.prompt, options.prompt_name);
  std::vector<TokenizedText> sequences;
  if (prompt.empty()) {
    sequences = internal::tokenize(tokenizer(), pairs, limits, reads);
  } else {
    static_cast<void>(internal::prompt_tokens(tokenizer(), prompt,
                                              internal::length_limit(limits.max_length, reads)));
    const internal::PromptedTexts prompted(pairs, prompt);
    sequences = internal::tokenize(tokenizer(), prompted.view(), limits, reads);
  }
  const auto rows =
      internal::sequence_rows(sequences, {"ranking", "pairs", batch_tokens(), progress}, model());
  std::vector<double> logits;
  logits.reserve(rows.size());
  for (const auto& row : rows) {
    const auto values = row.values<float>();
    logits.push_back(values.size() == 1 ? double{values[0]} : double{values[1]} - values[0]);
  }
  return logits;
}

double CrossEncoder::score(double logit, ScoreFunction function_to_apply) const {
  switch (function_to_apply) {
    case ScoreFunction::none:
      return logit;
    case ScoreFunction::sigmoid:
      return activate(logit, ScoreActivation::sigmoid);
    case ScoreFunction::softmax:
      return config().num_labels() == 1 ? 1.0 : activate(logit, ScoreActivation::sigmoid);
    case ScoreFunction::automatic:
      break;
  }
  return activate(logit, settings_->activation);
}

std::vector<double> CrossEncoder::predict(const Texts& pairs, const CrossEncoderOptions& options,
                                          const ProgressCallback& progress) const {
  auto scores = logits(pairs, options, progress);
  for (auto& each : scores) each = score(each, options.function_to_apply);
  return scores;
}

std::vector<RankedDocument> CrossEncoder::rank(std::string_view query, const Texts& documents,
                                               const RankOptions& options,
                                               const ProgressCallback& progress) const {
  const auto count = internal::checked_top_k(options.top_k);
  internal::require_pairs(documents, false, options.limits.name);
  std::vector<TextPair> pairs;
  pairs.reserve(documents.size());
  for (std::size_t i = 0; i < documents.size(); ++i) pairs.push_back({query, documents[i].first});
  const auto found = logits(
      pairs,
      {.limits = options.limits, .prompt = options.prompt, .prompt_name = options.prompt_name},
      progress);
  std::vector<RankedDocument> ranked;
  for (const auto& [index, logit] : best_labels(found, count)) {
    ranked.push_back({index, score(logit, options.function_to_apply), logit});
  }
  return ranked;
}

std::string_view CrossEncoder::activation() const { return name_of(settings_->activation); }

std::int64_t CrossEncoder::max_length() const { return settings_->max_length; }

const Prompts& CrossEncoder::prompts() const { return settings_->prompts; }

}  // namespace cloze
