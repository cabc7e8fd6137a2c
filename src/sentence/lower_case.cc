#include "sentence/lower_case.h"

#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/json.h"

namespace cloze {
namespace {

/// Lower-cases before all other normalizers. tokenizer.json is changed as text: the scores of its
/// pieces stay as they are written, to the last bit.
Tokenizer lower_cased_unigram(const Tokenizer& tokenizer) {
  auto file = tokenizer.to_json();
  auto config = parse_json_object(tokenizer.config_to_json(), "tokenizer_config.json");
  config["tokenizer_class"] = "PreTrainedTokenizerFast";  // XLMRobertaTokenizer has its own rules
  constexpr std::string_view key = "\n  \"normalizer\": ", next = ",\n  \"pre_tokenizer\"";
  const auto begin = file.find(key) + key.size();
  const auto end = file.find(next, begin);
  const auto before =
      parse_json(std::string_view(file).substr(begin, end - begin), "tokenizer.json");
  auto steps = nlohmann::json::array({{{"type", "Lowercase"}}});
  if (before.is_object()) steps.push_back(before);
  const nlohmann::json normalizer{{"type", "Sequence"}, {"normalizers", std::move(steps)}};
  file.replace(begin, end - begin, normalizer.dump());
  return Tokenizer::from_json(file, config.dump());
}

}  // namespace

Tokenizer lower_cased(const Tokenizer& tokenizer) {
  if (tokenizer.do_lower_case()) return tokenizer;
  const auto words = tokenizer.japanese();
  if (words) {
    // A word that MeCab finds depends on the case of its letters.
    throw ModelError(
        "sentence_bert_config.json has \"do_lower_case\": true beside a BertJapaneseTokenizer that "
        "keeps upper case: state it in tokenizer_config.json");
  }
  if (tokenizer.model() == TokenizerModel::unigram) return lower_cased_unigram(tokenizer);
  auto file = parse_json_object(tokenizer.to_json(), "tokenizer.json");
  auto config = parse_json_object(tokenizer.config_to_json(), "tokenizer_config.json");
  auto& normalizer = file["normalizer"];
  if (!normalizer.is_object() || normalizer.value("type", "") != "BertNormalizer") {
    throw ModelError(
        "sentence_bert_config.json has \"do_lower_case\": true beside a tokenizer whose "
        "normalization is not BERT's: state it in the tokenizer's files");
  }
  // Where it is not stated, accents are stripped with lower-casing; here they were not.
  const auto strip = normalizer.contains("strip_accents") && normalizer["strip_accents"] == true;
  for (auto* settings : {&normalizer, &config}) (*settings)["strip_accents"] = strip;
  normalizer["lowercase"] = true;
  config["do_lower_case"] = true;
  return Tokenizer::from_json(file.dump(), config.dump());
}

}  // namespace cloze
