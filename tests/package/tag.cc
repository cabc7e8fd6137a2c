// The entities of a text.
#include <cloze/token_classification.h>

#include "tour.h"

void tag(const Folders& folders) {
  const auto model = folders.work / "tagger";
  copy_model(folders.models / "token_5_layers", model, {"O", "B-X", "I-X", "B-Y", "I-Y"});

  const auto tagger = cloze::TokenClassificationPipeline::from_pretrained(model);
  const std::vector<std::string> texts{"Maria Lind moved to Oslo."};
  const auto entities = tagger(texts);
  for (const auto& entity : entities[0]) {
    std::cout << entity.label << "  " << entity.word << "  [" << entity.offsets.begin << ", "
              << entity.offsets.end << ")\n";
  }

  check(entities.size() == 1);
  const auto found = tagger(std::vector<std::string>{"the dogs ."})[0];
  check(found.size() == 1 && found[0].label == "X" && found[0].word == "the dogs.");
  check(found[0].offsets == cloze::Span{0, 10});
  check_near(found[0].score, 0.5395025);
}
