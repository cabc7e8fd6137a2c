// Texts become vectors, and the nearest ones are found.
#include <cloze/sentence_transformer.h>
#include <cloze/similarity.h>

#include "tour.h"

void embed(const Folders& folders) {
  const auto model = folders.models / "bare_odd";

  const auto encoder = cloze::SentenceTransformer::from_pretrained(model);
  const std::vector<std::string> sentences{"A dog sleeps.", "Taxes are due in May.",
                                           "A puppy plays."};
  const auto vectors = encoder.encode(sentences);  // [3, dimension]

  const std::vector<std::string> queries{"a happy dog"};
  const auto found = cloze::semantic_search(encoder.encode(queries), vectors, 2);
  for (const auto& hit : found[0]) {
    std::cout << hit.score << "  " << sentences[hit.index] << '\n';
  }

  check(vectors.shape() == cloze::Shape{3, encoder.dimension()});
  check(found.size() == 1 && found[0].size() == 2);
  const auto query = encoder.encode(queries);
  const auto all = cloze::cosine_similarity(query, vectors);
  check(found[0][0].score >= found[0][1].score);
  for (const auto& hit : found[0]) {
    check_near(hit.score, static_cast<double>(all.values<float>()[hit.index]), 1e-6);
  }
  // The mean of transformers' last hidden state.
  const auto mean = encoder.encode(std::vector<std::string>{"the dogs ."});
  check_near(static_cast<double>(mean.values<float>()[0]), 0.07357806);
  check_near(static_cast<double>(mean.values<float>()[2]), -1.280013);
}
