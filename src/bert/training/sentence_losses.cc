#include "bert/training/sentence_losses.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bert/matrix_rows.h"
#include "core/parallel.h"
#include "core/vectors.h"

namespace cloze::internal {
namespace {

using Vector = std::vector<double>;

/// A vector of length 1, and the length that it had.
struct Direction {
  Vector unit;
  double length = 0;
};

Direction direction_of(std::span<const float> values) {
  constexpr double least = 1e-12;  // PyTorch's normalize
  Direction direction{{values.begin(), values.end()}};
  direction.length = std::max(least, std::sqrt(dot(direction.unit, direction.unit)));
  for (auto& value : direction.unit) value /= direction.length;
  return direction;
}

std::vector<Direction> directions_of(ops::ConstMatrix vectors) {
  constexpr std::int64_t grain = 8;
  std::vector<Direction> directions(static_cast<std::size_t>(vectors.rows));
  parallel_for(vectors.rows, grain, [&](std::int64_t row) {
    directions[static_cast<std::size_t>(row)] = direction_of(row_of(vectors, row));
  });
  return directions;
}

/// to += factor · from
void add(Vector& to, double factor, const Vector& from) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * from[i];
}

/// From the gradient of u = x / |x| to that of x: (d_u - u (u · d_u)) / |x|.
void write_gradient(const Direction& direction, const Vector& d_unit, std::span<float> d_vector) {
  const double along = dot(direction.unit, d_unit);
  for (std::size_t i = 0; i < d_vector.size(); ++i) {
    d_vector[i] = static_cast<float>((d_unit[i] - direction.unit[i] * along) / direction.length);
  }
}

}  // namespace

ops::LossSum in_batch_negatives(ops::ConstMatrix vectors, double scale, ops::Matrix d_vectors) {
  constexpr double sharpness = 20;  // sentence-transformers' `scale`
  const auto directions = directions_of(vectors);
  const auto pairs = directions.size() / 2;
  const auto first = [&](std::size_t i) -> const Direction& { return directions[2 * i]; };
  const auto second = [&](std::size_t i) -> const Direction& { return directions[2 * i + 1]; };
  // d of the sum by s_ij: softmax(s_i) less 1 at i.
  std::vector<Vector> d_scores(pairs, Vector(pairs));
  Vector losses(pairs);
  std::vector<std::uint8_t> right(pairs);
  parallel_for(static_cast<std::int64_t>(pairs), 1, [&](std::int64_t row) {
    const auto i = static_cast<std::size_t>(row);
    auto& scores = d_scores[i];
    for (std::size_t j = 0; j < pairs; ++j) {
      scores[j] = sharpness * dot(first(i).unit, second(j).unit);
    }
    const double top = *std::max_element(scores.begin(), scores.end());
    right[i] = scores[i] >= top ? 1 : 0;
    const double own = scores[i];
    double sum = 0;
    for (auto& score : scores) sum += score = std::exp(score - top);
    losses[i] = std::log(sum) + top - own;
    for (auto& score : scores) score /= sum;
    scores[i] -= 1;
  });
  ops::LossSum loss{.weight = static_cast<double>(pairs),
                    .labelled = static_cast<std::int64_t>(pairs)};
  for (std::size_t i = 0; i < pairs; ++i) {
    loss.sum += losses[i];
    loss.correct += right[i];
  }
  if (d_vectors.data == nullptr) return loss;
  parallel_for(static_cast<std::int64_t>(pairs), 1, [&](std::int64_t row) {
    const auto i = static_cast<std::size_t>(row);
    Vector d_first(first(i).unit.size()), d_second(first(i).unit.size());
    for (std::size_t j = 0; j < pairs; ++j) {
      add(d_first, scale * sharpness * d_scores[i][j], second(j).unit);
      add(d_second, scale * sharpness * d_scores[j][i], first(j).unit);
    }
    write_gradient(first(i), d_first, row_of(d_vectors, 2 * row));
    write_gradient(second(i), d_second, row_of(d_vectors, 2 * row + 1));
  });
  return loss;
}

ops::LossSum cosine_error(ops::ConstMatrix vectors, std::span<const float> targets, double scale,
                          ops::Matrix d_vectors) {
  const auto directions = directions_of(vectors);
  const auto pairs = directions.size() / 2;
  ops::LossSum loss{.weight = static_cast<double>(pairs)};
  for (std::size_t i = 0; i < pairs; ++i) {
    const auto& a = directions[2 * i];
    const auto& b = directions[2 * i + 1];
    const double error = dot(a.unit, b.unit) - static_cast<double>(targets[i]);
    loss.sum += error * error;
    if (d_vectors.data == nullptr) continue;
    Vector d_a(a.unit.size()), d_b(b.unit.size());
    add(d_a, 2 * scale * error, b.unit);
    add(d_b, 2 * scale * error, a.unit);
    write_gradient(a, d_a, row_of(d_vectors, static_cast<std::int64_t>(2 * i)));
    write_gradient(b, d_b, row_of(d_vectors, static_cast<std::int64_t>(2 * i + 1)));
  }
  return loss;
}

}  // namespace cloze::internal
