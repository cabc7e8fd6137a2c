// The tokenizer's files as transformers writes and reads them.
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/tokenizer.h"
#include "core/io/files.h"
#include "core/io/whole_directory.h"
#include "text/encode/tokenizer_impl.h"
#include "text/files/japanese_files.h"
#include "text/files/tokenizer_fields.h"
#include "text/files/tokenizer_json.h"
#include "text/files/unigram_save.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

OrderedJson added_token(const text::AddedToken& token) {
  return {{"content", token.content},       {"single_word", token.single_word},
          {"lstrip", token.lstrip},         {"rstrip", token.rstrip},
          {"normalized", token.normalized}, {"special", token.special}};
}

OrderedJson template_pieces(const text::Template& pieces, OrderedJson& special_tokens) {
  OrderedJson result = OrderedJson::array();
  for (const auto& piece : pieces) {
    if (piece.sequence >= 0) {
      result.push_back(
          {{"Sequence", {{"id", piece.sequence == 0 ? "A" : "B"}, {"type_id", piece.type_id}}}});
      continue;
    }
    const std::string name = piece.tokens.empty() ? "" : piece.tokens.front();
    result.push_back({{"SpecialToken", {{"id", name}, {"type_id", piece.type_id}}}});
    special_tokens[name] = {{"id", name}, {"ids", piece.ids}, {"tokens", piece.tokens}};
  }
  return result;
}

// Tokens of the model by id: added tokens that it does not have are listed apart.
OrderedJson model_vocabulary(const text::Vocabulary& vocabulary, std::int32_t size) {
  // Appended: the object's operator[] would search all that is there for each of them.
  OrderedJson::object_t vocab;
  for (std::int32_t id = 0; id < size; ++id) {
    if (vocabulary.has_id(id)) vocab.emplace_back(std::string(vocabulary.token(id)), id);
  }
  return vocab;
}

/// Whether BertTokenizer builds this tokenizer from a vocabulary and what its configuration states.
bool is_bert_tokenizer(const text::TokenizerSpec& spec, const text::Vocabulary& vocabulary) {
  const text::TokenizerSpec usual;
  return spec.file_rules.clean_text && spec.decoder_cleanup &&
         spec.file_max_chars_per_word == usual.max_chars_per_word &&
         vocabulary.continuing_prefix() == usual.vocabulary.continuing_prefix() &&
         spec.templates == text::bert_templates(vocabulary, spec.cls_token, spec.sep_token);
}

/// Whether XLMRobertaTokenizer builds this tokenizer from its pieces and its character map.
bool is_xlm_roberta_tokenizer(const text::TokenizerSpec& spec, const text::Vocabulary& vocabulary) {
  const auto& rules = *spec.unigram;
  const auto usual = text::xlm_roberta_rules({}, nullptr);
  const bool map_alone =
      rules.steps.empty() ||
      (rules.steps.size() == 1 && std::holds_alternative<text::PrecompiledStep>(rules.steps[0]));
  return map_alone && rules.unk_id == usual.unk_id && !rules.byte_fallback &&
         rules.whitespace_split && rules.metaspace == usual.metaspace &&
         spec.decoder == usual.metaspace &&
         spec.templates == text::roberta_templates(vocabulary, spec.bos_token, spec.eos_token);
}

std::string class_of(const text::TokenizerSpec& spec, const text::Vocabulary& vocabulary) {
  if (spec.unigram) {
    // Which of the two has read the scores decides their last bits.
    return spec.tokenizer_class == text::TokenizerClass::xlm_roberta &&
                   is_xlm_roberta_tokenizer(spec, vocabulary)
               ? "XLMRobertaTokenizer"
               : "PreTrainedTokenizerFast";
  }
  if (spec.japanese) return "BertJapaneseTokenizer";
  return is_bert_tokenizer(spec, vocabulary) ? "BertTokenizer" : "PreTrainedTokenizerFast";
}

text::Decimals decimals_of(const text::TokenizerSpec& spec, const text::Vocabulary& vocabulary) {
  return class_of(spec, vocabulary) == "XLMRobertaTokenizer" ? text::Decimals::exact
                                                             : text::Decimals::tokenizers;
}

OrderedJson optional_json(const std::optional<bool>& value) {
  return value ? OrderedJson(*value) : OrderedJson();
}

}  // namespace

