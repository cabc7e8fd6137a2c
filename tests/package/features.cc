// A vector for each token of a text.
#include <cloze/feature_extraction.h>

#include "tour.h"

void features(const Folders& folders) {
  const auto model = folders.models / "bare_odd";

  const auto extract = cloze::FeatureExtractionPipeline::from_pretrained(model);
  const std::vector<std::string> texts{"the dogs ."};
  const auto features = extract(texts, {.layers = {-1}});
  const auto& [ids, vectors] = features[0];  // vectors: f32 [tokens, columns]
  const auto columns = static_cast<std::size_t>(extract.columns());
  const auto values = vectors.values<float>();
  for (std::size_t token = 0; token < ids.size(); ++token) {
    std::cout << extract.tokenizer().id_to_token(ids[token]) << "  " << values[token * columns]
              << '\n';
  }

  check(ids.size() == 6 && vectors.dim(0) == 6 && vectors.dim(1) == extract.columns());
  check_near(values[0], 0.2472044);
  check_near(values[1], -0.4894288);
  const auto mean = extract(texts, {.pooling = cloze::Pooling::mean});
  check(mean[0].vectors.dim(0) == 1);
  check_near(mean[0].vectors.values<float>()[0], 0.07357806);
}
