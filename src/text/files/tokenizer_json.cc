#include "text/files/tokenizer_json.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/json_fields.h"
#include "core/json_scanner.h"
#include "text/files/added_token_list.h"
#include "text/files/piece_score.h"
#include "text/files/unigram_json.h"

namespace cloze::text {
namespace {

using Json = nlohmann::json;

// The parts of tokenizer.json; the vocabulary is read while scanning, the rest is small.
struct TokenizerJson {
  Vocabulary vocabulary;
  std::vector<double> scores;   // of a Unigram model's pieces
  Json model = Json::object();  // without the vocabulary
  Json truncation, added_tokens, normalizer, pre_tokenizer, post_processor, decoder;
};

void read_vocab_object(JsonScanner& scan, Vocabulary& vocabulary) {
  scan.object([&](std::string_view token) {
    const auto id = scan.id();
    try {
      if (!vocabulary.add(token, id)) {
        scan.fail(fmt::format("token {} is in the vocabulary twice", in_quotes(token)));
      }
    } catch (const ArgumentError& error) {
      scan.fail(error.what());
    }
  });
}

// [piece, score] by [piece, score]: a piece's id is its place.
void read_scored_pieces(JsonScanner& scan, Decimals decimals, TokenizerJson& parts) {
  scan.array([&] {
    const auto id = static_cast<std::int32_t>(parts.scores.size());
    int fields = 0;
    scan.array([&] {
      if (fields == 0) {
        std::string storage;
        const auto piece = scan.string(storage);
        try {
          if (!parts.vocabulary.add(piece, id, false)) {
            scan.fail(fmt::format("piece {} is in the vocabulary twice", in_quotes(piece)));
          }
        } catch (const ArgumentError& error) {
          scan.fail(error.what());
        }
      } else if (fields == 1) {
        const auto number = scan.number();
        parts.scores.push_back(read_score(number, decimals));
        if (!std::isfinite(parts.scores.back())) {
          scan.fail(fmt::format("the score {} of piece {} is out of range", excerpt(number), id));
        }
      }
      if (++fields > 2) scan.fail(fmt::format("piece {} has more than a text and a score", id));
    });
    if (fields != 2) scan.fail(fmt::format("piece {} has no text and score", id));
  });
}

TokenizerJson scan_tokenizer_json(std::string_view text, const std::string& origin,
                                  TokenizerClass tokenizer_class) {
  // The prefix decides how tokens are stored, so it is looked for first; it comes before or after
  // the vocabulary. BertTokenizer has its own, whatever the file says.
  TokenizerJson parts;
  const auto decimals =
      tokenizer_class == TokenizerClass::file ? Decimals::tokenizers : Decimals::exact;
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
          if (name == "vocab" && vocabulary_pass && scan.at_array()) {
            read_scored_pieces(scan, decimals, parts);
          } else if (name == "vocab" && vocabulary_pass) {
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
      for (const auto& [name, part] : {std::pair{"truncation", &parts.truncation},
                                       {"added_tokens", &parts.added_tokens},
                                       {"normalizer", &parts.normalizer},
                                       {"pre_tokenizer", &parts.pre_tokenizer},
                                       {"post_processor", &parts.post_processor},
                                       {"decoder", &parts.decoder}}) {
        if (key == name) *part = parse_json(value, origin);
      }
    });
    scan.end();
    if (!vocabulary_pass) {
      auto prefix = json_field<std::string>(parts.model, "continuing_subword_prefix", origin);
      if (tokenizer_class == TokenizerClass::bert || tokenizer_class == TokenizerClass::japanese) {
        prefix.reset();
      }
      parts.vocabulary = Vocabulary(prefix.value_or("##"), text.size() / 16);
    }
  }
  if (!found_model) throw FormatError(fmt::format("{}: there is no \"model\"", origin));
  return parts;
}

