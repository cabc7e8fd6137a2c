#include "serve/run/warm_up.h"

#include <algorithm>
#include <string>
#include <vector>

#include "cloze/error.h"

namespace cloze::serve {

namespace {

void answer(const ServedModel& model, const std::string& text) {
  const std::vector<std::string> texts{text};
  if (model.sentence) {
    const EncodeOptions cut{.truncation = Truncation::longest_first,
                            .max_length = static_cast<std::int32_t>(model.max_length())};
    const std::vector<std::vector<std::int32_t>> ids{model.tokenizer().encode(text, cut).ids};
    (void)model.sentence->encode_ids(ids);
  } else if (model.sparse) {
    (void)model.sparse->encode(texts, {.truncate = true});
  } else if (model.classifier) {
    (void)(*model.classifier)(texts, {.limits = {.truncate = true}});
  } else if (model.tagger) {
    (void)(*model.tagger)(texts);
  } else if (model.reader) {
    const std::vector<QuestionContext> asked{{"a", text}};
    (void)(*model.reader)(asked);
  } else {
    const auto mask = model.tokenizer().id_to_token(*model.tokenizer().mask_token_id());
    (void)(*model.filler)(std::vector<std::string>{std::string(mask) + " " + text},
                          {.top_k = 1, .limits = {.truncate = true}});
  }
}

}  // namespace

void warm_up(const ServedModel& model) {
  const auto longest = static_cast<std::size_t>(std::min<std::int64_t>(model.max_length(), 512));
  std::string text = "a";
  while (text.size() + 2 < longest) text += " a";
  try {
    answer(model, "a");
    answer(model, text);
  } catch (const ArgumentError&) {  // NOLINT(bugprone-empty-catch)
    // The model reads too little for this: its first request finds it cold.
  }
}

}  // namespace cloze::serve
