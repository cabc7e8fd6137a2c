#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "bert/training/input_gradients.h"
#include "cloze/error.h"
#include "cloze/hub.h"
#include "cloze/inspect.h"
#include "cloze/model_info.h"
#include "cloze/sentence_settings.h"
#include "core/progress_counter.h"
#include "core/strings.h"
#include "datasets/batching.h"
#include "inspect/attribution.h"
#include "inspect/explanation.h"
#include "inspect/inspected_text.h"
#include "inspect/token_predictions.h"

namespace cloze {
namespace {

using internal::CheckpointWeights;
using internal::InputGradients;

/// Larger batches of masked copies take more memory and are no faster.
constexpr std::int64_t kMostMaskTokens = 4096;

std::string baseline_token(const Tokenizer& tokenizer, const InspectionOptions& options) {
  if (!options.baseline.empty()) {
    if (tokenizer.token_to_id(options.baseline)) return options.baseline;
    throw ArgumentError(fmt::format("the baseline {} is not a token of the vocabulary",
                                    in_quotes(options.baseline)));
  }
  try {
    return std::string(tokenizer.id_to_token(tokenizer.pad_token_id()));
  } catch (const ModelError&) {  // NOLINT(bugprone-empty-catch): the mask serves as well
  }
  if (const auto mask = tokenizer.mask_token_id()) return std::string(tokenizer.id_to_token(*mask));
  throw ModelError(
      "the vocabulary has neither a padding token nor a mask token: name another baseline token");
}

/// The text with every token of its own replaced; special tokens and masks stay.
std::vector<std::int32_t> baseline_ids(const Tokenizer& tokenizer, const InspectedText& text,
                                       const std::string& token) {
  auto ids = text.batch.input_ids;
  const auto id = *tokenizer.token_to_id(token);
  for (const auto position : own_positions(text, tokenizer)) {
    ids[static_cast<std::size_t>(position)] = id;
  }
  return ids;
}

void add_words(Inspection& inspection, const Tokenizer& tokenizer, const Tensor& ids) {
  for (const auto id : ids.values<std::int32_t>()) {
    inspection.vocabulary.try_emplace(id, tokenizer.id_to_token(id));
  }
}

/// Hidden states of every layer if they are needed; attention where it is wanted.
std::vector<Tensor> look_at_encoder(Inspection& inspection, const std::filesystem::path& directory,
                                    const InspectionOptions& options, bool states,
                                    const ProgressCallback& progress) {
  if (options.attention == Wanted::no && !states) return {};
  ProgressCounter counter(progress, "encoding", 1, "layers");
  counter.advance(0);
  const auto model = BertModel::from_pretrained(directory, options.load);
  auto output =
      model(inspection.text.batch,
            {.output_hidden_states = states, .output_attentions = options.attention != Wanted::no});
  const auto tokens = inspection.text.tokens();
  for (const auto& layer : output.attentions) {
    inspection.attentions.push_back(
        layer.reshaped({model.config().num_attention_heads, tokens, tokens}));
  }
  counter.advance();
  return std::move(output.hidden_states);
}

void look_at_predictions(Inspection& inspection, const ModelInfo& info, const Tokenizer& tokenizer,
                         const InspectionOptions& options, bool layers, bool masks,
                         const ProgressCallback& progress) {
  const auto states = look_at_encoder(inspection, info.directory, options, layers, progress);
  if (!layers && !masks) return;
  const auto model = BertForMaskedLM::from_pretrained(info.directory, options.load);
  TokenPredictionOptions predict{.words = tokenizer.vocab_size(),
                                 .top = options.top,
                                 .batch_tokens = std::min(options.batch_tokens, kMostMaskTokens)};
  predict.top = std::min(predict.top, predict.words);
  if (layers) {
    inspection.layers = predict_by_layer(model, states, predict, progress);
    add_words(inspection, tokenizer, inspection.layers->ids);
  }
  if (masks) {
    const auto mask = tokenizer.mask_token_id();
    if (!mask) throw ModelError("the vocabulary has no mask token, so nothing can be masked");
    inspection.masks =
        predict_masked(model, inspection.text.batch, own_positions(inspection.text, tokenizer),
                       *mask, predict, progress);
    add_words(inspection, tokenizer, inspection.masks->ids);
  }
}

void look_at_answer(Inspection& inspection, const ModelInfo& info, const Tokenizer& tokenizer,
                    const InspectionOptions& options, const ProgressCallback& progress) {
  if (options.attribution == Wanted::no) return;
  std::string reason;
  inspection.explanation =
      explanation(info, tokenizer, inspection.text, options.explanation, options.load, reason);
  if (!inspection.explanation) {
    if (options.attribution == Wanted::yes) throw ModelError(reason);
    inspection.notes["attribution"] = reason;
    return;
  }
  inspection.baseline = baseline_token(tokenizer, options);
  CheckpointWeights weights(Checkpoint::open(info.directory));
  InputGradients model(inspection.config, weights, head_of(inspection.explanation->kind));
  auto attributions = options.attributions;
  attributions.batch_tokens = std::min(attributions.batch_tokens, options.batch_tokens);
  std::vector<internal::ScoredLogit> logits;
  for (const auto& logit : inspection.explanation->logits) {
    logits.push_back({.token = logit.token, .output = logit.output});
  }
  inspection.attribution = attribute(model, inspection.text.batch,
                                     baseline_ids(tokenizer, inspection.text, inspection.baseline),
                                     logits, attributions, progress);
}

std::string name_of_directory(const std::filesystem::path& directory) {
  std::error_code error;  // there is no current directory: the name as it was given
  const auto absolute = std::filesystem::absolute(directory, error);
  return (error ? directory : absolute).lexically_normal().filename().string();
}

}  // namespace

Inspection inspect(const std::string& directory_or_name, std::string_view text,
                   std::optional<std::string_view> pair, const InspectionOptions& options,
                   const ProgressCallback& progress) {
  const auto directory = transformer_directory(find_model(directory_or_name, progress));
  const auto info = model_info(directory);
  const auto tokenizer = Tokenizer::from_pretrained(directory);
  require_same_vocabulary(tokenizer, info.config);
  const auto reads = info.config.max_position_embeddings;
  const auto limit = options.max_length > 0 ? std::min(options.max_length, reads) : reads;
  Inspection inspection{
      .model = name_of_directory(directory),
      .config = info.config,
      .text = inspected_text(tokenizer, std::string(text), std::optional<std::string>(pair), limit,
                             options.truncate)};
  if (inspection.text.pair && info.config.type_vocab_size < 2) {
    throw ModelError(
        fmt::format("{} reads no pairs: it has a single token type", inspection.model));
  }
  const bool masked_lm = std::any_of(
      info.heads.begin(), info.heads.end(),
      [](const HeadInfo& head) { return head.pipeline == internal::heads::masked_lm.pipeline; });
  const auto wants = [&](Wanted wanted, const char* part) {
    if (wanted == Wanted::if_possible && !masked_lm) {
      inspection.notes[part] = "this checkpoint has no masked language model head";
    }
    return wanted == Wanted::yes || (wanted == Wanted::if_possible && masked_lm);
  };
  const bool layers = wants(options.layers, "layers");
  bool masks = wants(options.masks, "masks");
  if (masks && options.masks == Wanted::if_possible &&
      inspection.text.tokens() > options.most_masks) {
    masks = false;
    inspection.notes["masks"] = fmt::format(
        "left out for a text of {} tokens, which would take as many passes: ask for "
        "masks to have them",
        inspection.text.tokens());
  }
  // The answer first: what is wrong with a target is told before anything long begins, and each
  // model is gone before the next is loaded.
  look_at_answer(inspection, info, tokenizer, options, progress);
  look_at_predictions(inspection, info, tokenizer, options, layers, masks, progress);
  return inspection;
}

std::vector<WordAttribution> word_attributions(const Inspection& inspection) {
  std::vector<WordAttribution> words;
  if (!inspection.attribution) return words;
  const auto values = inspection.attribution->integrated_gradients.values<float>();
  for (const auto& word : inspection.text.words) {
    if (word.sequence < 0) continue;
    double sum = 0;
    for (auto i = word.begin; i < word.end; ++i) {
      sum += static_cast<double>(values[static_cast<std::size_t>(i)]);
    }
    words.push_back({word, sum});
  }
  std::stable_sort(words.begin(), words.end(),
                   [](const WordAttribution& a, const WordAttribution& b) {
                     return std::abs(a.value) > std::abs(b.value);
                   });
  return words;
}

TensorMap tensors_of(const Inspection& inspection) {
  TensorMap tensors;
  const auto& batch = inspection.text.batch;
  const auto flat = [](std::span<const std::int32_t> values) {
    return Tensor::from<std::int32_t>({static_cast<std::int64_t>(values.size())}, values);
  };
  tensors.emplace("input_ids", flat(batch.input_ids));
  tensors.emplace("token_type_ids", flat(batch.token_type_ids));
  for (std::size_t layer = 0; layer < inspection.attentions.size(); ++layer) {
    tensors.emplace(fmt::format("attentions.{}", layer), inspection.attentions[layer]);
  }
  if (inspection.attribution) {
    tensors.emplace("integrated_gradients", inspection.attribution->integrated_gradients);
    tensors.emplace("gradient_x_input", inspection.attribution->gradient_x_input);
  }
  if (inspection.layers) {
    tensors.emplace("layers.ids", inspection.layers->ids);
    tensors.emplace("layers.probabilities", inspection.layers->probabilities);
  }
  if (inspection.masks) {
    tensors.emplace("masks.positions", flat(inspection.masks->positions));
    tensors.emplace("masks.surprise", inspection.masks->surprise);
    tensors.emplace("masks.ids", inspection.masks->ids);
    tensors.emplace("masks.probabilities", inspection.masks->probabilities);
  }
  return tensors;
}

}  // namespace cloze
