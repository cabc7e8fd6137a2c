// Sparse vectors: the words that a text is about, for an inverted index.
#include <cloze/sparse_encoder.h>

#include "tour.h"

void search_by_words(const Folders& folders) {
  const auto model = folders.models / "search" / "splade_max";

  const auto encoder = cloze::SparseEncoder::from_pretrained(model);
  const std::vector<std::string> passages{"the cat sat on the mat", "who wrote a query", "dog"};
  const auto vectors = encoder.encode(passages);
  for (const auto& [token, id, weight] : encoder.decode(vectors, 0, 5)) {
    std::cout << token << ' ' << weight << '\n';
  }

  const std::vector<std::string> queries{"a cat"};
  const auto scores = encoder.similarity(encoder.encode(queries), vectors);  // [1, 3]

  check(vectors.rows() == 3 && vectors.indices_of(0).size() == vectors.values_of(0).size());
  const auto dense = vectors.to_dense(), query = encoder.encode(queries).to_dense();
  double wanted = 0;
  const auto columns = static_cast<std::size_t>(vectors.columns);
  for (std::size_t i = 0; i < columns; ++i) {
    wanted += static_cast<double>(query.values<float>()[i]) * dense.values<float>()[i];
  }
  check_near(scores.values<float>()[0], wanted, 1e-4 * std::max(1.0, wanted));
}
