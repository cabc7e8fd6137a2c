#include "text/files/japanese_files.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/json_fields.h"
#include "core/strings.h"
#include "text/japanese/dictionary.h"

namespace cloze::text {
namespace {

using Json = nlohmann::json;

WordTokenizer word_tokenizer(const std::string& type, const std::string& origin) {
  if (type == "basic") return WordTokenizer::basic;
  if (type == "mecab") return WordTokenizer::mecab;
  const bool other = type == "sudachi" || type == "jumanpp";
  throw ModelError(
      fmt::format("{}: word_tokenizer_type is {}{}; of a BertJapaneseTokenizer Cloze has mecab and "
                  "basic: give it "
                  "words that are split before, or choose a checkpoint with one of those",
                  origin, in_quotes(type), other ? ", an analyser that Cloze does not have" : ""));
}

SubwordTokenizer subword_tokenizer(const std::string& type, const std::string& origin) {
  if (type == "wordpiece") return SubwordTokenizer::wordpiece;
  if (type == "character") return SubwordTokenizer::character;
  throw ModelError(
      fmt::format("{}: subword_tokenizer_type is {}; of a BertJapaneseTokenizer Cloze has "
                  "wordpiece and character: "
                  "choose a checkpoint with one of those",
                  origin, in_quotes(type)));
}

/// config.json's word, where tokenizer_config.json, which decides, has none.
void require_agreement(const Json& config, const Json& model, const std::string& origin) {
  if (!model.is_object()) return;
  for (const auto& [name, usual] : {std::pair{"word_tokenizer_type", "basic"},
                                    std::pair{"subword_tokenizer_type", "wordpiece"}}) {
    const auto at = model.find(name);
    if (config.contains(name) || at == model.end() || at->is_null() || *at == usual) continue;
    throw ModelError(
        fmt::format("{}: {} is not stated, and config.json, which transformers does not ask, says "
                    "{}: state it in "
                    "tokenizer_config.json",
                    origin, name, json_excerpt(*at)));
  }
}

void read_mecab_settings(const Json& arguments, const std::string& origin, JapaneseRules& rules) {
  const auto where = origin + ": mecab_kwargs";
  for (const auto& [name, value] : arguments.items()) {
    if (name == "do_lower_case" || name == "never_split") {
      throw ModelError(fmt::format(
          "{} has {}, which transformers refuses there as well: state it beside mecab_kwargs",
          where, name));
    }
    if (name != "mecab_dic" && name != "mecab_option" && name != "normalize_text") {
      throw ModelError(fmt::format(
          "{} has {}, which MeCab's tokenizer does not know: it has mecab_dic, mecab_option and "
          "normalize_text",
          where, in_quotes(name)));
    }
  }
  auto& mecab = rules.mecab;
  rules.normalize_text = json_field<bool>(arguments, "normalize_text", where).value_or(true);
  if (arguments.contains("mecab_dic")) {
    mecab.name = json_field<std::string>(arguments, "mecab_dic", where).value_or("");
    mecab.stated = true;
    constexpr std::array<std::string_view, 4> known{"", "ipadic", "unidic_lite", "unidic"};
    const bool given_empty = mecab.name.empty() && !arguments["mecab_dic"].is_null();
    if (given_empty || std::find(known.begin(), known.end(), mecab.name) == known.end()) {
      throw ModelError(
          fmt::format("{}: mecab_dic is {}; it is ipadic, unidic_lite, unidic, or null for the one "
                      "that mecab_option "
                      "names",
                      where, in_quotes(mecab.name)));
    }
  }
  if (const auto line = json_field<std::string>(arguments, "mecab_option", where)) {
    mecab.options = split_as_shell(*line, where);
  }
}

}  // namespace

JapaneseRules read_japanese_rules(const Configuration& configuration, const Json& model_config) {
  const auto& config = configuration.config;
  const auto& origin = configuration.origin;
  require_agreement(config, model_config, origin);
  JapaneseRules rules;
  rules.do_word_tokenize = json_field<bool>(config, "do_word_tokenize", origin).value_or(true);
  rules.do_subword_tokenize =
      json_field<bool>(config, "do_subword_tokenize", origin).value_or(true);
  rules.lowercase = json_field<bool>(config, "do_lower_case", origin).value_or(false);
  if (auto type = json_field<std::string>(config, "word_tokenizer_type", origin)) {
    rules.word_tokenizer_type = *std::move(type);
  }
  if (auto type = json_field<std::string>(config, "subword_tokenizer_type", origin)) {
    rules.subword_tokenizer_type = *std::move(type);
  }
  rules.words = rules.do_word_tokenize ? word_tokenizer(rules.word_tokenizer_type, origin)
                                       : WordTokenizer::none;
  // Whether it is used or not, the vocabulary is a file of its own.
  const auto subwords = subword_tokenizer(rules.subword_tokenizer_type, origin);
  rules.subwords = rules.do_subword_tokenize ? subwords : SubwordTokenizer::none;
  if (auto tokens = json_field<std::vector<std::string>>(config, "never_split", origin)) {
    rules.never_split = *std::move(tokens);
  }
  if (const auto arguments = json_field<Json>(config, "mecab_kwargs", origin)) {
    if (!arguments->is_object()) {
      throw FormatError(fmt::format("{}: mecab_kwargs is {}; it must be an object", origin,
                                    json_excerpt(*arguments)));
    }
    rules.mecab_kwargs = arguments->dump();
    if (rules.words == WordTokenizer::mecab) read_mecab_settings(*arguments, origin, rules);
  }
  return rules;
}

void finish_japanese(TokenizerSpec& spec) {
  auto& rules = *spec.japanese;
  rules.kept_whole = rules.never_split;
  for (const auto* token :
       {&spec.unk_token, &spec.sep_token, &spec.pad_token, &spec.cls_token, &spec.mask_token}) {
    rules.kept_whole.push_back(*token);
  }
  for (const auto& token : spec.added) {
    if (token.special) rules.kept_whole.push_back(token.content);
  }
  spec.rules.lowercase = rules.lowercase;
  spec.decoder_cleanup = false;
  spec.templates.odd_to_first = true;
}

void write_japanese_rules(const TokenizerSpec& spec, nlohmann::ordered_json& config) {
  const auto& rules = *spec.japanese;
  config["do_lower_case"] = rules.lowercase;
  config["do_subword_tokenize"] = rules.do_subword_tokenize;
  config["do_word_tokenize"] = rules.do_word_tokenize;
  config["mecab_kwargs"] = rules.mecab_kwargs ? nlohmann::ordered_json::parse(*rules.mecab_kwargs)
                                              : nlohmann::ordered_json();
  config["never_split"] = rules.never_split.empty() ? nlohmann::ordered_json()
                                                    : nlohmann::ordered_json(rules.never_split);
  config["subword_tokenizer_type"] = rules.subword_tokenizer_type;
  config["word_tokenizer_type"] = rules.word_tokenizer_type;
}

}  // namespace cloze::text
