#include "pipelines/prompted.h"

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/strings.h"
#include "pipelines/batches.h"

namespace cloze::internal {

PromptedTexts::PromptedTexts(const Texts& texts, std::string_view prompt) {
  items_.reserve(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto text = texts[i];
    TextItem item;
    item.text.reserve(prompt.size() + text.first.size());
    item.text.append(prompt).append(text.first);
    if (text.second) item.pair = std::string(*text.second);
    items_.push_back(std::move(item));
  }
}

std::int64_t prompt_tokens(const Tokenizer& tokenizer, std::string_view prompt,
                           std::int64_t limit) {
  const auto whole = tokenizer.count_tokens(prompt);  // with [CLS] and [SEP]
  if (whole >= limit) {
    throw ArgumentError(fmt::format(
        "the prompt {} has {} tokens and the limit is {}, which leaves no room for a text",
        in_quotes(prompt), whole, limit));
  }
  return whole - 1;
}

std::vector<TokenizedText> tokenize_prompted(const Tokenizer& tokenizer, const Texts& texts,
                                             const std::string& prompt, const TextLimits& limits,
                                             std::int64_t model_limit) {
  if (prompt.empty()) return tokenize(tokenizer, texts, limits, model_limit);
  static_cast<void>(prompt_tokens(tokenizer, prompt, length_limit(limits.max_length, model_limit)));
  const PromptedTexts prompted(texts, prompt);
  return tokenize(tokenizer, prompted.view(), limits, model_limit);
}

}  // namespace cloze::internal
