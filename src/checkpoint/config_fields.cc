#include "checkpoint/config_fields.h"

#include <array>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/io/known_fields.h"
#include "core/json.h"

namespace cloze::internal {
namespace {

using enum KnownField::Effect;

constexpr std::string_view kPositions = "Cloze has BERT's absolute positions only";
constexpr std::string_view kLayers = "Cloze has BERT's own layers only";

// clang-format off
constexpr std::array kFields{
    // Read, or refused where the config is read.
    KnownField{"model_type"}, KnownField{"vocab_size"}, KnownField{"hidden_size"},
    KnownField{"num_hidden_layers"}, KnownField{"num_attention_heads"},
    KnownField{"intermediate_size"}, KnownField{"hidden_act"}, KnownField{"hidden_dropout_prob"},
    KnownField{"attention_probs_dropout_prob"}, KnownField{"max_position_embeddings"},
    KnownField{"type_vocab_size"}, KnownField{"initializer_range"}, KnownField{"layer_norm_eps"},
    KnownField{"pad_token_id"}, KnownField{"tie_word_embeddings"},
    KnownField{"classifier_dropout"}, KnownField{"problem_type"}, KnownField{"architectures"},
    KnownField{"id2label"}, KnownField{"label2id"}, KnownField{"num_labels"},
    KnownField{"position_embedding_type"}, KnownField{"is_decoder"},
    KnownField{"add_cross_attention"}, KnownField{"is_encoder_decoder"},
    KnownField{"pruned_heads"}, KnownField{"quantization_config"}, KnownField{"per_layer_config"},
    KnownField{"auto_map"},
    // Read by the tokenizer and by the ranking of texts.
    KnownField{"tokenizer_class"}, KnownField{"word_tokenizer_type"},
    KnownField{"subword_tokenizer_type"}, KnownField{"sentence_transformers"},
    KnownField{"sbert_ce_default_activation_function"},
    // Another model under BERT's name.
    KnownField{"alibi_starting_size", refused, "null", kPositions},
    KnownField{"rotary_emb_fraction", refused, "null|0|0.0", kPositions},
    KnownField{"rotary_emb_base", refused, "null", kPositions},
    KnownField{"rotary_value", refused, "null|false", kPositions},
    KnownField{"rope_theta", refused, "null", kPositions},
    KnownField{"rope_scaling", refused, "null", kPositions},
    KnownField{"rope_parameters", refused, "null", kPositions},
    KnownField{"relative_attention", refused, "null|false", kPositions},
    KnownField{"feed_forward_type", refused, R"(null|"original")", kLayers},
    KnownField{"prenorm", refused, "null|false", kLayers},
    KnownField{"use_bottleneck", refused, "null|false", kLayers},
    KnownField{"num_hidden_groups", refused, "null", kLayers},
    KnownField{"num_key_value_heads", refused, "null", kLayers},
    KnownField{"layer_types", refused, "null", kLayers},
    KnownField{"attention_window", refused, "null", "Cloze's attention sees the whole text"},
    KnownField{"sliding_window", refused, "null", "Cloze's attention sees the whole text"},
    KnownField{"is_causal", refused, "null|false", "Cloze's attention sees both directions"},
    KnownField{"embedding_size", refused, "null",
               "embeddings of another width than the hidden states belong to ELECTRA "
               "(\"model_type\": \"electra\")"},
    // Training, generation, and what is said for people.
    KnownField{"_name_or_path", harmless}, KnownField{"name_or_path", harmless},
    KnownField{"_num_labels", harmless}, KnownField{"_commit_hash", harmless},
    KnownField{"transformers_version", harmless}, KnownField{"torch_dtype", harmless},
    KnownField{"dtype", harmless}, KnownField{"finetuning_task", harmless},
    KnownField{"torchscript", harmless}, KnownField{"use_bfloat16", harmless},
    KnownField{"xla_device", harmless}, KnownField{"gradient_checkpointing", harmless},
    KnownField{"use_cache", harmless}, KnownField{"output_attentions", harmless},
    KnownField{"output_hidden_states", harmless}, KnownField{"output_past", harmless},
    KnownField{"return_dict", harmless}, KnownField{"bos_token_id", harmless},
    KnownField{"eos_token_id", harmless}, KnownField{"eos_token_ids", harmless},
    KnownField{"sep_token_id", harmless}, KnownField{"cls_token_id", harmless},
    KnownField{"mask_token_id", harmless}, KnownField{"decoder_start_token_id", harmless},
    KnownField{"chunk_size_feed_forward", harmless}, KnownField{"tie_encoder_decoder", harmless},
    KnownField{"cross_attention_hidden_size", harmless}, KnownField{"prefix", harmless},
    KnownField{"task_specific_params", harmless}, KnownField{"tf_legacy_loss", harmless},
    KnownField{"_attn_implementation", harmless}, KnownField{"attn_implementation", harmless},
    KnownField{"_attn_implementation_autoset", harmless},
    KnownField{"_experts_implementation", harmless}, KnownField{"experts_implementation", harmless},
    KnownField{"_output_attentions", harmless}, KnownField{"_auto_class", harmless},
    KnownField{"custom_pipelines", harmless}, KnownField{"max_length", harmless},
    KnownField{"min_length", harmless}, KnownField{"do_sample", harmless},
    KnownField{"early_stopping", harmless}, KnownField{"num_beams", harmless},
    KnownField{"num_beam_groups", harmless}, KnownField{"diversity_penalty", harmless},
    KnownField{"temperature", harmless}, KnownField{"top_k", harmless},
    KnownField{"top_p", harmless}, KnownField{"typical_p", harmless},
    KnownField{"repetition_penalty", harmless}, KnownField{"length_penalty", harmless},
    KnownField{"no_repeat_ngram_size", harmless},
    KnownField{"encoder_no_repeat_ngram_size", harmless}, KnownField{"bad_words_ids", harmless},
    KnownField{"num_return_sequences", harmless}, KnownField{"output_scores", harmless},
    KnownField{"return_dict_in_generate", harmless}, KnownField{"forced_bos_token_id", harmless},
    KnownField{"forced_eos_token_id", harmless}, KnownField{"remove_invalid_values", harmless},
    KnownField{"exponential_decay_length_penalty", harmless},
    KnownField{"suppress_tokens", harmless}, KnownField{"begin_suppress_tokens", harmless},
    // Of the makers of single checkpoints, and of google-research/bert.
    KnownField{"directionality", harmless}, KnownField{"pooler_fc_size", harmless},
    KnownField{"pooler_num_attention_heads", harmless},
    KnownField{"pooler_num_fc_layers", harmless}, KnownField{"pooler_size_per_head", harmless},
    KnownField{"pooler_type", harmless}, KnownField{"emb_size", harmless},
    KnownField{"cell", harmless}, KnownField{"structure", harmless},
    KnownField{"pre_trained", harmless}, KnownField{"training", harmless},
    KnownField{"language", harmless}, KnownField{"lowercase", harmless},
    KnownField{"adapters", harmless}, KnownField{"summary_type", harmless},
    KnownField{"summary_use_proj", harmless}, KnownField{"summary_activation", harmless},
    KnownField{"summary_proj_to_labels", harmless}, KnownField{"summary_first_dropout", harmless},
    KnownField{"summary_last_dropout", harmless}, KnownField{"num_choices", harmless},
    KnownField{"return_all_scores", harmless}, KnownField{"model_max_length", harmless},
    KnownField{"projection_dim", refused, "null|0", "a projection after the encoder belongs to DPR (\"model_type\": \"dpr\")"},
    // DistilBERT's: positions are stored as they were made, whichever way that was.
    KnownField{"sinusoidal_pos_embds", harmless}, KnownField{"qa_dropout", harmless},
    KnownField{"tie_weights_", harmless},
};
// clang-format on

/// `auto_map` names classes in the checkpoint's own files. A class of transformers itself is no such
/// code.
void refuse_own_code(const nlohmann::json& config, const std::string& origin) {
  const auto map = config.find("auto_map");
  if (map == config.end() || map->is_null()) return;
  const auto is_transformers = [](const nlohmann::json& name) {
    return name.is_null() ||
           (name.is_string() && name.get_ref<const std::string&>().starts_with("transformers."));
  };
  const auto refuse = [&](const std::string& name) {
    throw ModelError(
        fmt::format("{}: \"auto_map\" says that code of the checkpoint's own computes it ({}), "
                    "which Cloze does "
                    "not run: choose a checkpoint of transformers' BertModel",
                    origin, name));
  };
  if (!map->is_object()) refuse(json_excerpt(*map));
  for (const auto& [name, value] : map->items()) {
    if (value.is_array()) {
      for (const auto& each : value) {
        if (!is_transformers(each)) refuse(fmt::format("{} {}", excerpt(name), json_excerpt(each)));
      }
    } else if (!is_transformers(value)) {
      refuse(fmt::format("{} {}", excerpt(name), json_excerpt(value)));
    }
  }
}

}  // namespace

void refuse_config_fields(const nlohmann::json& config, const std::string& origin) {
  refuse_own_code(config, origin);
  auto checked = config;
  const auto width = checked.find("embedding_size");
  if (width != checked.end() && checked.contains("hidden_size") &&
      *width == checked["hidden_size"]) {
    checked.erase(width);
  }
  refuse_fields(checked, kFields, origin);
}

std::vector<std::string> unknown_config_fields(const BertConfig& config) {
  return unknown_fields(parse_json_object(config.extra_json, "BertConfig::extra_json"), kFields);
}

}  // namespace cloze::internal
