// A vector for each token: query and passages are compared token by token.
#include <cloze/multi_vector_encoder.h>

#include "tour.h"

void search_by_tokens(const Folders& folders) {
  const auto model = folders.models / "search" / "colbert_stanford";

  const auto encoder = cloze::MultiVectorEncoder::from_pretrained(model);
  const std::vector<std::string> passages{"the cat sat on the mat", "who wrote a query", "dog"};
  for (const auto& hit : encoder.rank("a cat", passages, {.top_k = 2})) {
    std::cout << hit.score << "  " << passages[hit.index] << '\n';
  }

  const auto kept = encoder.encode(passages);  // kept[0].vectors: [tokens, dimension]
  const std::vector<std::string> queries{"a cat"};
  const auto query = encoder.encode(queries, {.role = cloze::TextRole::query});
  const auto scores = encoder.similarity(query, kept);  // [1, 3]

  check(kept.size() == 3 && kept[0].vectors.dim(1) == encoder.dimension());
  const auto best = encoder.rank("a cat", passages)[0];
  check_near(scores.values<float>()[best.index], best.score, 1e-5);
}
