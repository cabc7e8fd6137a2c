#include "text/files/tokenizer_files.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/files.h"
#include "core/json.h"
#include "core/json_scanner.h"
#include "core/mapped_file.h"
#include "core/utf8.h"

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

std::optional<Json> read_object(const fs::path& path) {
  if (!files::exists(path)) return std::nullopt;
  return read_json_object(path);
}

// --- fields of JSON objects, with errors that name them

template <class T>
std::optional<T> field(const Json& object, const char* name, const std::string& origin) {
  if (!object.is_object()) throw FormatError(fmt::format("{}: not an object", origin));
  const auto at = object.find(name);
  if (at == object.end() || at->is_null()) return std::nullopt;
  try {
    return at->get<T>();
  } catch (const Json::exception&) {
    throw FormatError(fmt::format("{}: field \"{}\" is {}, which is of the wrong type", origin,
                                  name, json_excerpt(*at)));
  }
}

template <class T>
T required(const Json& object, const char* name, const std::string& origin) {
  auto value = field<T>(object, name, origin);
  if (!value) throw FormatError(fmt::format("{}: field \"{}\" is missing", origin, name));
  return *std::move(value);
}

// A whole number in [0, 2^31).
std::optional<std::int32_t> number(const Json& object, const char* name,
                                   const std::string& origin) {
  const auto value = field<double>(object, name, origin);
  if (!value) return std::nullopt;
  if (*value < 0 || *value > std::numeric_limits<std::int32_t>::max() ||
      *value != std::floor(*value)) {
    throw FormatError(fmt::format("{}: field \"{}\" is {}; it must be a whole number in [0, 2^31)",
                                  origin, name, *value));
  }
  return static_cast<std::int32_t>(*value);
}

std::int32_t required_number(const Json& object, const char* name, const std::string& origin) {
  const auto value = number(object, name, origin);
  if (!value) throw FormatError(fmt::format("{}: field \"{}\" is missing", origin, name));
  return *value;
}

AddedToken added_token(const Json& json, const std::string& origin) {
  AddedToken token;
  token.content = required<std::string>(json, "content", origin);
  token.single_word = field<bool>(json, "single_word", origin).value_or(false);
  token.lstrip = field<bool>(json, "lstrip", origin).value_or(false);
  token.rstrip = field<bool>(json, "rstrip", origin).value_or(false);
  token.special = field<bool>(json, "special", origin).value_or(false);
  token.normalized = field<bool>(json, "normalized", origin).value_or(!token.special);
  return token;
}