std::string type_of(const Json& json, const std::string& origin) {
  return json.is_null() ? "none" : required_json_field<std::string>(json, "type", origin);
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
                    origin, excerpt(type)));
  }
  spec.rules.clean_text = required_json_field<bool>(normalizer, "clean_text", origin);
  spec.rules.handle_chinese_chars =
      required_json_field<bool>(normalizer, "handle_chinese_chars", origin);
  spec.strip_accents = json_field<bool>(normalizer, "strip_accents", origin);
  spec.rules.lowercase = required_json_field<bool>(normalizer, "lowercase", origin);
}

Template read_template(const Json& pieces, const Json& special, const Vocabulary& vocabulary,
                       const std::string& origin) {
  Template result;
  for (const auto& json : pieces) {
    TemplatePiece piece;
    const auto at = json.is_object() ? json.find("SpecialToken") : json.end();
    const bool is_special = at != json.end();
    const Json body = is_special ? *at : required_json_field<Json>(json, "Sequence", origin);
    const auto id = required_json_field<std::string>(body, "id", origin);
    piece.type_id = required_json_count(body, "type_id", origin);
    if (is_special) {
      const Json token = required_json_field<Json>(special, id.c_str(), origin);
      piece.ids = required_json_counts(token, "ids", origin);
      piece.tokens = required_json_field<std::vector<std::string>>(token, "tokens", origin);
      if (piece.ids.size() != piece.tokens.size() ||
          !std::all_of(piece.ids.begin(), piece.ids.end(),
                       [&](std::int32_t i) { return vocabulary.has_id(i); })) {
        throw FormatError(
            fmt::format("{}: the template's special token {} has ids that are not "
                        "in the vocabulary",
                        origin, in_quotes(id)));
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

std::string named_token(const Json& processor, const char* name, const Vocabulary& vocabulary,
                        const std::string& origin) {
  auto token =
      required_json_field<std::pair<std::string, std::int32_t>>(processor, name, origin).first;
  if (!vocabulary.id_of(token)) {
    throw FormatError(fmt::format("{}: the post-processor's {} token {} is not in the vocabulary",
                                  origin, name, in_quotes(token)));
  }
  return token;
}

void read_post_processor(const Json& json, TokenizerSpec& spec, const std::string& origin) {
  const Json& processor = component(json, "processors");
  const auto type = type_of(processor, origin);
  if (type == "TemplateProcessing") {
    const auto special = required_json_field<Json>(processor, "special_tokens", origin);
    spec.templates.single = read_template(required_json_field<Json>(processor, "single", origin),
                                          special, spec.vocabulary, origin);
    spec.templates.pair = read_template(required_json_field<Json>(processor, "pair", origin),
                                        special, spec.vocabulary, origin);
  } else if (type == "BertProcessing") {
    spec.templates =
        bert_templates(spec.vocabulary, named_token(processor, "cls", spec.vocabulary, origin),
                       named_token(processor, "sep", spec.vocabulary, origin));
  } else if (type == "RobertaProcessing" && spec.unigram) {
    spec.templates =
        roberta_templates(spec.vocabulary, named_token(processor, "cls", spec.vocabulary, origin),
                          named_token(processor, "sep", spec.vocabulary, origin));
    spec.templates.overflow_has_types = true;
    if (json_field<bool>(processor, "trim_offsets", origin).value_or(true)) {
      spec.templates.trim_offsets =
          json_field<bool>(processor, "add_prefix_space", origin).value_or(true);
    }
  } else if (type == "none") {
    spec.templates = {{{0, 0, {}, {}}}, {{0, 0, {}, {}}, {1, 1, {}, {}}}, false};
  } else {
    throw ModelError(fmt::format(
        "{}: the post-processor is {}; Cloze reads TemplateProcessing, BertProcessing and, "
        "of a Unigram model, RobertaProcessing",
        origin, excerpt(type)));
  }
}

}  // namespace

Templates bert_templates(const Vocabulary& vocabulary, const std::string& cls,
                         const std::string& sep) {
  const auto piece = [&](const std::string& token, std::int32_t type_id) {
    return special_piece(vocabulary, token, type_id);
  };
  const TemplatePiece first{0, 0, {}, {}};
  const TemplatePiece second{1, 1, {}, {}};
  return {{piece(cls, 0), first, piece(sep, 0)},
          {piece(cls, 0), first, piece(sep, 0), second, piece(sep, 1)},
          false};
}

Templates roberta_templates(const Vocabulary& vocabulary, const std::string& cls,
                            const std::string& sep) {
  const auto piece = [&](const std::string& token) { return special_piece(vocabulary, token, 0); };
  const TemplatePiece first{0, 0, {}, {}};
  const TemplatePiece second{1, 0, {}, {}};
  return {{piece(cls), first, piece(sep)},
          {piece(cls), first, piece(sep), piece(sep), second, piece(sep)},
          false};
}

namespace {

void read_word_piece(const TokenizerJson& parts, TokenizerSpec& spec, const std::string& origin) {
  const Json& pre = component(parts.pre_tokenizer, "pretokenizers");
  if (const auto type = type_of(pre, origin); type != "BertPreTokenizer") {
    throw ModelError(
        fmt::format("{}: the pre-tokenizer is {}, not BertPreTokenizer: this is not the "
                    "tokenizer of a BERT",
                    origin, excerpt(type)));
  }
  spec.unk_token = json_field<std::string>(parts.model, "unk_token", origin).value_or("[UNK]");
  spec.max_chars_per_word =
      json_count(parts.model, "max_input_chars_per_word", origin).value_or(100);
  read_normalizer(parts.normalizer, spec, origin);
  if (parts.decoder.is_object()) {
    spec.decoder_cleanup = json_field<bool>(parts.decoder, "cleanup", origin).value_or(true);
  }
}

}  // namespace

void read_tokenizer_json(std::string_view json, const std::string& origin, TokenizerSpec& spec) {
  auto parts = scan_tokenizer_json(json, origin, spec.tokenizer_class);
  if (parts.truncation.is_object()) {
    spec.cuts_from_left = parts.truncation.value("direction", Json("Right")) == "Left";
  }
  const auto type = json_field<std::string>(parts.model, "type", origin).value_or("WordPiece");
  if (type != "WordPiece" && type != "Unigram") {
    throw ModelError(
        fmt::format("{}: the model is {}; Cloze reads WordPiece, as a BERT has it, and Unigram",
                    origin, excerpt(type)));
  }
  if ((type == "Unigram") == parts.scores.empty()) {
    throw FormatError(fmt::format(
        "{}: the field \"vocab\" of the {} model {}; is the file damaged?", origin, type,
        type == "Unigram" ? "is no array of pairs of a piece and its score, or an empty one"
                          : "is an array; it must be an object of tokens and their ids"));
  }
  spec.vocabulary = std::move(parts.vocabulary);
  spec.base_vocab_size = spec.vocabulary.size();
  if (type == "Unigram") {
    const UnigramJson unigram{parts.model, parts.normalizer, parts.pre_tokenizer, parts.decoder};
    read_unigram_json(unigram, std::move(parts.scores), origin, spec);
  } else {
    read_word_piece(parts, spec, origin);
  }

  AddedTokenList added(spec.vocabulary);
  if (!parts.added_tokens.is_null()) {
    if (!parts.added_tokens.is_array()) {
      throw FormatError(fmt::format("{}: \"added_tokens\" is not an array", origin));
    }
    for (const auto& json : parts.added_tokens) {
      added.add(read_added_token(json, origin), required_json_count(json, "id", origin), origin);
    }
  }
  spec.added = added.take();
  // XLMRobertaTokenizer has a template of its own.
  if (spec.tokenizer_class != TokenizerClass::xlm_roberta) {
    read_post_processor(parts.post_processor, spec, origin);
  }
}

}  // namespace cloze::text
