#include "text/files/tokenizer_files.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/environment.h"
#include "core/io/files.h"
#include "core/json_fields.h"
#include "core/utf8.h"
#include "text/files/added_token_list.h"
#include "text/files/configuration.h"
#include "text/files/japanese_files.h"
#include "text/files/sentencepiece_file.h"
#include "text/files/tokenizer_class.h"
#include "text/files/tokenizer_fields.h"
#include "text/files/tokenizer_json.h"
#include "text/files/unigram_json.h"

namespace cloze::text {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::size_t line_of(std::string_view text, std::size_t byte) {
  return 1 + static_cast<std::size_t>(
                 std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(byte), '\n'));
}

// Without white space (Unicode's) at its end.
std::string_view trim_end(std::string_view line) {
  while (!line.empty()) {
    const auto last = static_cast<unsigned char>(line.back());
    if (last > ' ' && last < 0x80) break;
    const char* p = line.data() + line.size();
    if ((unicode_table_hf()[utf8::decode_before(p)].flags & kWhite) == 0) break;
    line = line.substr(0, static_cast<std::size_t>(p - line.data()));
  }
  return line;
}

/// Special tokens besides those that every tokenizer has: of fields that a model's own are named by
/// ("boi_token"), and of `extra_special_tokens`, which are named or a list; a list takes the place of
/// `additional_special_tokens`.
std::vector<Json> further_special_tokens(const Json& config) {
  std::vector<Json> tokens;
  const auto add = [&tokens](const Json& json) {
    const bool is_token = json.is_string() || (json.is_object() && json.contains("content"));
    if (is_token) tokens.push_back(json);
  };
  for (const auto& [name, value] : config.items()) {
    constexpr std::array<std::string_view, 7> kUsual{
        "unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "bos_token", "eos_token"};
    const bool usual = std::find(kUsual.begin(), kUsual.end(), name) != kUsual.end();
    if (name.ends_with("_token") && !usual) add(value);
  }
  const auto extra = config.value("extra_special_tokens", Json());
  for (const auto& token : extra) add(token);  // of an object: its values
  if (extra.is_array() && !extra.empty()) return tokens;
  for (const auto& token : config.value("additional_special_tokens", Json())) add(token);
  return tokens;
}

void apply_configuration(const Configuration& configuration, TokenizerSpec& spec) {
  const auto& [config, origin, stated, has_decoder] = configuration;
  refuse_tokenizer_fields(config, origin);
  if (spec.cuts_from_left && !config.contains("truncation_side")) {
    throw ModelError(fmt::format(
        "{}: nothing states \"truncation_side\", and the \"truncation\" of tokenizer.json has the "
        "direction Left: Cloze cuts texts at their end; state \"right\" to have them cut so",
        origin));
  }
  if (spec.tokenizer_class == TokenizerClass::bert) {
    if (const auto v = json_field<bool>(config, "do_lower_case", origin)) spec.rules.lowercase = *v;
    if (const auto v = json_field<bool>(config, "strip_accents", origin)) spec.strip_accents = *v;
    if (const auto v = json_field<bool>(config, "tokenize_chinese_chars", origin)) {
      spec.rules.handle_chinese_chars = *v;
    }
  }
  spec.clean_up_spaces =
      json_field<bool>(config, "clean_up_tokenization_spaces", origin).value_or(false);
  const auto* limit =
      config.contains("model_max_length") ? "model_max_length" : "max_len";  // older
  if (const auto v = json_field<double>(config, limit, origin); v && *v > 0 && *v < 1e9) {
    spec.model_max_length = static_cast<std::int64_t>(*v);
  }

  AddedTokenList added(spec.vocabulary);
  // XLMRobertaTokenizer takes the stated ones in place of tokenizer.json's.
  if (spec.tokenizer_class != TokenizerClass::xlm_roberta || !has_decoder) {
    for (auto& token : spec.added) added.add(std::move(token), std::nullopt, origin);
  }
  for (const auto& [token, id] : stated) added.add(token, id, origin);
  for (const auto& [name, content] : {std::pair{"unk_token", &spec.unk_token},
                                      {"sep_token", &spec.sep_token},
                                      {"pad_token", &spec.pad_token},
                                      {"cls_token", &spec.cls_token},
                                      {"mask_token", &spec.mask_token},
                                      {"bos_token", &spec.bos_token},
                                      {"eos_token", &spec.eos_token}}) {
    if (content->empty()) continue;
    auto token = special_token(config, name, origin);
    if (token) *content = token->content;
    if (!token) token = AddedToken{.content = *content, .special = true};
    // A token that is nowhere is not invented here: no model has a row for it.
    if (spec.vocabulary.id_of(*content) && !added.contains(*content)) {
      added.add(*std::move(token), std::nullopt, origin);
    }
  }
  for (const auto& json : further_special_tokens(config)) {
    AddedToken token;
    if (json.is_object()) {
      token = read_added_token(json, origin);
    } else {
      token.content = json.get<std::string>();
    }
    token.special = true;
    if (!added.contains(token.content)) added.add(std::move(token), std::nullopt, origin);
  }
  spec.added = added.take();
}

/// What BertTokenizer builds anew, whatever tokenizer.json has: only the vocabulary, the names of
/// tokens and the added tokens are taken from there.
void rebuild_as_bert(TokenizerSpec& spec) {
  const TokenizerSpec usual;
  spec.rules = usual.rules;
  spec.strip_accents = usual.strip_accents;
  spec.max_chars_per_word = usual.max_chars_per_word;
  spec.decoder_cleanup = usual.decoder_cleanup;
  spec.unk_token = usual.unk_token;
}

/// Throws ModelError for a vocabulary of SentencePiece pieces: none begins with "##", and "▁" begins
/// words.
void require_wordpiece(const Vocabulary& vocabulary, const std::string& origin) {
  constexpr std::int32_t kFew = 8;
  std::int32_t pieces = 0;
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    if (!vocabulary.has_id(id)) continue;
    const auto token = vocabulary.token(id);
    if (token.size() > 2 && token.starts_with("##")) return;
    pieces += token.starts_with("\u2581") ? 1 : 0;
  }
  if (pieces < kFew) return;
  throw ModelError(fmt::format(
      "{}: the vocabulary has {} tokens that begin with \u2581 and none that begins with "
      "##: it is of a SentencePiece tokenizer, not of BERT's WordPiece",
      origin, pieces));
}