// Added tokens by content. Each token's id is the vocabulary's where it is in it.
class AddedTokens {
 public:
  explicit AddedTokens(Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

  // `wanted` is the id that the file states, if it does.
  void add(AddedToken token, std::optional<std::int32_t> wanted, const std::string& origin) {
    if (token.content.empty()) return;
    if (const auto id = vocabulary_.id_of(token.content)) {
      token.id = *id;
    } else {
      token.id = wanted.value_or(vocabulary_.size());
      try {
        vocabulary_.add(token.content, token.id, false);
      } catch (const ArgumentError& error) {
        throw FormatError(fmt::format("{}: {}", origin, error.what()));
      }
    }
    const auto same = std::find_if(tokens_.begin(), tokens_.end(),
                                   [&](const AddedToken& t) { return t.content == token.content; });
    if (same == tokens_.end()) {
      tokens_.push_back(std::move(token));
    } else {
      *same = std::move(token);
    }
  }

  [[nodiscard]] bool contains(std::string_view content) const {
    return std::any_of(tokens_.begin(), tokens_.end(),
                       [&](const AddedToken& t) { return t.content == content; });
  }

  std::vector<AddedToken> take() {
    std::sort(tokens_.begin(), tokens_.end(),
              [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
    return std::move(tokens_);
  }

 private:
  Vocabulary& vocabulary_;
  std::vector<AddedToken> tokens_;
};

// --- tokenizer.json

// The parts of tokenizer.json; the vocabulary is read while scanning, the rest is small.
struct TokenizerJson {
  Vocabulary vocabulary;
  Json model = Json::object();  // without the vocabulary
  Json added_tokens, normalizer, pre_tokenizer, post_processor, decoder;
};

void read_vocab_object(JsonScanner& scan, Vocabulary& vocabulary) {
  scan.object([&](std::string_view token) {
    const auto id = scan.id();
    try {
      if (!vocabulary.add(token, id)) {
        scan.fail(fmt::format("token \"{}\" is in the vocabulary twice", token));
      }
    } catch (const ArgumentError& error) {
      scan.fail(error.what());
    }
  });
}

TokenizerJson scan_tokenizer_json(std::string_view text, const std::string& origin) {
  // The prefix decides how tokens are stored, so it is looked for first; it comes before or after
  // the vocabulary.
  TokenizerJson parts;
  std::optional<std::string> prefix;
  bool found_model = false;
  for (const bool vocabulary_pass : {false, true}) {
    JsonScanner scan(text, origin);
    std::set<std::string, std::less<>> keys, model_keys;
    // tokenizers refuses such a file too.
    const auto once = [&scan](auto& seen, std::string_view name) {
      if (!seen.emplace(name).second) {
        scan.fail(fmt::format("the key {} occurs twice", in_quotes(name)));
      }
    };
    scan.object([&](std::string_view key) {
      once(keys, key);
      if (key == "model" && scan.at_object()) {
        found_model = true;
        scan.object([&](std::string_view name) {
          once(model_keys, name);
          if (name == "vocab" && vocabulary_pass) {
            read_vocab_object(scan, parts.vocabulary);
          } else {
            const auto value = scan.value();
            if (name != "vocab" && !vocabulary_pass) {
              parts.model[std::string(name)] = parse_json(value, origin);
            }
          }
        });
        return;
      }
      const auto value = scan.value();
      if (vocabulary_pass) return;
      for (const auto& [name, part] : {std::pair{"added_tokens", &parts.added_tokens},
                                       {"normalizer", &parts.normalizer},
                                       {"pre_tokenizer", &parts.pre_tokenizer},
                                       {"post_processor", &parts.post_processor},
                                       {"decoder", &parts.decoder}}) {
        if (key == name) *part = parse_json(value, origin);
      }
    });
    scan.end();
    if (!vocabulary_pass) {
      prefix = field<std::string>(parts.model, "continuing_subword_prefix", origin);
      parts.vocabulary = Vocabulary(prefix.value_or("##"), text.size() / 16);
    }
  }
  if (!found_model) throw FormatError(fmt::format("{}: there is no \"model\"", origin));
  return parts;
}

// A component, or the only one of a "Sequence" of one. Null when absent.
const Json& component(const Json& json, const char* list) {
  if (!json.is_object()) return json;
  const auto type = json.find("type");
  const auto parts = json.find(list);
  const bool sequence_of_one = type != json.end() && *type == "Sequence" && parts != json.end() &&
                               parts->is_array() && parts->size() == 1;
  return sequence_of_one ? (*parts)[0] : json;
}

std::string type_of(const Json& json, const std::string& origin) {
  return json.is_null() ? "none" : required<std::string>(json, "type", origin);
}

void read_normalizer(const Json& json, TokenizerSpec& spec, const std::string& origin) {
  const Json& normalizer = component(json, "normalizers");
  if (normalizer.is_null()) {
    spec.rules = {false, false, false, false, false};
    spec.strip_accents = false;
    return;
  }
  if (const auto type = type_of(normalizer, origin); type != "BertNormalizer") {
    throw ModelError(
        fmt::format("{}: the normalizer is {}, not BertNormalizer: this is not the "
                    "tokenizer of a BERT",
                    origin, type));
  }
  spec.rules.clean_text = required<bool>(normalizer, "clean_text", origin);
  spec.rules.handle_chinese_chars = required<bool>(normalizer, "handle_chinese_chars", origin);
  spec.strip_accents = field<bool>(normalizer, "strip_accents", origin);
  spec.rules.lowercase = required<bool>(normalizer, "lowercase", origin);
}

Template read_template(const Json& pieces, const Json& special, const Vocabulary& vocabulary,
                       const std::string& origin) {
  Template result;
  for (const auto& json : pieces) {
    TemplatePiece piece;
    const auto at = json.is_object() ? json.find("SpecialToken") : json.end();
    const bool is_special = at != json.end();
    const Json body = is_special ? *at : required<Json>(json, "Sequence", origin);
    const auto id = required<std::string>(body, "id", origin);
    piece.type_id = required_number(body, "type_id", origin);
    if (is_special) {
      const Json token = required<Json>(special, id.c_str(), origin);
      piece.ids = required<std::vector<std::int32_t>>(token, "ids", origin);
      piece.tokens = required<std::vector<std::string>>(token, "tokens", origin);
      if (piece.ids.size() != piece.tokens.size() ||
          !std::all_of(piece.ids.begin(), piece.ids.end(),
                       [&](std::int32_t i) { return vocabulary.has_id(i); })) {
        throw FormatError(
            fmt::format("{}: the template's special token \"{}\" has ids that are not "
                        "in the vocabulary",
                        origin, id));
      }
    } else {
      piece.sequence = id == "A" ? 0 : 1;
    }
    result.push_back(std::move(piece));
  }
  return result;
}

TemplatePiece special_piece(const Vocabulary& vocabulary, const std::string& token,
                            std::int32_t type_id) {
  return {-1, type_id, {*vocabulary.id_of(token)}, {token}};
}

Templates bert_templates(const Vocabulary& vocabulary, const std::string& cls,
                         const std::string& sep) {
  const auto piece = [&](const std::string& token, std::int32_t type_id) {
    return special_piece(vocabulary, token, type_id);
  };
  const TemplatePiece first{0, 0, {}, {}};
  const TemplatePiece second{1, 1, {}, {}};
  return {{piece(cls, 0), first, piece(sep, 0)},
          {piece(cls, 0), first, piece(sep, 0), second, piece(sep, 1)}};
}

std::string named_token(const Json& processor, const char* name, const Vocabulary& vocabulary,
                        const std::string& origin) {
  auto token = required<std::pair<std::string, std::int32_t>>(processor, name, origin).first;
  if (!vocabulary.id_of(token)) {
    throw FormatError(fmt::format(
        "{}: the post-processor's {} token \"{}\" is not in the vocabulary", origin, name, token));
  }
  return token;
}

void read_post_processor(const Json& json, TokenizerSpec& spec, const std::string& origin) {
  const Json& processor = component(json, "processors");
  const auto type = type_of(processor, origin);
  if (type == "TemplateProcessing") {
    const auto special = required<Json>(processor, "special_tokens", origin);
    spec.templates.single = read_template(required<Json>(processor, "single", origin), special,
                                          spec.vocabulary, origin);
    spec.templates.pair =
        read_template(required<Json>(processor, "pair", origin), special, spec.vocabulary, origin);
  } else if (type == "BertProcessing") {
    spec.templates =
        bert_templates(spec.vocabulary, named_token(processor, "cls", spec.vocabulary, origin),
                       named_token(processor, "sep", spec.vocabulary, origin));
  } else if (type == "none") {
    spec.templates = {{{0, 0, {}, {}}}, {{0, 0, {}, {}}, {1, 1, {}, {}}}};
  } else {
    throw ModelError(
        fmt::format("{}: the post-processor is {}; a BERT has TemplateProcessing or "
                    "BertProcessing",
                    origin, type));
  }
}

void read_tokenizer_json(const fs::path& path, TokenizerSpec& spec) {
  const std::string origin = path.string();
  const auto file = MappedFile::open(path);
  auto parts = scan_tokenizer_json(file->text(), origin);
  if (const auto type = field<std::string>(parts.model, "type", origin).value_or("WordPiece");
      type != "WordPiece") {
    throw ModelError(
        fmt::format("{}: the model is {}, not WordPiece: this is not the tokenizer of a "
                    "BERT",
                    origin, type));
  }
  const Json& pre = component(parts.pre_tokenizer, "pretokenizers");
  if (const auto type = type_of(pre, origin); type != "BertPreTokenizer") {
    throw ModelError(
        fmt::format("{}: the pre-tokenizer is {}, not BertPreTokenizer: this is not the "
                    "tokenizer of a BERT",
                    origin, type));
  }
  spec.vocabulary = std::move(parts.vocabulary);
  spec.base_vocab_size = spec.vocabulary.size();
  spec.unk_token = field<std::string>(parts.model, "unk_token", origin).value_or("[UNK]");
  spec.max_chars_per_word = number(parts.model, "max_input_chars_per_word", origin).value_or(100);
  read_normalizer(parts.normalizer, spec, origin);

  AddedTokens added(spec.vocabulary);
  if (!parts.added_tokens.is_null()) {
    if (!parts.added_tokens.is_array()) {
      throw FormatError(fmt::format("{}: \"added_tokens\" is not an array", origin));
    }
    for (const auto& json : parts.added_tokens) {
      added.add(added_token(json, origin), required_number(json, "id", origin), origin);
    }
  }
  spec.added = added.take();
  read_post_processor(parts.post_processor, spec, origin);
  if (parts.decoder.is_object()) {
    spec.decoder_cleanup = field<bool>(parts.decoder, "cleanup", origin).value_or(true);
  }
}

// --- tokenizer_config.json and its older companions

// A special token as a configuration names it: a string, or an AddedToken's fields.
std::optional<AddedToken> special_token(const Json& config, const char* name,
                                        const std::string& origin) {
  const auto at = config.find(name);
  if (at == config.end() || at->is_null()) return std::nullopt;
  AddedToken token;
  if (at->is_object()) {
    token = added_token(*at, origin);
  } else {
    token.content = required<std::string>(config, name, origin);
  }
  token.special = true;
  if (!at->is_object() || !at->contains("normalized")) token.normalized = false;
  return token;
}

// What tokenizer_config.json says, and where it is silent special_tokens_map.json.
struct Configuration {
  Json config = Json::object();
  std::string origin;
  std::vector<std::pair<AddedToken, std::optional<std::int32_t>>> added;
};

Configuration read_configuration(const fs::path& directory) {
  Configuration result;
  const auto config_path = directory / "tokenizer_config.json";
  result.origin = config_path.string();
  if (auto config = read_object(config_path)) result.config = *std::move(config);
  if (const auto at = result.config.find("added_tokens_decoder"); at != result.config.end()) {
    if (!at->is_object()) {
      throw FormatError(
          fmt::format("{}: \"added_tokens_decoder\" is not an object", result.origin));
    }
    for (const auto& [id, json] : at->items()) {
      if (id.empty() || id.size() > 9 || id.find_first_not_of("0123456789") != std::string::npos) {
        throw FormatError(
            fmt::format("{}: \"{}\" in added_tokens_decoder is no token id", result.origin, id));
      }
      result.added.emplace_back(added_token(json, result.origin), std::stoi(id));
    }
    return result;
  }
  // Older checkpoints: transformers merges these two in the same case.
  const auto map_path = directory / "special_tokens_map.json";
  if (const auto map = read_object(map_path)) {
    for (const auto& [name, value] : map->items()) result.config[name] = value;
  }
  const auto added_path = directory / "added_tokens.json";
  if (const auto added = read_object(added_path)) {
    for (const auto& [content, id] : added->items()) {
      AddedToken token;
      token.content = content;
      for (const auto* name : {"unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
        const auto special = special_token(result.config, name, map_path.string());
        token.special = token.special || (special && special->content == content);
      }
      token.normalized = !token.special;
      result.added.emplace_back(std::move(token),
                                required_number(*added, content.c_str(), added_path.string()));
    }
  }
  return result;
}

void apply_configuration(const Configuration& configuration, TokenizerSpec& spec) {
  const auto& [config, origin, stated] = configuration;
  // As transformers does, these switches win over tokenizer.json's where they are stated.
  if (const auto v = field<bool>(config, "do_lower_case", origin)) spec.rules.lowercase = *v;
  if (const auto v = field<bool>(config, "strip_accents", origin)) spec.strip_accents = *v;
  if (const auto v = field<bool>(config, "tokenize_chinese_chars", origin)) {
    spec.rules.handle_chinese_chars = *v;
  }
  if (const auto v = field<double>(config, "model_max_length", origin); v && *v > 0 && *v < 1e9) {
    spec.model_max_length = static_cast<std::int64_t>(*v);
  }

  AddedTokens added(spec.vocabulary);
  for (auto& token : spec.added) added.add(std::move(token), std::nullopt, origin);
  for (const auto& [token, id] : stated) added.add(token, id, origin);
  for (const auto& [name, content] : {std::pair{"unk_token", &spec.unk_token},
                                      {"sep_token", &spec.sep_token},
                                      {"pad_token", &spec.pad_token},
                                      {"cls_token", &spec.cls_token},
                                      {"mask_token", &spec.mask_token}}) {
    auto token = special_token(config, name, origin);
    if (token) *content = token->content;
    if (!token) token = AddedToken{.content = *content, .special = true};
    // A token that is nowhere is not invented here: no model has a row for it.
    if (spec.vocabulary.id_of(*content) && !added.contains(*content)) {
      added.add(*std::move(token), std::nullopt, origin);
    }
  }
  for (const auto* name : {"additional_special_tokens", "extra_special_tokens"}) {
    const auto at = config.find(name);
    if (at == config.end() || !at->is_array()) continue;
    for (const auto& json : *at) {
      AddedToken token;
      if (json.is_object()) {
        token = added_token(json, origin);
      } else if (json.is_string()) {
        token.content = json.get<std::string>();
      }
      token.special = true;
      if (!added.contains(token.content)) added.add(std::move(token), std::nullopt, origin);
    }
  }
  spec.added = added.take();
}

void require_token(const TokenizerSpec& spec, const std::string& token, const fs::path& directory) {
  if (spec.vocabulary.id_of(token)) return;
  throw FormatError(fmt::format(
      "{}: the vocabulary has no \"{}\", which every BERT needs; is this the right file, or does "
      "tokenizer_config.json name another token?",
      directory.string(), token));
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

Vocabulary read_vocab_txt(const fs::path& path) {
  const auto file = MappedFile::open(path);
  std::string_view text = file->text();
  if (const auto bad = utf8::valid_prefix(text); bad != text.size()) {
    throw FormatError(fmt::format("{}: line {} is not UTF-8 (byte {}); save the file as UTF-8",
                                  path.string(), line_of(text, bad), bad));
  }
  Vocabulary vocabulary("##",
                        static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1);
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark
  std::int32_t line = 0;
  for (std::size_t at = 0; at < text.size(); ++line) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto token = trim_end(text.substr(at, end - at));
    at = end + 1;
    if (line >= Vocabulary::kMaxTokens) {
      throw FormatError(fmt::format("{}: more than {} lines; this is no vocabulary", path.string(),
                                    Vocabulary::kMaxTokens));
    }
    if (!vocabulary.add(token, line)) {
      throw FormatError(
          fmt::format("{}: line {} has token \"{}\" again (first on line {}); remove "
                      "or rename one, since a token has one id",
                      path.string(), line + 1, token, *vocabulary.id_of(token) + 1));
    }
  }
  if (vocabulary.size() == 0) {
    throw FormatError(
        fmt::format("{}: the file is empty; a vocabulary has one token a line", path.string()));
  }
  return vocabulary;
}

TokenizerSpec read_tokenizer(const fs::path& directory) {
  const auto json_path = directory / "tokenizer.json";
  const auto vocab_path = directory / "vocab.txt";
  if (!files::is_directory(directory)) {
    throw IoError(
        fmt::format("{}: no such directory; a tokenizer is a directory with tokenizer.json "
                    "or vocab.txt",
                    directory.string()));
  }
  TokenizerSpec spec;
  const bool has_json = files::exists(json_path);
  if (has_json) {
    read_tokenizer_json(json_path, spec);
  } else if (files::exists(vocab_path)) {
    spec.vocabulary = read_vocab_txt(vocab_path);
    spec.base_vocab_size = spec.vocabulary.size();
    // Google's releases say by their names alone whether they are cased; their vocabularies tell.
    const bool google =
        files::exists(directory / "bert_config.json") && !files::exists(directory / "config.json");
    if (google) spec.rules.lowercase = !is_cased(spec.vocabulary);
  } else {
    throw IoError(
        fmt::format("{}: there is neither tokenizer.json nor vocab.txt in it", directory.string()));
  }
  const auto configuration = read_configuration(directory);
  apply_configuration(configuration, spec);
  spec.rules.strip_accents = spec.strip_accents.value_or(spec.rules.lowercase);
  spec.file_rules = spec.rules;
  spec.file_max_chars_per_word = spec.max_chars_per_word;
  for (const auto* token : {&spec.unk_token, &spec.cls_token, &spec.sep_token}) {
    require_token(spec, *token, directory);
  }
  if (!has_json) spec.templates = bert_templates(spec.vocabulary, spec.cls_token, spec.sep_token);
  return spec;
}

}  // namespace cloze::text
