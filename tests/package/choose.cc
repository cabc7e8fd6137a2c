// Which of several continuations is right.
#include <cloze/multiple_choice.h>

#include "tour.h"

void choose(const Folders& folders) {
  const auto model = folders.models / "choice";

  const auto chooser = cloze::MultipleChoicePipeline::from_pretrained(model);
  const std::vector<std::string_view> endings{"it was wet.", "it was noon."};
  const std::vector<cloze::Prompt> prompts{{"She ran as", endings}};
  const auto chosen = chooser(prompts);
  std::cout << endings[chosen[0].choice] << "  " << chosen[0].scores[chosen[0].choice] << '\n';

  check(chosen.size() == 1 && chosen[0].scores.size() == 2);
  check_near(chosen[0].scores[0] + chosen[0].scores[1], 1);
  // Softmax of the model's logits, one for each choice.
  cloze::Batch batch;
  for (const auto ending : endings) {
    chooser.tokenizer().append_to(batch, prompts[0].text, ending);
  }
  const auto logits = chooser.model()(batch, 2);
  const auto values = logits.values<float>();
  check_near(chosen[0].scores[0], 1 / (1 + std::exp(static_cast<double>(values[1] - values[0]))),
             1e-5);
}