/// Throws FormatError where a token that has a part in every input is not in the vocabulary.
void require_tokens(const TokenizerSpec& spec, const std::string& origin) {
  for (const auto* token : {&spec.unk_token, &spec.cls_token, &spec.sep_token}) {
    if (spec.vocabulary.id_of(*token)) continue;
    throw FormatError(fmt::format(
        "{}: the vocabulary has no {}, which every BERT needs; is this the right file, or does "
        "the configuration name another token?",
        origin, in_quotes(*token)));
  }
}

/// What XLMRobertaTokenizer builds anew besides its rules: its template is of bos and eos.
void finish_xlm_roberta(const Configuration& configuration, TokenizerSpec& spec,
                        const std::string& origin) {
  if (!spec.unigram) {
    throw ModelError(
        fmt::format("{}: the tokenizer is an XLMRobertaTokenizer, but its vocabulary is not of a "
                    "Unigram model; "
                    "name another tokenizer_class in tokenizer_config.json",
                    origin));
  }
  const bool prefix =
      json_field<bool>(configuration.config, "add_prefix_space", configuration.origin)
          .value_or(true);
  spec.unigram->metaspace->prepend = prefix ? PrependScheme::always : PrependScheme::never;
  spec.decoder = spec.unigram->metaspace;
  for (const auto* token : {&spec.bos_token, &spec.eos_token}) {
    if (spec.vocabulary.id_of(*token)) continue;
    throw FormatError(
        fmt::format("{}: the vocabulary has no {}, which XLMRobertaTokenizer puts around each "
                    "text; is this the "
                    "right file, or does the configuration name another token?",
                    origin, in_quotes(*token)));
  }
  spec.templates = roberta_templates(spec.vocabulary, spec.bos_token, spec.eos_token);
}

/// The names that XLMRobertaTokenizer gives its own pieces.
XlmRobertaPieces xlm_roberta_pieces(const Configuration& configuration) {
  XlmRobertaPieces pieces;
  for (const auto& [field, name] : {std::pair{"bos_token", &pieces.bos},
                                    {"pad_token", &pieces.pad},
                                    {"eos_token", &pieces.eos},
                                    {"unk_token", &pieces.unk},
                                    {"mask_token", &pieces.mask}}) {
    const auto token = special_token(configuration.config, field, configuration.origin);
    if (token) *name = token->content;
  }
  return pieces;
}

/// What the files leave open, and whether they fit together. A vocabulary alone has no templates.
TokenizerSpec completed(TokenizerSpec spec, const Configuration& configuration,
                        const std::string& origin, bool has_templates) {
  if (!spec.unigram && !spec.japanese) require_wordpiece(spec.vocabulary, origin);
  apply_configuration(configuration, spec);
  if (spec.tokenizer_class == TokenizerClass::xlm_roberta) {
    finish_xlm_roberta(configuration, spec, origin);
  }
  spec.rules.strip_accents = spec.strip_accents.value_or(spec.rules.lowercase);
  spec.file_rules = spec.rules;
  spec.file_max_chars_per_word = spec.max_chars_per_word;
  require_tokens(spec, origin);
  if (!has_templates && !spec.unigram) {
    spec.templates = bert_templates(spec.vocabulary, spec.cls_token, spec.sep_token);
  }
  if (spec.japanese) finish_japanese(spec);
  return spec;
}

