/// \file
/// cloze info: what a model directory holds.
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/machine_text.h"
#include "cli/options.h"
#include "cloze/machine.h"
#include "cloze/model_info.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Examples:
  cloze info --model all-MiniLM-L6-v2
  cloze info --model ./my-bert --json | jq .parameters
  cloze info --machine
)";

std::string dtypes(const ModelInfo& info) {
  std::string text;
  for (const auto& [dtype, count] : info.dtypes) {
    text += fmt::format("{}{} ({} tensors)", text.empty() ? "" : ", ", dtype, count);
  }
  return text;
}

std::string tokenizer(const TokenizerInfo& info) {
  if (!info.problem.empty()) return "none: " + info.problem;
  auto text = fmt::format("{}, {} tokens, {}", info.file, grouped(info.vocab_size),
                          info.do_lower_case ? "uncased" : "cased");
  if (!info.switches_file.empty()) text += fmt::format(" by {}", info.switches_file);
  if (!info.tokenizer_class.empty()) text += fmt::format(", {}", info.tokenizer_class);
  if (info.model_max_length > 0) {
    text += fmt::format(", at most {} tokens a text", info.model_max_length);
  }
  return text;
}

/// "mecab, dictionary ipadic in /var/lib/mecab/dic/ipadic-utf8 (by mecab_dic); pieces: wordpiece".
std::string words(const JapaneseWords& words) {
  auto text = words.word_tokenizer;
  if (!words.dictionary.empty()) {
    const auto& name = words.dictionary_name;
    text += fmt::format(", dictionary{}{}{} in {} (by {})", name.empty() ? "" : " ", name,
                        words.name_is_stated || name.empty() ? "" : ", which is not stated,",
                        words.dictionary.string(), words.decided_by);
  }
  return text + "; pieces: " + words.subword_tokenizer;
}

std::string heads(const ModelInfo& info) {
  std::string text;
  for (const auto& head : info.heads) {
    text += fmt::format("{}{} (cloze {})", text.empty() ? "" : "; ", head.name,
                        command_for(head.pipeline));
  }
  return text.empty() ? "none: the encoder alone (cloze encode, cloze similarity)" : text;
}

std::string architecture(const BertConfig& config) {
  if (config.architectures.empty()) return "not stated";
  return fmt::format("{}", fmt::join(config.architectures, ", "));
}

std::string readable(const ModelInfo& info) {
  const auto& config = info.config;
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value) {
    text += fmt::format("{:<14}{}\n", printable(name) + ' ', printable(value));
  };
  line("model", info.directory.string());
  line("architecture", fmt::format("{} ({})", architecture(config), config.model_type));
  line("encoder",
       fmt::format("{} layers, hidden {}, {} heads of {}, feed-forward {}, {}",
                   config.num_hidden_layers, config.hidden_size, config.num_attention_heads,
                   config.head_dim(), config.intermediate_size, name_of(config.hidden_act)));
  line("reads", fmt::format("{} tokens at most, {} segment types", config.max_position_embeddings,
                            config.type_vocab_size));
  line("parameters", fmt::format("{} ({:.1f} MiB stored)", grouped(info.parameters),
                                 static_cast<double>(info.bytes) / (1 << 20)));
  line("dtype", dtypes(info));
  line("pooler", info.pooler ? "yes" : "no");
  line("heads", heads(info));
  line("tokenizer", tokenizer(info.tokenizer));
  if (info.tokenizer.japanese) line("words", words(*info.tokenizer.japanese));
  if (!info.sentence_pooling.empty()) line("sentences", info.sentence_pooling);
  for (const auto& setting : info.settings) {
    line(setting.name, setting.file.empty() ? setting.value + " (default)"
                                            : fmt::format("{} ({})", setting.value, setting.file));
  }
  for (const auto& warning : info.warnings) line("warning", warning);
  return text;
}

std::string json(const ModelInfo& info) {
  using Json = nlohmann::ordered_json;
  const auto& config = info.config;
  Json heads_found = Json::array();
  for (const auto& head : info.heads) {
    heads_found.push_back({{"name", head.name},
                           {"architecture", head.architecture},
                           {"command", command_for(head.pipeline)}});
  }
  Json found;
  found["model"] = info.directory.string();
  found["model_type"] = config.model_type;
  found["architectures"] = config.architectures;
  found["num_hidden_layers"] = config.num_hidden_layers;
  found["hidden_size"] = config.hidden_size;
  found["num_attention_heads"] = config.num_attention_heads;
  found["intermediate_size"] = config.intermediate_size;
  found["hidden_act"] = name_of(config.hidden_act);
  found["max_position_embeddings"] = config.max_position_embeddings;
  found["type_vocab_size"] = config.type_vocab_size;
  found["vocab_size"] = config.vocab_size;
  found["layer_norm_eps"] = config.layer_norm_eps;
  found["parameters"] = info.parameters;
  found["bytes"] = info.bytes;
  found["dtypes"] = info.dtypes;
  found["pooler"] = info.pooler;
  found["heads"] = std::move(heads_found);
  found["labels"] = config.id2label;
  if (info.tokenizer.problem.empty()) {
    auto& tokens = found["tokenizer"];
    tokens["file"] = info.tokenizer.file;
    tokens["vocab_size"] = info.tokenizer.vocab_size;
    tokens["do_lower_case"] = info.tokenizer.do_lower_case;
    if (!info.tokenizer.tokenizer_class.empty()) {
      tokens["tokenizer_class"] = info.tokenizer.tokenizer_class;
    }
    if (!info.tokenizer.switches_file.empty()) tokens["decided_by"] = info.tokenizer.switches_file;
    if (const auto& words = info.tokenizer.japanese) {
      tokens["words"] = {{"word_tokenizer", words->word_tokenizer},
                         {"subword_tokenizer", words->subword_tokenizer},
                         {"dictionary_name", words->dictionary_name},
                         {"dictionary", words->dictionary.string()},
                         {"dictionary_by", words->decided_by}};
    }
    if (info.tokenizer.model_max_length > 0) {
      tokens["model_max_length"] = info.tokenizer.model_max_length;
    }
  } else {
    found["tokenizer"] = nullptr;
  }
  if (!info.sentence_pooling.empty()) found["sentence_pooling"] = info.sentence_pooling;
  Json settings = Json::array();
  for (const auto& setting : info.settings) {
    settings.push_back({{"name", setting.name},
                        {"value", setting.value},
                        {"from", setting.file.empty() ? Json() : Json(setting.file)}});
  }
  found["settings"] = std::move(settings);
  found["warnings"] = info.warnings;
  return json_text(found);
}

}  // namespace

void run_info(Arguments arguments) {
  CLI::App app(
      "Tells what a model directory holds: architecture, parameters, heads, tokenizer. Or what "
      "this "
      "machine computes with, and how fast.",
      "cloze info");
  ModelOptions model;
  bool as_json = false, machine = false;
  model.add_model(app);
  app.get_option("--model")->required(false);
  app.add_flag("--machine", machine,
               "instead of a model: the processor, its instructions, its measured rates, and what "
               "--dtype auto means here")
      ->excludes("--model");
  app.add_flag("--json", as_json, "one JSON object");
  app.footer(examples);
  if (!parse(app, arguments)) return;

  if (machine) {
    const auto info = machine_info();
    print(as_json ? machine_json(info) : machine_text(info));
    return;
  }
  if (model.model.empty()) throw UsageError("--model is required, or --machine");
  const auto info = model_info(model.root());
  print(as_json ? json(info) : readable(info));
}

}  // namespace cloze::cli
