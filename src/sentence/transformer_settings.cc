// The settings of a Transformer module: sentence_bert_config.json and its names for other models.
#include <array>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/io/known_fields.h"
#include "core/json.h"
#include "core/json_fields.h"
#include "sentence/module_settings.h"

namespace cloze {
namespace {

using Json = nlohmann::json;
using enum KnownField::Effect;

/// In the order in which sentence-transformers looks for them: the first that states something
/// counts.
constexpr std::array kFiles{"sentence_bert_config.json",       "sentence_roberta_config.json",
                            "sentence_distilbert_config.json", "sentence_camembert_config.json",
                            "sentence_albert_config.json",     "sentence_xlm-roberta_config.json",
                            "sentence_xlnet_config.json"};

constexpr std::string_view kTokenizerElsewhere =
    "Cloze takes the tokenizer that lies beside the model: put its files there";
constexpr std::string_view kAsPlain = "Cloze reads texts as the tokenizer's own files say";
constexpr std::string_view kMultiVector =
    "it belongs to models that compare token by token (MultiVectorEncoder)";

constexpr std::array kTransformerFields{
    KnownField{"max_seq_length"},
    KnownField{"do_lower_case"},
    KnownField{"model_args"},
    KnownField{"model_kwargs"},
    KnownField{"tokenizer_args"},
    KnownField{"processor_kwargs"},
    KnownField{"config_args"},
    KnownField{"config_kwargs"},
    KnownField{"transformer_task"},
    KnownField{"modality_config"},
    KnownField{"module_output_name"},
    KnownField{"unpad_inputs", harmless},
    KnownField{"backend", harmless},
    KnownField{"cache_dir", harmless},
    KnownField{"processing_kwargs", refused, "null|{}", kAsPlain},
    KnownField{"tokenizer_name_or_path", refused, "null", kTokenizerElsewhere},
    KnownField{"query_length"},
    KnownField{"document_length"},
    KnownField{"query_expansion"},
};

/// Refused where there is one vector a text.
constexpr std::array kRefusedMultiVectorFields{
    KnownField{"query_length", refused, "null", kMultiVector},
    KnownField{"document_length", refused, "null", kMultiVector},
    KnownField{"query_expansion", refused, "null", kMultiVector},
};

/// What the weights are loaded with.
constexpr std::array kModelArguments{
    KnownField{"add_pooling_layer", harmless},
    KnownField{"torch_dtype", harmless},
    KnownField{"dtype", harmless},
    KnownField{"attn_implementation", harmless},
    KnownField{"trust_remote_code", harmless},
    KnownField{"low_cpu_mem_usage", harmless},
    KnownField{"device_map", harmless},
    KnownField{"use_safetensors", harmless},
    KnownField{"token", harmless},
    KnownField{"cache_dir", harmless},
    KnownField{"local_files_only", harmless},
    KnownField{"weights_only", harmless},
    KnownField{"revision", harmless},
    KnownField{"unpad_inputs", harmless},
    KnownField{"use_memory_efficient_attention", harmless},
    KnownField{"subfolder", refused, R"(null|"")", "Cloze reads the weights beside config.json"},
    KnownField{"variant", refused, "null", "Cloze reads the weights without a variant"},
    KnownField{"quantization_config", refused, "null", "Cloze reads weights as floats"},
    KnownField{"provider", harmless},
    KnownField{"file_name", harmless},
    KnownField{"export", harmless},
};

/// What the tokenizer is loaded with.
constexpr std::array kTokenizerArguments{
    KnownField{"model_max_length"},
    KnownField{"use_fast", harmless},
    KnownField{"trust_remote_code", harmless},
    KnownField{"token", harmless},
    KnownField{"cache_dir", harmless},
    KnownField{"local_files_only", harmless},
    KnownField{"revision", harmless},
    KnownField{"padding_side", refused, R"(null|"right")",
               "Cloze's sequences begin at position 0, as BERT was trained"},
    KnownField{"truncation_side", refused, R"(null|"right")", "Cloze cuts texts at their end"},
    KnownField{"do_lower_case", refused, "null", kAsPlain},
    KnownField{"strip_accents", refused, "null", kAsPlain},
    KnownField{"tokenize_chinese_chars", refused, "null", kAsPlain},
    KnownField{"tokenizer_class", refused, "null", kAsPlain},
    KnownField{"add_special_tokens", refused, "null|true", kAsPlain},
    KnownField{"add_prefix_space", refused, "null|false", kAsPlain},
    KnownField{"subfolder", refused, R"(null|"")", kTokenizerElsewhere},
};

/// What config.json is overridden with.
constexpr std::array kConfigArguments{
    KnownField{"trust_remote_code", harmless}, KnownField{"token", harmless},
    KnownField{"cache_dir", harmless},         KnownField{"local_files_only", harmless},
    KnownField{"revision", harmless},          KnownField{"use_cache", harmless},
};

std::optional<std::int64_t> length_field(const Json& object, const char* name,
                                         const std::string& origin) {
  const auto length = json_field<double>(object, name, origin);
  if (!length) return std::nullopt;
  if (*length < 1 || *length > std::numeric_limits<std::int32_t>::max() ||
      *length != std::floor(*length)) {
    throw FormatError(fmt::format("{}: {} is {}, no length of a text", origin, name, *length));
  }
  return static_cast<std::int64_t>(*length);
}

/// An object within the file; empty where it is absent.
Json arguments(const Json& config, const char* name, const std::string& origin) {
  const auto found = config.find(name);
  if (found == config.end() || found->is_null()) return Json::object();
  if (!found->is_object()) {
    throw FormatError(
        fmt::format("{}: \"{}\" is {}, not an object", origin, name, json_excerpt(*found)));
  }
  return *found;
}

/// How sentence-transformers 6 says what the module reads, calls and gives.
void check_modality(const Json& config, TransformerTask task, const std::string& origin) {
  const bool features =
      task == TransformerTask::features || task == TransformerTask::late_interaction;
  const bool classifies = task == TransformerTask::classification;
  const std::string kind = features     ? "feature-extraction"
                           : classifies ? "sequence-classification"
                                        : "fill-mask";
  const std::string method_output = features ? "last_hidden_state" : "logits";
  const std::string output = classifies ? "scores" : "token_embeddings";
  const auto require = [&](const Json& object, const char* name, const std::string& wanted) {
    const auto stated = json_field<std::string>(object, name, origin);
    if (!stated || *stated == wanted) return;
    throw ModelError(fmt::format("{}: \"{}\" is {}, and Cloze computes {} here", origin, name,
                                 in_quotes(*stated), in_quotes(wanted)));
  };
  require(config, "transformer_task", kind);
  require(config, "module_output_name", output);
  const auto modalities = arguments(config, "modality_config", origin);
  if (modalities.empty()) return;
  const auto text = modalities.find("text");
  if (text == modalities.end()) {
    throw ModelError(
        fmt::format("{}: \"modality_config\" has no text, which is all that Cloze reads", origin));
  }
  require(*text, "method", "forward");
  require(*text, "method_output_name", method_output);
}

}  // namespace

std::optional<QueryExpansion> read_query_expansion(const Json& config, const std::string& origin) {
  const auto stated = config.find("query_expansion");
  if (stated == config.end() || stated->is_null()) return std::nullopt;
  const auto place = origin + ": \"query_expansion\"";
  constexpr std::array kFields{KnownField{"strategy"}, KnownField{"attend"}, KnownField{"token"},
                               KnownField{"length"}};
  for (const auto& name : unknown_fields(arguments(config, "query_expansion", origin), kFields)) {
    throw ModelError(fmt::format("{} has {}, which Cloze does not know", place, in_quotes(name)));
  }
  const auto strategy = required_json_field<std::string>(*stated, "strategy", place);
  if (strategy != "fixed" && strategy != "min") {
    throw ModelError(fmt::format("{}: \"strategy\" is {}; it is \"fixed\" or \"min\"", place,
                                 in_quotes(strategy)));
  }
  const auto length = length_field(*stated, "length", place);
  if (!length) throw FormatError(fmt::format("{}: field \"length\" is missing", place));
  return QueryExpansion{.fixed = strategy == "fixed",
                        .attend = json_field<bool>(*stated, "attend", place).value_or(false),
                        .token = json_field<std::string>(*stated, "token", place).value_or(""),
                        .length = *length};
}

TransformerSettings read_transformer_settings(const std::filesystem::path& directory,
                                              TransformerTask task,
                                              std::vector<std::string>& warnings) {
  TransformerSettings settings;
  Json config;
  for (const auto* name : kFiles) {
    if (!files::exists(directory / name)) continue;
    config = read_json_object(directory / name);
    settings.file = name;
    if (!config.empty()) break;
  }
  if (settings.file.empty()) return settings;
  const auto origin = (directory / settings.file).string();
  check_fields(config, kTransformerFields, origin, warnings);
  check_modality(config, task, origin);
  if (task == TransformerTask::late_interaction) {
    settings.query_length = length_field(config, "query_length", origin);
    settings.document_length = length_field(config, "document_length", origin);
    settings.states_expansion = config.contains("query_expansion");
    settings.expansion = read_query_expansion(config, origin);
  } else {
    refuse_fields(config, kRefusedMultiVectorFields, origin);
  }
  settings.max_seq_length = length_field(config, "max_seq_length", origin);
  settings.do_lower_case = json_field<bool>(config, "do_lower_case", origin).value_or(false);
  for (const auto* name : {"model_args", "model_kwargs"}) {
    check_fields(arguments(config, name, origin), kModelArguments,
                 fmt::format("{}: \"{}\"", origin, name), warnings);
  }
  for (const auto* name : {"tokenizer_args", "processor_kwargs"}) {
    const auto stated = arguments(config, name, origin);
    check_fields(stated, kTokenizerArguments, fmt::format("{}: \"{}\"", origin, name), warnings);
    if (const auto length = length_field(stated, "model_max_length", origin)) {
      settings.max_seq_length = length;
    }
  }
  for (const auto* name : {"config_args", "config_kwargs"}) {
    const auto stated = arguments(config, name, origin);
    for (const auto& field : unknown_fields(stated, kConfigArguments)) {
      throw ModelError(
          fmt::format("{}: \"{}\" changes {} of config.json: state it in config.json itself",
                      origin, name, in_quotes(field)));
    }
  }
  return settings;
}

}  // namespace cloze