/// Whether a vocabulary was made from text in its own case: it has a token with an upper-case ASCII
/// letter besides those in brackets ([CLS], [unused1]).
bool is_cased(const Vocabulary& vocabulary) {
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    const auto token = vocabulary.token(id);
    if (token.starts_with('[') && token.ends_with(']')) continue;
    if (std::any_of(token.begin(), token.end(), [](char c) { return c >= 'A' && c <= 'Z'; }))
      return true;
  }
  return false;
}

}  // namespace

Vocabulary read_vocab_txt(const fs::path& path, bool keep_white_space) {
  const auto content = files::read_text(path);
  std::string_view text = content;
  if (const auto bad = utf8::valid_prefix(text); bad != text.size()) {
    throw FormatError(fmt::format("{}: line {} is not UTF-8 (byte {}); save the file as UTF-8",
                                  path.string(), line_of(text, bad), bad));
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark
  std::vector<std::string_view> tokens;
  tokens.reserve(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    if (tokens.size() >= static_cast<std::size_t>(Vocabulary::kMaxTokens)) {
      throw FormatError(fmt::format("{}: more than {} lines; this is no vocabulary", path.string(),
                                    Vocabulary::kMaxTokens));
    }
    const auto line = text.substr(at, end - at);
    tokens.push_back(keep_white_space ? line.substr(0, line.size() - (line.ends_with('\r') ? 1 : 0))
                                      : trim_end(line));
    at = end + 1;
  }
  // As transformers reads it: ids count all lines, a blank line has no token that text could have,
  // and a token that is there twice has the id of the last.
  std::unordered_map<std::string_view, std::size_t> line_of_token;
  line_of_token.reserve(tokens.size());
  for (std::size_t line = 0; line < tokens.size(); ++line) line_of_token[tokens[line]] = line;
  Vocabulary vocabulary("##", tokens.size());
  for (std::size_t line = 0; line < tokens.size(); ++line) {
    if (tokens[line].empty() || line_of_token[tokens[line]] != line) continue;
    static_cast<void>(vocabulary.add(tokens[line], static_cast<std::int32_t>(line)));
  }
  if (vocabulary.size() == 0) {
    throw FormatError(
        fmt::format("{}: the file is empty; a vocabulary has one token a line", path.string()));
  }
  return vocabulary;
}

namespace {

/// The rules of a Japanese tokenizer, with the dictionary that the user gave: by an argument, or in
/// the environment.
JapaneseRules japanese_rules(const Configuration& configuration, const Json& model_config,
                             const fs::path& dictionary) {
  auto rules = read_japanese_rules(configuration, model_config);
  if (!dictionary.empty()) {
    rules.mecab.given = dictionary;
    rules.mecab.given_by = "the option dictionary";
  } else if (const auto path = environment_variable(kDictionaryVariable)) {
    rules.mecab.given = *path;
    rules.mecab.given_by = std::string("$") + kDictionaryVariable;
  }
  return rules;
}

}  // namespace

TokenizerSpec read_tokenizer(const fs::path& directory, const fs::path& dictionary) {
  const auto json_path = directory / "tokenizer.json";
  const auto vocab_path = directory / "vocab.txt";
  if (!files::is_directory(directory)) {
    throw IoError(
        fmt::format("{}: no such directory; a tokenizer is a directory with tokenizer.json "
                    "or vocab.txt",
                    excerpt_of_path(directory)));
  }
  TokenizerSpec spec;
  bool has_json = files::exists(json_path);
  const auto configuration = read_configuration(directory);
  const auto model_config = read_object_if_there(directory / "config.json");
  // A tokenizer.json that has nothing beside it is all there is to say.
  const bool alone = !model_config && !files::exists(directory / "tokenizer_config.json");
  spec.tokenizer_class =
      has_json && alone
          ? TokenizerClass::file
          : tokenizer_class_of(configuration.config, model_config.value_or(Json::object()),
                               directory.string());
  spec.gives_types = gives_token_types(
      configuration.config,
      tokenizer_class_name(configuration.config, model_config.value_or(Json::object()),
                           directory.string()),
      configuration.origin);
  if (spec.tokenizer_class == TokenizerClass::japanese) {
    has_json = false;  // transformers does not look at it
    spec.japanese = japanese_rules(configuration, model_config.value_or(Json()), dictionary);
    if (!files::exists(vocab_path)) {
      throw IoError(
          fmt::format("{}: there is no vocab.txt in it, which a BertJapaneseTokenizer is read from",
                      directory.string()));
    }
  }
  if (!has_json && spec.tokenizer_class == TokenizerClass::file && files::exists(vocab_path)) {
    throw ModelError(
        fmt::format("{}: tokenizer.json is missing, and the tokenizer's class reads nothing else; "
                    "a vocab.txt is for a tokenizer_class of BertTokenizer",
                    directory.string()));
  }
  if (has_json) {
    read_tokenizer_json(files::read_text(json_path), json_path.string(), spec);
    if (spec.tokenizer_class == TokenizerClass::bert) rebuild_as_bert(spec);
  } else if (spec.tokenizer_class == TokenizerClass::xlm_roberta) {
    read_sentencepiece(sentencepiece_file(directory), xlm_roberta_pieces(configuration), spec);
  } else if (files::exists(vocab_path)) {
    spec.vocabulary = read_vocab_txt(vocab_path, spec.japanese.has_value());
    spec.base_vocab_size = spec.vocabulary.size();
    // Google's releases say by their names alone whether they are cased; their vocabularies tell.
    const bool google =
        files::exists(directory / "bert_config.json") && !files::exists(directory / "config.json");
    if (google) spec.rules.lowercase = !is_cased(spec.vocabulary);
  } else {
    throw IoError(
        fmt::format("{}: there is neither tokenizer.json nor vocab.txt in it", directory.string()));
  }
  const bool has_templates = has_json && spec.tokenizer_class == TokenizerClass::file;
  return completed(std::move(spec), configuration, directory.string(), has_templates);
}

TokenizerSpec parse_tokenizer(std::string_view tokenizer_json,
                              std::string_view tokenizer_config_json, const fs::path& dictionary) {
  TokenizerSpec spec;
  Configuration configuration{.config = Json::object(), .origin = "tokenizer_config.json"};
  spec.tokenizer_class = TokenizerClass::file;
  if (!tokenizer_config_json.empty()) {
    configuration.config = parse_json_object(tokenizer_config_json, configuration.origin);
    static_cast<void>(take_added_tokens(configuration));
    spec.tokenizer_class =
        tokenizer_class_of(configuration.config, Json::object(), configuration.origin);
    spec.gives_types = gives_token_types(
        configuration.config,
        tokenizer_class_name(configuration.config, Json::object(), configuration.origin),
        configuration.origin);
  }
  read_tokenizer_json(tokenizer_json, "tokenizer.json", spec);
  const bool japanese = spec.tokenizer_class == TokenizerClass::japanese;
  const bool bert = spec.tokenizer_class == TokenizerClass::bert || japanese;
  if (japanese) spec.japanese = japanese_rules(configuration, Json(), dictionary);
  if (bert) rebuild_as_bert(spec);
  return completed(std::move(spec), configuration, "tokenizer.json", !bert);
}

TokenizerSpec tokenizer_of(Vocabulary vocabulary, const TokenizerOptions& options,
                           const std::string& origin) {
  TokenizerSpec spec;
  spec.vocabulary = std::move(vocabulary);
  spec.base_vocab_size = spec.vocabulary.size();
  spec.rules.lowercase = options.lowercase;
  spec.rules.handle_chinese_chars = options.tokenize_chinese_chars;
  spec.strip_accents = options.strip_accents;
  spec.model_max_length = options.model_max_length;
  if (options.model_max_length.value_or(1) < 1) {
    throw ArgumentError(
        fmt::format("a model_max_length of {} leaves no token", *options.model_max_length));
  }
  const auto& tokens = options.special_tokens;
  spec.unk_token = tokens.unk;
  spec.sep_token = tokens.sep;
  spec.pad_token = tokens.pad;
  spec.cls_token = tokens.cls;
  spec.mask_token = tokens.mask;
  return completed(std::move(spec), {.config = Json::object(), .origin = origin}, origin, false);
}

Vocabulary vocabulary_of(std::span<const std::string> tokens) {
  Vocabulary vocabulary("##", tokens.size());
  if (tokens.size() > static_cast<std::size_t>(Vocabulary::kMaxTokens)) {
    throw ArgumentError(fmt::format("{} tokens are more than a vocabulary has: at most {}",
                                    tokens.size(), Vocabulary::kMaxTokens));
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (utf8::valid_prefix(tokens[i]) != tokens[i].size()) {
      throw ArgumentError(
          fmt::format("token {} of the vocabulary is not UTF-8: {}", i, in_quotes(tokens[i])));
    }
    if (!vocabulary.add(tokens[i], static_cast<std::int32_t>(i))) {
      throw ArgumentError(fmt::format("token {} of the vocabulary, {}, is there twice: first as {}",
                                      i, in_quotes(tokens[i]), *vocabulary.id_of(tokens[i])));
    }
  }
  return vocabulary;
}

}  // namespace cloze::text
