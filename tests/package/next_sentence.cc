// Whether one text follows another.
#include <cloze/next_sentence.h>

#include "tour.h"

void next_sentence(const Folders& folders) {
  const auto model = folders.models / "pretraining";

  const auto follows = cloze::NextSentencePipeline::from_pretrained(model);
  const std::vector<cloze::TextPair> pairs{{"the dog .", "a cat ?"}, {"abc", "the dogs ."}};
  for (const auto& score : follows(pairs)) std::cout << score.is_next << '\n';

  const auto scores = follows(pairs);
  check(scores.size() == 2);
  check_near(scores[0].is_next, 0.9613628);
  check_near(scores[1].is_next, 0.9649157);
}
