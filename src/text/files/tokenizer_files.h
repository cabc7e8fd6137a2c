/// \file
/// The files a tokenizer is read from: `tokenizer.json`, or `vocab.txt`, or a SentencePiece model, with
/// `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` where present.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/tokenizer.h"
#include "text/encode/added_tokens.h"
#include "text/encode/assemble.h"
#include "text/files/tokenizer_class.h"
#include "text/japanese/rules.h"
#include "text/normalize/char_actions.h"
#include "text/unigram/rules.h"
#include "text/wordpiece/vocabulary.h"

namespace cloze::text {

/// The variable of the environment that names MeCab's dictionary.
inline constexpr const char* kDictionaryVariable = "CLOZE_MECAB_DICTIONARY";

/// Everything that the files say, checked and with ids resolved.
struct TokenizerSpec {
  Vocabulary vocabulary;
  NormalizerRules rules;
  NormalizerRules file_rules;  ///< as the files state them, whatever the mode
  /// As the file has it; `rules.strip_accents` is what it means.
  std::optional<bool> strip_accents;
  std::int32_t max_chars_per_word = 100;
  std::int32_t file_max_chars_per_word = 100;
  std::vector<AddedToken> added;  ///< in order of id
  Templates templates;
  TokenizerClass tokenizer_class = TokenizerClass::bert;
  bool decoder_cleanup = true;   ///< of the WordPiece decoder
  bool clean_up_spaces = false;  ///< clean_up_tokenization_spaces
  bool gives_types = true;       ///< whether a model gets its tokens' types (tokenizer_fields.h)
  bool cuts_from_left = false;   ///< as tokenizer.json says by itself; it is refused
  std::int32_t base_vocab_size = 0;  ///< tokens of the model, without added ones
  /// Of a Unigram tokenizer; what is WordPiece's alone above means nothing there.
  std::optional<UnigramRules> unigram;
  std::optional<Metaspace> decoder;  ///< how a Unigram tokenizer decodes; none: with spaces between
  /// Of a BertJapaneseTokenizer; `rules` above have its lower-casing, and else mean nothing there.
  std::optional<JapaneseRules> japanese;
  std::string unk_token = "[UNK]", sep_token = "[SEP]", pad_token = "[PAD]", cls_token = "[CLS]",
              mask_token = "[MASK]";
  std::string bos_token, eos_token;  ///< of a Unigram tokenizer; empty where there is none
  std::optional<std::int64_t> model_max_length;
};

/// Reads the files in `directory`. `dictionary` is MeCab's for a Japanese tokenizer; empty for none
/// given. Throws IoError, FormatError, ModelError.
[[nodiscard]] TokenizerSpec read_tokenizer(const std::filesystem::path& directory,
                                           const std::filesystem::path& dictionary = {});

/// The same from the texts of tokenizer.json and tokenizer_config.json, which may be empty. Throws
/// FormatError, ModelError.
[[nodiscard]] TokenizerSpec parse_tokenizer(std::string_view tokenizer_json,
                                            std::string_view tokenizer_config_json,
                                            const std::filesystem::path& dictionary = {});

/// A tokenizer of a vocabulary alone; `origin` begins the messages. Throws FormatError for a
/// vocabulary without the tokens that every BERT needs.
[[nodiscard]] TokenizerSpec tokenizer_of(Vocabulary vocabulary, const TokenizerOptions& options,
                                         const std::string& origin);

/// A vocabulary whose ids are the places of `tokens`. Throws ArgumentError for a token that is there
/// twice or is not UTF-8.
[[nodiscard]] Vocabulary vocabulary_of(std::span<const std::string> tokens);

/// Reads a vocabulary, one token a line; the id is the line, from 0. Line ends may be CRLF; white
/// space at the end of a line is not part of the token, as in Hugging Face and Google.
/// Of a BertJapaneseTokenizer (`keep_white_space`) it is. Of a token that stands there twice, the
/// last line counts. Throws FormatError for bytes that are not UTF-8.
[[nodiscard]] Vocabulary read_vocab_txt(const std::filesystem::path& path,
                                        bool keep_white_space = false);

}  // namespace cloze::text
