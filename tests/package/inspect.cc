// What a model attends to, and which words its answer came from.
#include <cloze/inspect.h>

#include "tour.h"

void inspect(const Folders& folders) {
  const auto model = folders.models / "sequence_3_labels";
  const auto page = folders.work / "page.html";

  const auto inspection = cloze::inspect(model, "the dogs .");
  std::cout << inspection.explanation->answer << " because of";
  for (const auto& [word, value] : cloze::word_attributions(inspection)) {
    std::cout << ' ' << word.text << " (" << value << ')';
  }
  std::cout << '\n';
  cloze::save_inspection(inspection, page);

  check(inspection.explanation->answer == "LABEL_0");
  check_near(inspection.explanation->probability, 0.453897);
  const auto& attribution = *inspection.attribution;
  double sum = 0;
  for (const auto& word : cloze::word_attributions(inspection)) sum += word.value;
  const double change = attribution.score - attribution.baseline_score;
  check_near(sum, change, 0.011 * std::abs(change));
  const auto tokens = inspection.text.tokens();
  check(tokens == 6);  // [CLS] the dog ##s . [SEP]
  for (const auto& layer : inspection.attentions) {
    double total = 0;
    for (const float probability : layer.values<float>()) total += static_cast<double>(probability);
    check_near(total, static_cast<double>(layer.dim(0) * tokens), 1e-3);  // rows sum to 1
  }
  check(std::filesystem::file_size(page) > 10'000);
}
