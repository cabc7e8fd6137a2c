#include "inspect/inspection.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "bert/training/input_gradients.h"
#include "cloze/error.h"
#include "datasets/batching.h"
#include "inspect/model_info.h"

namespace cloze {
namespace {

using internal::CheckpointWeights;
using internal::InputGradients;

std::function<void(std::int64_t, std::int64_t)> progress_of(const InspectionOptions& options,
                                                            std::string_view what) {
  if (!options.on_progress) return {};
  return [&options, what](std::int64_t done, std::int64_t total) {
    options.on_progress(what, done, total);
  };
}

std::string baseline_token(const Tokenizer& tokenizer, const InspectionOptions& options) {
  if (!options.baseline.empty()) {
    if (tokenizer.token_to_id(options.baseline)) return options.baseline;
    throw ArgumentError(
        fmt::format("the baseline \"{}\" is not a token of the vocabulary", options.baseline));
  }
  for (const char* token : {"[PAD]", "[MASK]"}) {
    if (tokenizer.token_to_id(token)) return token;
  }
  throw ModelError("the vocabulary has neither [PAD] nor [MASK]: name another baseline token");
}

/// The text with every token of its own replaced; special tokens and masks stay.
std::vector<std::int32_t> baseline_ids(const Tokenizer& tokenizer, const InspectedText& text,
                                       const std::string& token) {
  auto ids = text.batch.input_ids;
  const auto id = *tokenizer.token_to_id(token);
  for (const auto position : text.own_positions(tokenizer)) {
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
                                    const InspectionOptions& options, bool states) {
  if (options.attention == Wanted::no && !states) return {};
  const auto progress = progress_of(options, "encoding");
  if (progress) progress(0, 1);
  const auto model = BertModel::from_pretrained(directory, options.load);
  auto output =
      model(inspection.text.batch,
            {.output_hidden_states = states, .output_attentions = options.attention != Wanted::no});
  const auto tokens = inspection.text.tokens();
  for (const auto& layer : output.attentions) {
    inspection.attentions.push_back(
        layer.reshaped({model.config().num_attention_heads, tokens, tokens}));
  }
  if (progress) progress(1, 1);
  return std::move(output.hidden_states);
}

void look_at_predictions(Inspection& inspection, const ModelInfo& info, const Tokenizer& tokenizer,
                         const InspectionOptions& options, bool layers, bool masks) {
  const auto states = look_at_encoder(inspection, info.directory, options, layers);
  if (!layers && !masks) return;
  const auto model = BertForMaskedLM::from_pretrained(info.directory, options.load);
  TokenPredictionOptions predict{
      .words = tokenizer.vocab_size(), .top = options.top, .batch_tokens = options.batch_tokens};
  predict.top = std::min(predict.top, predict.words);
  if (layers) {
    predict.on_progress = progress_of(options, "layers");
    inspection.layers = predict_by_layer(model, states, predict);
    add_words(inspection, tokenizer, inspection.layers->ids);
  }
  if (masks) {
    const auto mask = tokenizer.mask_token_id();
    if (!mask) throw ModelError("the vocabulary has no [MASK] token, so nothing can be masked");
    predict.on_progress = progress_of(options, "masks");
    inspection.masks = predict_masked(model, inspection.text.batch,
                                      inspection.text.own_positions(tokenizer), *mask, predict);
    add_words(inspection, tokenizer, inspection.masks->ids);
  }
}

void look_at_answer(Inspection& inspection, const ModelInfo& info, const Tokenizer& tokenizer,
                    const InspectionOptions& options) {
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
  InputGradients model(inspection.config, weights, *inspection.explanation->head);
  auto attributions = options.attributions;
  attributions.on_progress = progress_of(options, "attributing");
  inspection.attribution = attribute(model, inspection.text.batch,
                                     baseline_ids(tokenizer, inspection.text, inspection.baseline),
                                     inspection.explanation->logits, attributions);
}

std::string name_of_directory(const std::filesystem::path& directory) {
  std::error_code error;  // there is no current directory: the name as it was given
  const auto absolute = std::filesystem::absolute(directory, error);
  return (error ? directory : absolute).lexically_normal().filename().string();
}

}  // namespace

Inspection inspect(const std::filesystem::path& directory, std::string text,
                   std::optional<std::string> pair, const InspectionOptions& options) {
  const auto info = model_info(directory);
  const auto tokenizer = Tokenizer::from_pretrained(directory);
  require_same_vocabulary(tokenizer, info.config);
  auto length = options.length;
  length.tokens = std::min(length.tokens, info.config.max_position_embeddings);
  Inspection inspection{
      .model = name_of_directory(directory),
      .config = info.config,
      .text = inspected_text(tokenizer, std::move(text), std::move(pair), length)};
  if (inspection.text.pair && info.config.type_vocab_size < 2) {
    throw ModelError(
        fmt::format("{} reads no pairs: it has a single token type", inspection.model));
  }
  const bool masked_lm =
      std::any_of(info.heads.begin(), info.heads.end(), [](const HeadInfo& head) {
        return head.architecture.ends_with(internal::architecture_of(internal::heads::masked_lm));
      });
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
        "left out for a text of {} tokens, which would take as many passes: ask for it with "
        "--show masks",
        inspection.text.tokens());
  }
  // The answer first: what is wrong with a target is told before anything long begins, and each
  // model is gone before the next is loaded.
  look_at_answer(inspection, info, tokenizer, options);
  look_at_predictions(inspection, info, tokenizer, options, layers, masks);
  return inspection;
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
