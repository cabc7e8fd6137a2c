// A label for each text.
#include <cloze/text_classification.h>

#include "tour.h"

void classify(const Folders& folders) {
  const auto model = folders.models / "sequence_3_labels";

  const auto classifier = cloze::TextClassificationPipeline::from_pretrained(model);
  const std::vector<std::string> texts{"What a film!", "Two hours that I want back."};
  const auto labels = classifier(texts);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::cout << labels[i][0].label << "  " << labels[i][0].score << "  " << texts[i] << '\n';
  }

  check(labels.size() == 2 && labels[0].size() == 1);
  const auto all = classifier(std::vector<std::string>{"the dogs ."}, {.top_k = 0})[0];
  check(all.size() == 3 && all[0].label == "LABEL_0" && all[1].label == "LABEL_2");
  check_near(all[0].score, 0.453897);
  check_near(all[1].score, 0.3771465);
  check_near(all[2].score, 0.1689565);
}
