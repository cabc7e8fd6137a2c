#include "text/files/tokenizer_fields.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/io/known_fields.h"
#include "core/json_fields.h"

namespace cloze::text {
namespace {

using enum KnownField::Effect;

// clang-format off
constexpr std::array kFields{
    KnownField{"tokenizer_class"}, KnownField{"model_max_length"}, KnownField{"max_len"},
    KnownField{"do_lower_case"}, KnownField{"strip_accents"}, KnownField{"tokenize_chinese_chars"},
    KnownField{"unk_token"}, KnownField{"sep_token"}, KnownField{"pad_token"},
    KnownField{"cls_token"}, KnownField{"mask_token"}, KnownField{"bos_token"},
    KnownField{"eos_token"}, KnownField{"additional_special_tokens"},
    KnownField{"extra_special_tokens"}, KnownField{"added_tokens_decoder"},
    KnownField{"clean_up_tokenization_spaces"}, KnownField{"add_prefix_space"},
    KnownField{"model_input_names"},
    // Of BertJapaneseTokenizer.
    KnownField{"word_tokenizer_type"}, KnownField{"subword_tokenizer_type"},
    KnownField{"do_word_tokenize"}, KnownField{"do_subword_tokenize"}, KnownField{"never_split"},
    KnownField{"mecab_kwargs"}, KnownField{"sudachi_kwargs", harmless},
    KnownField{"jumanpp_kwargs", harmless}, KnownField{"spm_file", harmless},
    // How a text would be read in another way.
    KnownField{"truncation_side", refused, R"(null|"right")",
               "Cloze cuts texts at their end, and a model that reads their end would get another "
               "part of them; state \"right\" to have them cut so"},
    KnownField{"split_special_tokens", refused, "null|false",
               "Cloze finds special tokens in texts; state false to have them found"},
    KnownField{"add_special_tokens", refused, "null|true",
               "Cloze's models read texts between special tokens"},
    KnownField{"init_inputs", refused, "null|[]",
               "arguments without names are not what Cloze, or transformers 5, can read"},
    // Changes nothing: texts are not padded, and each is computed as if it stood alone.
    KnownField{"padding_side", harmless}, KnownField{"padding", harmless},
    KnownField{"pad_to_multiple_of", harmless}, KnownField{"pad_token_type_id", harmless},
    // Arguments of a call, which the files' reader does not ask for.
    KnownField{"max_length", harmless}, KnownField{"stride", harmless},
    KnownField{"truncation", harmless}, KnownField{"truncation_strategy", harmless},
    KnownField{"return_token_type_ids", harmless}, KnownField{"return_tensors", harmless},
    // What today's classes take from the vocabulary, or have no use for.
    KnownField{"do_basic_tokenize", harmless}, KnownField{"clean_text", harmless},
    KnownField{"lowercase", harmless}, KnownField{"wordpieces_prefix", harmless},
    KnownField{"keep_accents", harmless}, KnownField{"sp_model_kwargs", harmless},
    KnownField{"unicode_normalizer", harmless}, KnownField{"trim_offsets", harmless},
    KnownField{"errors", harmless}, KnownField{"legacy", harmless},
    KnownField{"from_slow", harmless}, KnownField{"use_fast", harmless},
    KnownField{"fix_mistral_regex", harmless}, KnownField{"add_bos_token", harmless},
    KnownField{"add_eos_token", harmless}, KnownField{"chat_template", harmless},
    KnownField{"auto_map", harmless}, KnownField{"backend", harmless},
    KnownField{"is_local", harmless}, KnownField{"local_files_only", harmless},
    KnownField{"trust_remote_code", harmless}, KnownField{"device_map", harmless},
    KnownField{"token", harmless}, KnownField{"revision", harmless},
    KnownField{"_commit_hash", harmless}, KnownField{"cache_dir", harmless},
    KnownField{"name_or_path", harmless}, KnownField{"special_tokens_map_file", harmless},
    KnownField{"special_tokens_map", harmless}, KnownField{"full_tokenizer_file", harmless},
    KnownField{"tokenizer_file", harmless}, KnownField{"vocab_file", harmless},
    KnownField{"processor_class", harmless}, KnownField{"model_type", harmless},
    KnownField{"transformers_version", harmless}, KnownField{"language", harmless},
    KnownField{"model_specific_special_tokens", harmless}, KnownField{"max_seq_length", harmless},
};
// clang-format on

}  // namespace

void refuse_tokenizer_fields(const nlohmann::json& config, const std::string& origin) {
  refuse_fields(config, kFields, origin);
}

std::vector<std::string> unknown_tokenizer_fields(const nlohmann::json& config) {
  auto names = unknown_fields(config, kFields);
  // A model's own special tokens have names of their own.
  std::erase_if(names, [](const std::string& name) { return name.ends_with("_token"); });
  return names;
}

bool gives_token_types(const nlohmann::json& config, const std::string& name,
                       const std::string& origin) {
  const auto stated = json_field<std::vector<std::string>>(config, "model_input_names", origin);
  if (stated) return std::find(stated->begin(), stated->end(), "token_type_ids") != stated->end();
  // TokenizersBackend is what transformers 5 writes; its ancestor of version 4 gave them.
  constexpr std::array<std::string_view, 4> kWithout{"DistilBertTokenizer", "XLMRobertaTokenizer",
                                                     "DPRReaderTokenizer", "TokenizersBackend"};
  return std::none_of(kWithout.begin(), kWithout.end(),
                      [&](std::string_view other) { return name.starts_with(other); });
}

}  // namespace cloze::text
