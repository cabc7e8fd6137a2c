// Which passages suit a query, best first.
#include <cloze/bert.h>
#include <cloze/text_ranking.h>
#include <cloze/tokenizer.h>

#include "tour.h"

void rank(const Folders& folders) {
  const auto model = folders.work / "ranker";
  const auto source = folders.models / "sequence_3_labels";
  auto config = cloze::BertConfig::from_pretrained(source);
  config.id2label = {"LABEL_0"};
  cloze::BertForSequenceClassification::random(config, 3).save_pretrained(model);
  cloze::Tokenizer::from_pretrained(source).save_pretrained(model);

  const auto encoder = cloze::CrossEncoder::from_pretrained(model);
  const std::vector<std::string> passages{"A mill of 1742.", "A dog.", "Taxes are due."};
  const auto ranked = encoder.rank("Who built the mill?", passages, {.top_k = 2});
  for (const auto& hit : ranked) {
    std::cout << hit.score << "  " << passages[hit.index] << '\n';
  }

  check(ranked.size() == 2 && ranked[0].score >= ranked[1].score);
  // The sigmoid of the model's one logit.
  const auto logits =
      encoder.model()(encoder.tokenizer()("Who built the mill?", passages[ranked[0].index]));
  check_near(ranked[0].score, 1 / (1 + std::exp(-static_cast<double>(logits.values<float>()[0]))),
             1e-5);
}
