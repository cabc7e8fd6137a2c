// Attention of the reference device. Each sequence's head is three products of small matrices, as
// the formulas of ops/attention.h have them.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "reference/device.h"
#include "reference/device_operation.h"
#include "reference/training.h"

namespace cloze::reference {
namespace {

/// The rows and columns of all operands that are a sequence's head's own.
struct Place {
  std::size_t query = 0, queries = 0;  ///< first row and count of the queries
  std::size_t token = 0, length = 0;   ///< of the keys and values
  std::size_t column = 0, head_dim = 0;
  std::int64_t dropout_row = 0;
};

/// All heads of all sequences, heads within sequences.
std::vector<Place> places_of(const Operation& operation, const ops::AttentionInputs& in,
                             const ops::AttentionShape& shape) {
  const auto ends = operation.host(shape.cu_seqlens, "cu_seqlens");
  const auto query_ends =
      in.cu_queries.empty() ? ends : operation.host(in.cu_queries, "cu_queries");
  const std::int64_t hidden = shape.heads * shape.head_dim;
  operation.require(!ends.empty() && query_ends.size() == ends.size() && ends.back() == in.k.rows &&
                        query_ends.back() == in.q.rows,
                    "the sequences do not fit the rows");
  operation.require(in.v.rows == in.k.rows && in.q.cols == hidden && in.k.cols == hidden &&
                        in.v.cols == hidden && in.q.dtype == in.k.dtype && in.v.dtype == in.k.dtype,
                    "queries, keys and values do not fit");
  std::vector<Place> places;
  for (std::size_t s = 0; s + 1 < ends.size(); ++s) {
    for (std::int64_t head = 0; head < shape.heads; ++head) {
      places.push_back({.query = static_cast<std::size_t>(query_ends[s]),
                        .queries = static_cast<std::size_t>(query_ends[s + 1] - query_ends[s]),
                        .token = static_cast<std::size_t>(ends[s]),
                        .length = static_cast<std::size_t>(ends[s + 1] - ends[s]),
                        .column = static_cast<std::size_t>(head * shape.head_dim),
                        .head_dim = static_cast<std::size_t>(shape.head_dim),
                        .dropout_row = head * in.k.rows + ends[s]});
    }
  }
  return places;
}

Matrix block(const Matrix& from, std::size_t row, std::size_t rows, const Place& place) {
  Matrix part(rows, place.head_dim);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < part.cols; ++c) part(r, c) = from(row + r, place.column + c);
  }
  return part;
}

void put(const Matrix& part, std::size_t row, const Place& place, Matrix& to) {
  for (std::size_t r = 0; r < part.rows; ++r) {
    for (std::size_t c = 0; c < part.cols; ++c) to(row + r, place.column + c) = part(r, c);
  }
}

/// softmax(q·kᵀ / sqrt(head_dim)).
Matrix probabilities_of(const Matrix& q, const Matrix& k) {
  auto p = product(q, transposed(k));
  for (std::size_t r = 0; r < p.rows; ++r) {
    double most = -HUGE_VAL, sum = 0;
    for (std::size_t c = 0; c < p.cols; ++c) {
      p(r, c) /= std::sqrt(static_cast<double>(q.cols));
      most = std::max(most, p(r, c));
    }
    for (std::size_t c = 0; c < p.cols; ++c) sum += p(r, c) = std::exp(p(r, c) - most);
    for (std::size_t c = 0; c < p.cols; ++c) p(r, c) /= sum;
  }
  return p;
}

/// Dropout's factors of a head's probabilities, which are one row of it: query i and key j have
/// column i·keys + j.
Matrix factors_of(const ops::Dropout& dropout, const Place& place) {
  const auto granule = static_cast<std::size_t>(ops::kKeyColumns);
  const std::size_t keys = (place.length + granule - 1) / granule * granule;
  std::vector<float> row(place.queries * keys);
  ops::dropout_factors(dropout, place.dropout_row, row);
  Matrix factors(place.queries, place.length);
  for (std::size_t i = 0; i < factors.rows; ++i) {
    for (std::size_t j = 0; j < factors.cols; ++j) {
      factors(i, j) = static_cast<double>(row[i * keys + j]);
    }
  }
  return factors;
}

}  // namespace

void Device::attention(ops::Context&, const ops::AttentionInputs& in,
                       const ops::AttentionShape& shape, ops::Matrix y,
                       const ops::AttentionOptions& options) const {
  const Operation operation(*this, "attention");
  const auto places = places_of(operation, in, shape);
  const auto q = operation.read(in.q, "q"), k = operation.read(in.k, "k");
  const auto v = operation.read(in.v, "v");
  operation.require(y.dtype == in.q.dtype, "y is of another dtype");
  Matrix mixed(q.rows, q.cols);
  std::vector<double> probabilities;
  for (const auto& place : places) {
    const auto p = probabilities_of(block(q, place.query, place.queries, place),
                                    block(k, place.token, place.length, place));
    const auto dropped = times(p, factors_of(options.dropout, place));
    put(product(dropped, block(v, place.token, place.length, place)), place.query, place, mixed);
    probabilities.insert(probabilities.end(), p.values.begin(), p.values.end());
  }
  operation.write(mixed, y, "y");
  if (!options.probabilities.empty()) {
    operation.write(probabilities, options.probabilities, "the probabilities");
  }
}

// With P the probabilities and D dropout's factors: dV = (P∘D)ᵀ·dY, dP = (dY·Vᵀ)∘D,
// dS = P∘(dP - rowsum(P∘dP)) / sqrt(head_dim), dQ = dS·K, dK = dSᵀ·Q.
void Device::attention_backward(ops::Context&, const ops::AttentionBackward& args) const {
  const Operation operation(*this, "attention_backward");
  const auto& in = args.in;
  const auto places = places_of(operation, in, args.shape);
  const auto q = operation.read(in.q, "q"), k = operation.read(in.k, "k");
  const auto v = operation.read(in.v, "v"), d_y = operation.read(args.d_y, "d_y");
  operation.require(d_y.rows == q.rows && d_y.cols == q.cols, "d_y does not fit the queries");
  Matrix d_q(q.rows, q.cols), d_k(k.rows, k.cols), d_v(v.rows, v.cols);
  for (const auto& place : places) {
    const auto queries = block(q, place.query, place.queries, place);
    const auto keys = block(k, place.token, place.length, place);
    const auto values = block(v, place.token, place.length, place);
    const auto d_mixed = block(d_y, place.query, place.queries, place);
    const auto p = probabilities_of(queries, keys);
    const auto factors = factors_of(args.dropout, place);
    put(product(transposed(times(p, factors)), d_mixed), place.token, place, d_v);
    const auto d_p = times(product(d_mixed, transposed(values)), factors);
    Matrix d_scores(p.rows, p.cols);
    for (std::size_t r = 0; r < p.rows; ++r) {
      double sum = 0;
      for (std::size_t c = 0; c < p.cols; ++c) sum += p(r, c) * d_p(r, c);
      for (std::size_t c = 0; c < p.cols; ++c) {
        d_scores(r, c) =
            p(r, c) * (d_p(r, c) - sum) / std::sqrt(static_cast<double>(place.head_dim));
      }
    }
    put(product(d_scores, keys), place.query, place, d_q);
    put(product(transposed(d_scores), queries), place.token, place, d_k);
  }
  operation.write(d_q, args.out.q, "d_q");
  operation.write(d_k, args.out.k, "d_k");
  operation.write(d_v, args.out.v, "d_v");
}

}  // namespace cloze::reference
