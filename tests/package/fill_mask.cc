// The likeliest tokens at a [MASK].
#include <cloze/fill_mask.h>

#include "tour.h"

void fill_mask(const Folders& folders) {
  const auto model = folders.models / "masked_lm_untied";

  const auto fill = cloze::FillMaskPipeline::from_pretrained(model);
  const std::vector<std::string> texts{"The capital of France is [MASK]."};
  const auto masks = fill(texts);
  for (const auto& candidate : masks[0][0].candidates) {
    std::cout << candidate.score << "  " << candidate.token << "  " << candidate.sequence << '\n';
  }

  check(masks[0].size() == 1 && masks[0][0].candidates.size() == 5);
  const std::vector<std::string> known{"the dog [MASK] ."};
  const auto best = fill(known)[0][0].candidates;
  check(best[0].token == "##r" && best[0].sequence == "the dogr." && best[1].token == "f");
  check_near(best[0].score, 0.05454099);
  const auto two = fill(known, {.targets = {"b", "j"}})[0][0].candidates;
  check(two.size() == 2 && two[0].token == "b");
  check_near(two[0].score, 0.05074578);
}
