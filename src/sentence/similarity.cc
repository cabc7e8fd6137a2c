#include "cloze/similarity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "core/strings.h"
#include "core/vectors.h"
#include "sentence/pooling.h"

namespace cloze {
namespace {

constexpr std::array<std::pair<std::string_view, SimilarityFunction>, 4> kFunctions{
    {{"cosine", SimilarityFunction::cosine},
     {"dot", SimilarityFunction::dot},
     {"euclidean", SimilarityFunction::euclidean},
     {"manhattan", SimilarityFunction::manhattan}}};

void require_comparable(const Tensor& a, const Tensor& b) {
  if (a.shape().size() == 2 && b.shape().size() == 2 && a.dim(1) == b.dim(1)) return;
  throw ArgumentError(fmt::format("vectors of shapes {} and {} cannot be compared",
                                  to_string(a.shape()), to_string(b.shape())));
}

}  // namespace

double cosine(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) throw ArgumentError("vectors of different sizes have no cosine");
  double product = 0.0;
  double a_squares = 0.0;
  double b_squares = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    product += static_cast<double>(a[i]) * b[i];
    a_squares += static_cast<double>(a[i]) * a[i];
    b_squares += static_cast<double>(b[i]) * b[i];
  }
  const double lengths = std::sqrt(a_squares) * std::sqrt(b_squares);
  return lengths > 0.0 ? product / lengths : 0.0;
}

SimilarityFunction similarity_function_from(std::string_view name) {
  for (const auto& [known, function] : kFunctions) {
    if (known == name) return function;
  }
  throw ArgumentError(
      fmt::format("there is no similarity function {}: it is cosine, dot, euclidean or manhattan",
                  in_quotes(name)));
}

std::string_view name_of(SimilarityFunction function) {
  return kFunctions.at(static_cast<std::size_t>(function)).first;
}

double similarity(std::span<const float> a, std::span<const float> b, SimilarityFunction function) {
  if (function == SimilarityFunction::cosine) return cosine(a, b);
  if (a.size() != b.size()) throw ArgumentError("vectors of different sizes cannot be compared");
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    switch (function) {
      case SimilarityFunction::dot:
        sum += x * y;
        break;
      case SimilarityFunction::euclidean:
        sum += (x - y) * (x - y);
        break;
      default:
        sum += std::abs(x - y);
        break;
    }
  }
  if (function == SimilarityFunction::dot) return sum;
  return function == SimilarityFunction::euclidean ? -std::sqrt(sum) : -sum;
}

std::vector<double> similarities(const Tensor& vectors, std::span<const float> query,
                                 SimilarityFunction function) {
  constexpr std::int64_t rows_at_once = 64;
  std::vector<double> scores(static_cast<std::size_t>(vectors.dim(0)));
  parallel_for(vectors.dim(0), rows_at_once, [&](std::int64_t row) {
    scores[static_cast<std::size_t>(row)] = similarity(row_of(vectors, row), query, function);
  });
  return scores;
}

std::vector<double> pair_similarities(const Tensor& vectors, SimilarityFunction function) {
  std::vector<double> scores;
  for (std::int64_t row = 0; row + 1 < vectors.dim(0); row += 2) {
    scores.push_back(similarity(row_of(vectors, row), row_of(vectors, row + 1), function));
  }
  return scores;
}

Tensor similarity_matrix(const Tensor& a, const Tensor& b, SimilarityFunction function) {
  require_comparable(a, b);
  auto matrix = Tensor::zeros(DType::f32, {a.dim(0), b.dim(0)});
  auto target = matrix.mutable_values<float>().begin();
  for (std::int64_t row = 0; row < a.dim(0); ++row) {
    for (const double score : similarities(b, row_of(a, row), function)) {
      *target++ = static_cast<float>(score);
    }
  }
  return matrix;
}

std::vector<double> cosines(const Tensor& vectors, std::span<const float> query) {
  return similarities(vectors, query, SimilarityFunction::cosine);
}

std::vector<double> pair_cosines(const Tensor& vectors) {
  return pair_similarities(vectors, SimilarityFunction::cosine);
}

Tensor cosine_similarity(const Tensor& a, const Tensor& b) {
  return similarity_matrix(a, b, SimilarityFunction::cosine);
}

void normalize(Tensor& vectors) { normalize_rows(vectors); }

std::vector<std::size_t> ranking(std::span<const double> scores, std::size_t count) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  count = std::min(count, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](std::size_t a, std::size_t b) {
                      return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
                    });
  order.resize(count);
  return order;
}

std::vector<std::vector<SearchHit>> semantic_search(const Tensor& queries, const Tensor& corpus,
                                                    std::size_t top_k,
                                                    SimilarityFunction function) {
  require_comparable(queries, corpus);
  std::vector<std::vector<SearchHit>> hits(static_cast<std::size_t>(queries.dim(0)));
  for (std::size_t query = 0; query < hits.size(); ++query) {
    const auto scores =
        similarities(corpus, row_of(queries, static_cast<std::int64_t>(query)), function);
    for (const auto index : ranking(scores, top_k)) hits[query].push_back({index, scores[index]});
  }
  return hits;
}

}  // namespace cloze
