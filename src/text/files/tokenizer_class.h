/// \file
/// Which of transformers' classes a tokenizer's files are for, and what that class takes from them.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace cloze::text {

enum class TokenizerClass : std::uint8_t {
  /// BertTokenizer and its other names: it takes the vocabulary of tokenizer.json, and builds the
  /// rest anew. A switch that tokenizer_config.json does not state has the class's default, whatever
  /// tokenizer.json says.
  bert,
  /// PreTrainedTokenizerFast (TokenizersBackend): tokenizer.json alone says how text is cut.
  file,
  /// XLMRobertaTokenizer: it takes the pieces and the character map of tokenizer.json or of a
  /// SentencePiece model, and builds the rest anew.
  xlm_roberta,
  /// BertJapaneseTokenizer: it takes vocab.txt, and cuts text into words by MeCab.
  japanese,
};

/// The name of the class in tokenizer_config.json, or else in config.json; empty where neither has
/// one. Throws FormatError for what is no text.
[[nodiscard]] std::string tokenizer_class_name(const nlohmann::json& tokenizer_config,
                                               const nlohmann::json& model_config,
                                               const std::string& origin);

/// The class of that name; BertTokenizer where there is none, as AutoTokenizer has it for a BERT. Throws ModelError for a class that cuts text in another
/// way, and for settings of BertJapaneseTokenizer (`word_tokenizer_type`) without its name; `origin`
/// names the directory.
[[nodiscard]] TokenizerClass tokenizer_class_of(const nlohmann::json& tokenizer_config,
                                                const nlohmann::json& model_config,
                                                const std::string& origin);

}  // namespace cloze::text
