#include "pipelines/warnings.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "checkpoint/config_fields.h"
#include "checkpoint/labels.h"
#include "core/io/files.h"
#include "core/io/known_fields.h"
#include "core/json.h"
#include "core/strings.h"
#include "text/files/tokenizer_fields.h"
#include "text/japanese/dictionary.h"

namespace cloze::internal {
namespace {

bool has_upper_case(std::string_view token) {
  return std::any_of(token.begin(), token.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

/// [CLS], <s>, |||PERSON|||: what is not spelled as text is.
bool is_special(std::string_view token) {
  token = token.substr(0, token.find_last_not_of(' ') + 1);  // ColBERT's "[Q] "
  return token.empty() || (token.front() == '[' && token.back() == ']') ||
         (token.front() == '<' && token.back() == '>') || token.front() == '|';
}

/// A normal token that a tokenizer which lower-cases its texts cannot give.
std::optional<std::string_view> unreachable_token(const Tokenizer& tokenizer) {
  if (!tokenizer.do_lower_case()) return std::nullopt;
  for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const auto token = tokenizer.id_to_token(id);
    if (has_upper_case(token) && !is_special(token)) return token;
  }
  return std::nullopt;
}

/// Of a tokenizer that transformers 4 lets give the types of tokens and transformers 5 does not, where
/// a head of the model reads pairs.
std::optional<std::string> warning_of_types(const BertConfig& config, const nlohmann::json& stated,
                                            const std::string& origin) {
  constexpr std::array<std::string_view, 3> kClasses{
      "PreTrainedTokenizerFast", "PreTrainedTokenizer", "BertJapaneseTokenizer"};
  constexpr std::array<std::string_view, 4> kOfPairs{"ForQuestionAnswering", "ForMultipleChoice",
                                                     "ForNextSentencePrediction",
                                                     "ForSequenceClassification"};
  const auto name = stated.value("tokenizer_class", nlohmann::json());
  const bool differs = std::any_of(kClasses.begin(), kClasses.end(),
                                   [&](std::string_view other) { return name == other; });
  const auto& classes = config.architectures;
  const bool pairs = std::any_of(classes.begin(), classes.end(), [&](const std::string& each) {
    return std::any_of(kOfPairs.begin(), kOfPairs.end(),
                       [&](std::string_view head) { return each.ends_with(head); });
  });
  if (!differs || !pairs || config.type_vocab_size < 2 || stated.contains("model_input_names")) {
    return std::nullopt;
  }
  return fmt::format(
      "{}: nothing states \"model_input_names\"; to pairs of texts Cloze gives the types 0 and 1, "
      "as transformers 4 does with a {}, and transformers 5 gives 0 to both: state the names with "
      "token_type_ids or without",
      origin, name.get<std::string>());
}

}  // namespace

std::vector<std::string> model_warnings(const BertConfig& config, const Tokenizer& tokenizer,
                                        const std::filesystem::path& directory) {
  std::vector<std::string> warnings;
  if (const auto unknown = unknown_config_fields(config); !unknown.empty()) {
    warnings.push_back(warning_of_unknown(unknown, (directory / "config.json").string()));
  }
  if (const auto config_file = directory / "config.json"; files::exists(config_file)) {
    auto labels = warning_of_labels(read_json_object(config_file), config_file.string());
    if (labels) warnings.push_back(*std::move(labels));
  }
  if (const auto file = directory / "tokenizer_config.json"; files::exists(file)) {
    const auto stated = read_json_object(file);
    if (const auto unknown = text::unknown_tokenizer_fields(stated); !unknown.empty()) {
      warnings.push_back(warning_of_unknown(unknown, file.string()));
    }
    auto types = warning_of_types(config, stated, file.string());
    if (types) warnings.push_back(*std::move(types));
  }
  if (const auto token = unreachable_token(tokenizer)) {
    warnings.push_back(
        fmt::format("{}: the vocabulary has upper-case letters ({}), and the tokenizer lower-cases "
                    "its texts, as "
                    "transformers does where tokenizer_config.json has no \"do_lower_case\": "
                    "false; a model that "
                    "was trained on cased text is worse for it",
                    directory.string(), in_quotes(*token)));
  }
  const auto words = tokenizer.japanese();
  if (words && words->decided_by == text::kDecidedByDefault) {
    warnings.push_back(
        fmt::format("{}: the files do not name MeCab's dictionary (mecab_kwargs.mecab_dic); Cloze "
                    "takes {}, as transformers does, which until 4.57 took ipadic, with which the "
                    "first Japanese BERTs were trained: --dictionary chooses another",
                    directory.string(), words->dictionary.string()));
  }
  return warnings;
}

}  // namespace cloze::internal
