#include "text/encode/decode.h"

#include <utility>

namespace cloze::text {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  std::size_t at = text.find(from);
  if (at == std::string::npos) return;
  std::string out;
  std::size_t done = 0;
  for (; at != std::string::npos; at = text.find(from, done)) {
    out.append(text, done, at - done).append(to);
    done = at + from.size();
  }
  text = std::move(out.append(text, done));
}

// The replacements in order, as both tokenizers and transformers make them; `negations` is the one
// that only tokenizers makes.
void clean_up(std::string& text, bool negations) {
  replace_all(text, " .", ".");
  replace_all(text, " ?", "?");
  replace_all(text, " !", "!");
  replace_all(text, " ,", ",");
  replace_all(text, " ' ", "'");
  replace_all(text, " n't", "n't");
  replace_all(text, " 'm", "'m");
  if (negations) replace_all(text, " do not", " don't");
  replace_all(text, " 's", "'s");
  replace_all(text, " 've", "'ve");
  replace_all(text, " 're", "'re");
}

}  // namespace

std::string decode_pieces(std::span<const std::string_view> tokens, std::string_view prefix,
                          bool cleanup, bool clean_up_spaces) {
  std::string text;
  std::string part;
  bool first = true;
  for (const auto token : tokens) {
    if (first) {
      part = token;
    } else if (token.starts_with(prefix)) {
      part = token.substr(prefix.size());
    } else {
      part = ' ';
      part += token;
    }
    first = false;
    if (cleanup) clean_up(part, true);
    text += part;
  }
  if (clean_up_spaces) clean_up(text, false);
  return text;
}

std::string decode_unigram(std::span<const std::string_view> tokens, std::string_view space,
                           bool drop_first, bool clean_up_spaces) {
  std::string text;
  bool first = true;
  for (const auto token : tokens) {
    std::string part(token);
    if (!space.empty()) {
      replace_all(part, space, first && drop_first ? "" : " ");
    } else if (!first) {
      text += ' ';
    }
    text += part;
    first = false;
  }
  if (clean_up_spaces) clean_up(text, false);
  return text;
}

}  // namespace cloze::text
