#include "text/files/unigram_json.h"

#include <cstdint>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/io/base64.h"
#include "core/json.h"
#include "core/json_fields.h"
#include "core/strings.h"
#include "core/utf8.h"

namespace cloze::text {
namespace {

using Json = nlohmann::json;

std::string component_type(const Json& json, const std::string& origin) {
  return required_json_field<std::string>(json, "type", origin);
}

// Calls `use` for a component, or for each of a "Sequence" (and those in it) in order.
template <class Use>
void for_components(const Json& json, const char* list, const std::string& origin, int depth,
                    const Use& use) {
  if (json.is_null()) return;
  if (component_type(json, origin) != "Sequence") {
    use(json);
    return;
  }
  if (depth == 0)
    throw FormatError(fmt::format("{}: sequences in sequences in \"{}\"", origin, list));
  const auto parts = required_json_field<Json>(json, list, origin);
  if (!parts.is_array()) {
    throw FormatError(
        fmt::format("{}: \"{}\" is {}; it must be an array", origin, list, json_excerpt(parts)));
  }
  for (const auto& part : parts) for_components(part, list, origin, depth - 1, use);
}

constexpr int kMostNested = 8;

PrecompiledStep read_map(const Json& json, const std::string& origin) {
  const auto text = required_json_field<std::string>(json, "precompiled_charsmap", origin);
  auto bytes = base64_decoded(text);
  if (!bytes) {
    throw FormatError(
        fmt::format("{}: the field \"precompiled_charsmap\" is not base64 ({}); take "
                    "the file from its source again",
                    origin, in_quotes(text)));
  }
  return std::make_shared<const PrecompiledMap>(*std::move(bytes), origin);
}

ReplaceStep read_replace(const Json& json, const std::string& origin) {
  ReplaceStep step;
  step.content = required_json_field<std::string>(json, "content", origin);
  const auto pattern = required_json_field<Json>(json, "pattern", origin);
  if (const auto text = json_field<std::string>(pattern, "String", origin)) {
    step.pattern = *text;
    if (step.pattern.empty()) {
      throw ModelError(fmt::format(
          "{}: the normalizer Replace has an empty pattern, which is in no text; remove it",
          origin));
    }
    return step;
  }
  const auto regex = required_json_field<std::string>(pattern, "Regex", origin);
  step.spaces = regex == " {2,}";
  if (!step.spaces) {
    throw ModelError(
        fmt::format("{}: the normalizer Replace has the regular expression {}; Cloze "
                    "has \" {{2,}}\" and plain strings",
                    origin, in_quotes(regex)));
  }
  return step;
}

NormalizerStep read_step(const Json& json, const std::string& origin) {
  const auto type = component_type(json, origin);
  if (type == "Precompiled") return read_map(json, origin);
  if (type == "Nmt") return NmtStep{};
  if (type == "NFKC") return NfkcStep{};
  if (type == "Lowercase") return LowercaseStep{};
  if (type == "Replace") return read_replace(json, origin);
  if (type == "Strip") {
    return StripStep{required_json_field<bool>(json, "strip_left", origin),
                     required_json_field<bool>(json, "strip_right", origin)};
  }
  throw ModelError(
      fmt::format("{}: the normalizer is {}, which Cloze does not have for a Unigram model: it has "
                  "Precompiled, Nmt, NFKC, Lowercase, Strip, Replace and Sequence",
                  origin, in_quotes(type)));
}

Metaspace read_metaspace(const Json& json, const std::string& origin) {
  Metaspace metaspace;
  metaspace.replacement = required_json_field<std::string>(json, "replacement", origin);
  if (utf8::count_code_points(metaspace.replacement) != 1) {
    throw FormatError(
        fmt::format("{}: the field \"replacement\" of Metaspace is {}; it must be one "
                    "character",
                    origin, in_quotes(metaspace.replacement)));
  }
  metaspace.split = json_field<bool>(json, "split", origin).value_or(true);
  const auto scheme = json_field<std::string>(json, "prepend_scheme", origin);
  const bool prefix = json_field<bool>(json, "add_prefix_space", origin).value_or(true);
  if (!scheme) {
    metaspace.prepend = prefix ? PrependScheme::always : PrependScheme::never;
  } else if (*scheme == "always") {
    metaspace.prepend = PrependScheme::always;
  } else if (*scheme == "first") {
    metaspace.prepend = PrependScheme::first;
  } else if (*scheme == "never") {
    metaspace.prepend = PrependScheme::never;
  } else {
    throw FormatError(fmt::format(
        "{}: the field \"prepend_scheme\" of Metaspace is {}; it must be always, first or never",
        origin, in_quotes(*scheme)));
  }
  if (!prefix && metaspace.prepend != PrependScheme::never) {
    throw FormatError(
        fmt::format("{}: Metaspace has add_prefix_space false and prepend_scheme {}, "
                    "which contradict each other; remove add_prefix_space",
                    origin, *scheme));
  }
  return metaspace;
}

void read_pre_tokenizer(const Json& json, UnigramRules& rules, const std::string& origin) {
  for_components(json, "pretokenizers", origin, kMostNested, [&](const Json& part) {
    const auto type = component_type(part, origin);
    if (type == "WhitespaceSplit" && !rules.metaspace) {
      rules.whitespace_split = true;
    } else if (type == "Metaspace" && !rules.metaspace) {
      rules.metaspace = read_metaspace(part, origin);
    } else {
      throw ModelError(fmt::format(
          "{}: the pre-tokenizer has {}{}; of a Unigram model Cloze has WhitespaceSplit and then "
          "Metaspace",
          origin, excerpt(type), rules.metaspace ? " after Metaspace" : ""));
    }
  });
}

void read_decoder(const Json& json, TokenizerSpec& spec, const std::string& origin) {
  for_components(json, "decoders", origin, kMostNested, [&](const Json& part) {
    const auto type = component_type(part, origin);
    if (type != "Metaspace" || spec.decoder) {
      throw ModelError(
          fmt::format("{}: the decoder has {}{}; of a Unigram model Cloze has Metaspace", origin,
                      excerpt(type), spec.decoder ? " after Metaspace" : ""));
    }
    spec.decoder = read_metaspace(part, origin);
  });
}

// The first of them, which is all that XLMRobertaTokenizer takes of a normalizer.
PrecompiledStep first_map(const Json& normalizer, const std::string& origin) {
  if (normalizer.is_null()) return nullptr;
  const bool sequence = component_type(normalizer, origin) == "Sequence";
  const Json parts = sequence ? required_json_field<Json>(normalizer, "normalizers", origin)
                              : Json::array({normalizer});
  for (const auto& part : parts) {
    if (component_type(part, origin) == "Precompiled") return read_map(part, origin);
  }
  return nullptr;
}

}  // namespace

UnigramRules xlm_roberta_rules(std::vector<double> scores, PrecompiledStep map) {
  constexpr std::int32_t kUnknown = 3;
  UnigramRules rules{.scores = std::move(scores),
                     .unk_id = kUnknown,
                     .steps = {},
                     .whitespace_split = true,
                     .metaspace = Metaspace{}};
  if (map != nullptr) rules.steps.emplace_back(std::move(map));
  return rules;
}

void name_usual_special_tokens(TokenizerSpec& spec) {
  spec.bos_token = spec.cls_token = "<s>";
  spec.eos_token = spec.sep_token = "</s>";
  spec.unk_token = std::string(spec.vocabulary.token(spec.unigram->unk_id));
  spec.pad_token = "<pad>";
  spec.mask_token = "<mask>";
}

void read_unigram_json(const UnigramJson& parts, std::vector<double> scores,
                       const std::string& origin, TokenizerSpec& spec) {
  if (spec.tokenizer_class == TokenizerClass::japanese) {
    throw ModelError(
        fmt::format("{}: the model is Unigram, but the tokenizer is a BertJapaneseTokenizer, which "
                    "has WordPiece",
                    origin));
  }
  if (spec.tokenizer_class == TokenizerClass::bert) {
    throw ModelError(fmt::format(
        "{}: the model is Unigram, but the tokenizer is a BertTokenizer (tokenizer_config.json and "
        "config.json name no other tokenizer_class), which has WordPiece; name "
        "XLMRobertaTokenizer, "
        "or PreTrainedTokenizerFast to take tokenizer.json as it stands",
        origin));
  }
  UnigramRules rules;
  if (spec.tokenizer_class == TokenizerClass::xlm_roberta) {
    rules = xlm_roberta_rules(std::move(scores), first_map(parts.normalizer, origin));
    spec.decoder = rules.metaspace;
  } else {
    rules.scores = std::move(scores);
    const auto unk_id = json_count(parts.model, "unk_id", origin);
    if (!unk_id) {
      throw FormatError(
          fmt::format("{}: the Unigram model has no \"unk_id\", so that it cannot read "
                      "a character that is in no piece; name the unknown piece's id",
                      origin));
    }
    rules.unk_id = *unk_id;
    rules.byte_fallback = json_field<bool>(parts.model, "byte_fallback", origin).value_or(false);
    for_components(parts.normalizer, "normalizers", origin, kMostNested,
                   [&](const Json& part) { rules.steps.push_back(read_step(part, origin)); });
    read_pre_tokenizer(parts.pre_tokenizer, rules, origin);
    read_decoder(parts.decoder, spec, origin);
  }
  if (static_cast<std::size_t>(rules.unk_id) >= rules.scores.size()) {
    throw FormatError(fmt::format("{}: the unknown piece has id {}, but there are {} pieces only",
                                  origin, rules.unk_id, rules.scores.size()));
  }
  spec.unigram = std::move(rules);
  name_usual_special_tokens(spec);
}

}  // namespace cloze::text
