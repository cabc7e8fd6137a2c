#include "pipelines/warnings.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "checkpoint/config_fields.h"
#include "checkpoint/known_fields.h"
#include "checkpoint/labels.h"
#include "core/io/files.h"
#include "core/json.h"
#include "core/strings.h"

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
  if (words && !words->dictionary.empty() && !words->name_is_stated) {
    warnings.push_back(
        fmt::format("{}: mecab_kwargs do not name MeCab's dictionary (mecab_dic); Cloze takes {}, "
                    "with which the first "
                    "Japanese BERTs were trained; transformers 5 takes unidic_lite: --dictionary "
                    "chooses another",
                    directory.string(), words->dictionary.string()));
  }
  return warnings;
}

}  // namespace cloze::internal
