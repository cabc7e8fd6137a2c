#include "sentence/lower_case.h"

#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/json.h"

namespace cloze {

Tokenizer lower_cased(const Tokenizer& tokenizer) {
  if (tokenizer.do_lower_case()) return tokenizer;
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
