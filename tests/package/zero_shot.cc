// Labels that a model was not trained on, by a model of natural language inference.
#include <cloze/bert.h>
#include <cloze/tokenizer.h>
#include <cloze/zero_shot_classification.h>

#include "tour.h"

void zero_shot(const Folders& folders) {
  const auto model = folders.work / "nli";
  copy_model(folders.models / "sequence_3_labels", model,
             {"contradiction", "neutral", "entailment"});

  const auto classifier = cloze::ZeroShotClassificationPipeline::from_pretrained(model);
  const std::vector<std::string> texts{"The match ended in a draw."};
  const std::vector<std::string> labels{"sport", "politics", "food"};
  const auto scores = classifier(texts, labels, {.hypothesis_template = "It is {}."});
  for (const auto& score : scores[0]) std::cout << score.score << "  " << score.label << '\n';

  // Softmax of the entailment logits over the labels.
  const auto tokenizer = cloze::Tokenizer::from_pretrained(model);
  const auto entails = cloze::BertForSequenceClassification::from_pretrained(model);
  std::vector<double> exponentials;
  double sum = 0;
  for (const auto& label : labels) {
    const auto logits = entails(tokenizer(texts[0], "It is " + label + '.'));
    exponentials.push_back(std::exp(static_cast<double>(logits.values<float>()[2])));
    sum += exponentials.back();
  }
  check(scores[0].size() == 3 && scores[0][0].score >= scores[0][2].score);
  for (const auto& score : scores[0]) {
    check(score.label == labels[score.index]);
    check_near(score.score, exponentials[score.index] / sum, 1e-5);
  }
}
