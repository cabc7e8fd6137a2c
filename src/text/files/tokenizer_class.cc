#include "text/files/tokenizer_class.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/json.h"
#include "core/json_fields.h"
#include "core/strings.h"

namespace cloze::text {
namespace {

using Json = nlohmann::json;

// Names without "Fast". transformers has the same code behind all of a list.
constexpr std::array<std::string_view, 9> kBert{"BertTokenizer",
                                                "DistilBertTokenizer",
                                                "ElectraTokenizer",
                                                "DPRContextEncoderTokenizer",
                                                "DPRQuestionEncoderTokenizer",
                                                "DPRReaderTokenizer",
                                                "LayoutLMTokenizer",
                                                "MobileBertTokenizer",
                                                "SqueezeBertTokenizer"};
constexpr std::array<std::string_view, 4> kFile{"PreTrainedTokenizer", "TokenizersBackend",
                                                "RetriBertTokenizer", "ConvBertTokenizer"};

template <std::size_t size>
bool is_among(const std::array<std::string_view, size>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::optional<std::string> class_named_by(const Json& config, const std::string& origin) {
  return config.is_object() ? json_field<std::string>(config, "tokenizer_class", origin)
                            : std::nullopt;
}

/// Throws for the settings that BertJapaneseTokenizer is told by, where it is not named.
void require_no_other_words(const Json& config, const std::string& origin) {
  if (!config.is_object()) return;
  for (const auto& [name, usual] : {std::pair{"word_tokenizer_type", "basic"},
                                    std::pair{"subword_tokenizer_type", "wordpiece"}}) {
    const auto at = config.find(name);
    if (at == config.end() || at->is_null() || *at == usual) continue;
    throw ModelError(fmt::format(
        "{}: {} is {}, which only a BertJapaneseTokenizer asks for: name it as tokenizer_class in "
        "tokenizer_config.json",
        origin, name, json_excerpt(*at)));
  }
}

}  // namespace

std::string tokenizer_class_name(const Json& tokenizer_config, const Json& model_config,
                                 const std::string& origin) {
  auto stated = class_named_by(tokenizer_config, origin);
  if (!stated) stated = class_named_by(model_config, origin);
  return stated.value_or("");
}

TokenizerClass tokenizer_class_of(const Json& tokenizer_config, const Json& model_config,
                                  const std::string& origin) {
  const auto stated = tokenizer_class_name(tokenizer_config, model_config, origin);
  if (stated == "BertJapaneseTokenizer") return TokenizerClass::japanese;
  require_no_other_words(tokenizer_config, origin);
  require_no_other_words(model_config, origin);
  if (stated.empty()) return TokenizerClass::bert;
  std::string_view name = stated;
  if (name.ends_with("Fast")) name.remove_suffix(4);
  if (is_among(kBert, name)) return TokenizerClass::bert;
  if (is_among(kFile, name)) return TokenizerClass::file;
  if (name == "XLMRobertaTokenizer") return TokenizerClass::xlm_roberta;
  throw ModelError(
      fmt::format("{}: the tokenizer is a {}, which Cloze does not have: it reads BertTokenizer, "
                  "BertJapaneseTokenizer, XLMRobertaTokenizer, and PreTrainedTokenizerFast with a "
                  "WordPiece or Unigram tokenizer.json",
                  origin, in_quotes(stated)));
}

}  // namespace cloze::text
