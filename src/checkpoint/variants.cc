#include "checkpoint/variants.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/json.h"

namespace cloze::internal {
namespace {

/// Why a relative of BERT is not computed, for those that people take for one.
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kRelatives{
    {{"roberta", "its vocabulary is byte-level BPE and its positions begin at 2"},
     {"xlm-roberta", "its vocabulary is SentencePiece and its positions begin at 2"},
     {"camembert", "its vocabulary is SentencePiece and its positions begin at 2"},
     {"albert", "its layers share their weights and its vocabulary is SentencePiece"},
     {"mpnet", "its attention adds relative positions"},
     {"deberta", "its attention takes content and position apart"},
     {"deberta-v2", "its attention takes content and position apart"},
     {"modernbert", "its positions are rotary and its layers others"},
     {"nomic_bert", "its positions are rotary and its layers others"},
     {"xlnet", "it permutes its text"},
     {"mobilebert", "its layers have bottlenecks"}}};

}  // namespace

std::string take_model_type(Fields& fields) {
  constexpr std::array kNeeded{"vocab_size", "hidden_size", "num_hidden_layers",
                               "num_attention_heads"};
  const auto type = fields.extract("model_type");
  if (type && !type->is_null()) {
    if (!type->is_string()) fields.wrong_type("model_type", "a string", *type);
    for (const auto* known : {"bert", "distilbert", "electra", "dpr"}) {
      if (*type == known) return known;
    }
    std::string why;
    for (const auto& [name, reason] : kRelatives) {
      if (*type == name) why = fmt::format(" ({})", reason);
    }
    throw ModelError(
        fmt::format("{}: this is a {} model{}, and Cloze computes BERT, DistilBERT, ELECTRA and "
                    "DPR's encoders (\"model_type\": \"bert\", \"distilbert\", \"electra\" or "
                    "\"dpr\"); choose a checkpoint of one of those",
                    fields.origin(), Fields::shown(*type), why));
  }
  // Google's bert_config.json does not name its type: its sizes must speak for it.
  for (const auto* name : kNeeded) {
    if (!fields.has(name)) {
      throw ModelError(fmt::format(
          "{}: neither \"model_type\" nor \"{}\" is there, so this does not describe a BERT",
          fields.origin(), name));
    }
  }
  return "bert";
}

void rename_distilbert_fields(nlohmann::json& object) {
  constexpr std::array<std::pair<const char*, const char*>, 8> kNames{
      {{"dim", "hidden_size"},
       {"n_layers", "num_hidden_layers"},
       {"n_heads", "num_attention_heads"},
       {"hidden_dim", "intermediate_size"},
       {"dropout", "hidden_dropout_prob"},
       {"attention_dropout", "attention_probs_dropout_prob"},
       {"activation", "hidden_act"},
       {"seq_classif_dropout", "classifier_dropout"}}};
  if (!object.contains("n_layers")) object["n_layers"] = 6;
  for (const auto& [theirs, ours] : kNames) {
    const auto found = object.find(theirs);
    if (found == object.end()) continue;
    object[ours] = *found;
    object.erase(theirs);
  }
}

void set_electra_sizes(BertConfig& config) {
  config.embedding_size = 128;
  config.hidden_size = 256;
  config.num_attention_heads = 4;
  config.intermediate_size = 1024;
}

void refuse_reader(const BertConfig& config, const std::string& origin) {
  for (const auto& name : config.architectures) {
    if (!name.ends_with("DPRReader")) continue;
    throw ModelError(fmt::format(
        "{}: this is a {}, which looks for answers in passages; Cloze computes DPR's "
        "encoders (DPRQuestionEncoder, DPRContextEncoder): for answers use a checkpoint "
        "of BertForQuestionAnswering (cloze answer)",
        origin, in_quotes(name)));
  }
}

void check_summary(const BertConfig& config, const std::string& origin) {
  const auto& names = config.architectures;
  const bool choice = std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return name.ends_with("ElectraForMultipleChoice");
  });
  if (!choice) return;
  const auto extra = parse_json_object(config.extra_json, "BertConfig::extra_json");
  const std::array<std::pair<const char*, nlohmann::json>, 4> wanted{
      {{"summary_type", "first"},
       {"summary_use_proj", true},
       {"summary_activation", "gelu"},
       {"summary_proj_to_labels", false}}};
  for (const auto& [name, value] : wanted) {
    const auto stated = extra.find(name);
    if (stated == extra.end() || *stated == value) continue;
    if (value == false && stated->is_null()) continue;
    throw ModelError(
        fmt::format("{}: \"{}\" is {}, and Cloze computes ELECTRA's multiple choice with {} only: "
                    "train the model with that",
                    origin, name, json_excerpt(*stated), value.dump()));
  }
}

void check_variant(const Fields& fields) {
  const auto refuse = [&fields](const char* name, const nlohmann::json& value, const char* why) {
    throw ModelError(
        fmt::format("{}: \"{}\" is {}: {}", fields.origin(), name, Fields::shown(value), why));
  };
  if (const auto value = fields.peek("position_embedding_type");
      !value.is_null() && value != "absolute") {
    refuse("position_embedding_type", value,
           "Cloze has BERT's absolute positions only; use a checkpoint with those");
  }
  const std::array<std::pair<const char*, const char*>, 3> switches{{
      {"is_decoder", "Cloze computes the encoder, which sees both directions, not the decoder"},
      {"add_cross_attention", "Cloze computes the encoder, which has no cross attention"},
      {"is_encoder_decoder", "Cloze computes the encoder alone"},
  }};
  for (const auto& [name, why] : switches) {
    const auto value = fields.peek(name);
    if (value.is_null()) continue;
    if (!value.is_boolean()) fields.wrong_type(name, "true or false", value);
    if (value == true) refuse(name, value, why);
  }
  if (const auto value = fields.peek("pruned_heads"); !value.is_null() && !value.empty()) {
    refuse("pruned_heads", value, "Cloze reads layers of equal heads; use the unpruned checkpoint");
  }
  if (const auto value = fields.peek("quantization_config"); !value.is_null()) {
    refuse("quantization_config", value,
           "Cloze reads weights as floats; use the checkpoint that was quantized");
  }
  if (const auto value = fields.peek("per_layer_config"); !value.is_null() && !value.empty()) {
    refuse("per_layer_config", value, "Cloze reads layers that are all alike");
  }
}

}  // namespace cloze::internal