std::string Tokenizer::to_json() const {
  const auto& spec = impl_->spec;
  const auto& vocabulary = impl_->vocabulary();
  OrderedJson added = OrderedJson::array();
  for (const auto& token : spec.added) {
    OrderedJson with_id{{"id", token.id}};
    with_id.update(added_token(token));
    added.push_back(with_id);
  }
  OrderedJson special_tokens = OrderedJson::object();
  OrderedJson single = template_pieces(spec.templates.single, special_tokens);
  OrderedJson pair = template_pieces(spec.templates.pair, special_tokens);
  // Key by key: the vocabulary is large, and an initializer list would copy it several times over.
  OrderedJson file{{"version", "1.0"}, {"truncation", OrderedJson()}, {"padding", OrderedJson()}};
  file["added_tokens"] = std::move(added);
  if (spec.unigram) {
    file["normalizer"] = text::normalizer_json(*spec.unigram);
    file["pre_tokenizer"] = text::pre_tokenizer_json(*spec.unigram);
  } else {
    const auto& rules = spec.file_rules;
    file["normalizer"] = {{"type", "BertNormalizer"},
                          {"clean_text", rules.clean_text},
                          {"handle_chinese_chars", rules.handle_chinese_chars},
                          {"strip_accents", optional_json(spec.strip_accents)},
                          {"lowercase", rules.lowercase}};
    file["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  }
  if (spec.templates.overflow_has_types) {
    const auto named = [&spec](std::size_t piece) {
      const auto& special = spec.templates.single[piece];
      return OrderedJson::array({special.tokens[0], special.ids[0]});
    };
    file["post_processor"] = {{"type", "RobertaProcessing"},
                              {"sep", named(2)},
                              {"cls", named(0)},
                              {"trim_offsets", spec.templates.trim_offsets.has_value()},
                              {"add_prefix_space", spec.templates.trim_offsets.value_or(true)}};
  } else {
    file["post_processor"] = {{"type", "TemplateProcessing"}};
    file["post_processor"]["single"] = std::move(single);
    file["post_processor"]["pair"] = std::move(pair);
    file["post_processor"]["special_tokens"] = std::move(special_tokens);
  }
  if (spec.unigram) {
    file["decoder"] = spec.decoder ? text::metaspace_json(*spec.decoder) : OrderedJson();
    // The pieces are written by themselves, for the sake of their scores' last bits.
    file["model"] = text::kPiecesGoHere;
    return text::with_pieces(file.dump(2) + '\n', *spec.unigram, vocabulary,
                             decimals_of(spec, vocabulary));
  }
  file["decoder"] = {{"type", "WordPiece"},
                     {"prefix", vocabulary.continuing_prefix()},
                     {"cleanup", spec.decoder_cleanup}};
  file["model"] = {{"type", "WordPiece"},
                   {"unk_token", spec.unk_token},
                   {"continuing_subword_prefix", vocabulary.continuing_prefix()},
                   {"max_input_chars_per_word", spec.file_max_chars_per_word}};
  file["model"]["vocab"] = model_vocabulary(vocabulary, spec.base_vocab_size);
  return file.dump(2) + '\n';
}

std::string Tokenizer::config_to_json() const {
  const auto& spec = impl_->spec;
  OrderedJson decoder = OrderedJson::object();
  for (const auto& token : spec.added) decoder[std::to_string(token.id)] = added_token(token);
  OrderedJson config{
      {"added_tokens_decoder", std::move(decoder)},
      {"clean_up_tokenization_spaces", spec.clean_up_spaces},
      {"cls_token", spec.cls_token},
      {"mask_token", spec.mask_token},
      {"model_max_length", spec.model_max_length ? OrderedJson(*spec.model_max_length)
                                                 : OrderedJson(1000000000000000019884624838656.0)},
      {"pad_token", spec.pad_token},
      {"sep_token", spec.sep_token},
      {"tokenizer_class", class_of(spec, impl_->vocabulary())},
      {"unk_token", spec.unk_token}};
  if (spec.unigram) {
    config["bos_token"] = spec.bos_token;
    config["eos_token"] = spec.eos_token;
  } else if (spec.japanese) {
    text::write_japanese_rules(spec, config);
  } else {
    config["do_lower_case"] = spec.file_rules.lowercase;
    config["strip_accents"] = optional_json(spec.strip_accents);
    config["tokenize_chinese_chars"] = spec.file_rules.handle_chinese_chars;
  }
  // What a class does by itself is not the same in all versions of transformers.
  const auto name = config["tokenizer_class"].get<std::string>();
  const bool by_itself = text::gives_token_types(nlohmann::json::object(), name, "");
  if (by_itself != spec.gives_types || (name == "PreTrainedTokenizerFast" && !spec.unigram)) {
    config["model_input_names"] = spec.gives_types
                                      ? OrderedJson{"input_ids", "token_type_ids", "attention_mask"}
                                      : OrderedJson{"input_ids", "attention_mask"};
  }
  return config.dump(2) + '\n';
}

void Tokenizer::save_pretrained(const fs::path& directory) const {
  const auto& spec = impl_->spec;
  const auto& vocabulary = impl_->vocabulary();
  WholeDirectory whole(directory);
  if (spec.unigram) {
    whole.fill([&](const fs::path& made) {
      files::write_text(made / "tokenizer.json", to_json());
      files::write_text(made / "tokenizer_config.json", config_to_json());
    });
    whole.commit({"tokenizer.json"});
    return;
  }
  std::string vocab;
  for (std::int32_t id = 0; id < spec.base_vocab_size; ++id) {
    if (vocabulary.has_id(id)) vocab.append(vocabulary.token(id));
    vocab.push_back('\n');
  }
  whole.fill([&](const fs::path& made) {
    files::write_text(made / "vocab.txt", vocab);
    // No tokenizer.json can say how a Japanese text is cut.
    if (!spec.japanese) files::write_text(made / "tokenizer.json", to_json());
    files::write_text(made / "tokenizer_config.json", config_to_json());
  });
  if (spec.japanese) {
    whole.commit({"vocab.txt"}, {"tokenizer.json"});
  } else {
    whole.commit({"tokenizer.json", "vocab.txt"});
  }
}

}  // namespace cloze
