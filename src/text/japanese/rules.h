/// \file
/// How a BertJapaneseTokenizer cuts text: words first, then pieces of each word.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace cloze::text {

/// What cuts text into words.
enum class WordTokenizer : std::uint8_t {
  none,   ///< do_word_tokenize false: all of the text is one
  basic,  ///< white space and punctuation, as BERT's own
  mecab   ///< the morphological analyser MeCab, by a dictionary
};
/// What cuts words into pieces.
enum class SubwordTokenizer : std::uint8_t {
  none,  ///< do_subword_tokenize false: a word is a token, or unknown
  wordpiece,
  character
};

/// Which dictionary MeCab opens.
struct MecabSettings {
  /// mecab_dic: "ipadic", "unidic_lite" or "unidic"; empty for null, where `options` decide. Where
  /// it is not stated, what transformers takes.
  std::string name = "unidic_lite";
  bool stated = false;               ///< whether the files state the name
  std::vector<std::string> options;  ///< mecab_option, split as a shell does it
  /// What the user gave in its place; empty for nothing. `given_by` names the way.
  std::filesystem::path given;
  std::string given_by;
};

struct JapaneseRules {
  WordTokenizer words = WordTokenizer::basic;
  SubwordTokenizer subwords = SubwordTokenizer::wordpiece;
  bool lowercase = false;
  bool normalize_text = true;            ///< NFKC before MeCab
  std::vector<std::string> never_split;  ///< as the files state it
  /// With the special tokens: what is neither lower-cased nor, by `basic`, cut.
  std::vector<std::string> kept_whole;
  MecabSettings mecab;
  // What the files state, to be written again.
  bool do_word_tokenize = true, do_subword_tokenize = true;
  std::string word_tokenizer_type = "basic", subword_tokenizer_type = "wordpiece";
  std::optional<std::string> mecab_kwargs;  ///< JSON
};

}  // namespace cloze::text
