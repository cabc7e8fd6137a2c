/// \file
/// Similarity of texts: the cosine of their vectors or another function of them, and the search for
/// the nearest ones, as sentence-transformers' `util.cos_sim`, `util.pairwise_cos_sim`,
/// `SimilarityFunction` and `util.semantic_search` have them.
///
///     const auto corpus = model.encode(sentences);            // [sentences, columns]
///     const auto hits = cloze::semantic_search(model.encode(query), corpus, 10).front();
///     for (const auto& hit : hits) fmt::print("{:.4f} {}\n", hit.score, sentences[hit.index]);
///
/// A corpus that does not fit into memory is searched in parts, with a TopList (top_list.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "cloze/tensor.h"
#include "cloze/top_list.h"  // IWYU pragma: export

#pragma GCC visibility push(default)
namespace cloze {

/// How alike two vectors are: more is nearer.
enum class SimilarityFunction : std::uint8_t {
  cosine,     ///< of the angle between them
  dot,        ///< the sum of the products of their values
  euclidean,  ///< minus the length of their difference
  manhattan,  ///< minus the sum of the absolute differences of their values
};

/// By the names above, sentence-transformers' `similarity_fn_name`. Throws ArgumentError for
/// another name.
[[nodiscard]] SimilarityFunction similarity_function_from(std::string_view name);

/// The name that `similarity_function_from` reads.
[[nodiscard]] std::string_view name_of(SimilarityFunction function);

/// The similarity of two vectors of one size. Throws ArgumentError for different sizes.
[[nodiscard]] double similarity(std::span<const float> a, std::span<const float> b,
                                SimilarityFunction function);

/// The similarity of each row of `vectors` [rows, columns] to `query` [columns], on `num_threads()`
/// threads.
[[nodiscard]] std::vector<double> similarities(const Tensor& vectors, std::span<const float> query,
                                               SimilarityFunction function);

/// The similarities of rows 0 and 1, 2 and 3, ...
[[nodiscard]] std::vector<double> pair_similarities(const Tensor& vectors,
                                                    SimilarityFunction function);

/// The similarity of every row of `a` to every row of `b`: f32 [rows of a, rows of b]. Throws
/// ArgumentError unless both are f32 matrices with as many columns.
[[nodiscard]] Tensor similarity_matrix(const Tensor& a, const Tensor& b,
                                       SimilarityFunction function);

/// The cosine of the angle between two vectors of one size; 0 when one of them has no length.
/// Throws ArgumentError for different sizes.
[[nodiscard]] double cosine(std::span<const float> a, std::span<const float> b);

/// The cosine of each row of `vectors` [rows, columns] with `query` [columns], on `num_threads()`
/// threads.
[[nodiscard]] std::vector<double> cosines(const Tensor& vectors, std::span<const float> query);

/// The cosines of rows 0 and 1, 2 and 3, ...
[[nodiscard]] std::vector<double> pair_cosines(const Tensor& vectors);

/// The cosine of every row of `a` with every row of `b`: f32 [rows of a, rows of b]. Throws
/// ArgumentError unless both are f32 matrices with as many columns.
[[nodiscard]] Tensor cosine_similarity(const Tensor& a, const Tensor& b);

/// Scales every row of `vectors`, f32 [rows, columns], to length 1, as sentence-transformers'
/// Normalize and SentenceTransformer do; a row of zeros stays. Throws ArgumentError for another
/// dtype.
void normalize(Tensor& vectors);

/// Indices of the `count` best scores, best first, equal ones in order.
[[nodiscard]] std::vector<std::size_t> ranking(std::span<const double> scores, std::size_t count);

/// A row of the corpus that was found.
struct SearchHit {
  std::size_t index = 0;  ///< of the row, from 0
  double score = 0;       ///< its similarity to the query
};

/// The `top_k` nearest rows of `corpus` [texts, columns] for each row of `queries` [queries,
/// columns], best first, equal ones in order. Throws as cosine_similarity does.
[[nodiscard]] std::vector<std::vector<SearchHit>> semantic_search(
    const Tensor& queries, const Tensor& corpus, std::size_t top_k = 10,
    SimilarityFunction function = SimilarityFunction::cosine);

}  // namespace cloze

#pragma GCC visibility pop
