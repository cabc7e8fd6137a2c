#include "inspect/attribution.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/progress_counter.h"

namespace cloze {
namespace {

constexpr int kFirstSteps = 50;  // captum's default

/// Sums over a row of a · b.
std::vector<double> row_products(std::span<const float> a, std::span<const float> b,
                                 std::size_t rows) {
  std::vector<double> sums(rows);
  const std::size_t cols = a.size() / rows;
  for (std::size_t row = 0; row < rows; ++row) {
    const auto x = a.subspan(row * cols, cols);
    sums[row] = std::inner_product(x.begin(), x.end(),
                                   b.begin() + static_cast<std::ptrdiff_t>(row * cols), 0.0);
  }
  return sums;
}

Tensor to_f32(std::span<const double> values) {
  std::vector<float> rounded(values.begin(), values.end());
  return Tensor::from<float>({static_cast<std::int64_t>(rounded.size())}, rounded);
}

/// A sequence, its baseline, and the straight path between their embeddings.
class Path {
 public:
  Path(internal::InputGradients& model, const Batch& batch, std::span<const std::int32_t> baseline,
       std::span<const internal::ScoredLogit> logits)
      : model_(model), batch_(batch), logits_(logits) {
    Batch other = batch;
    other.input_ids.assign(baseline.begin(), baseline.end());
    end_ = model.embedding_sums(batch);
    begin_ = model.embedding_sums(other);
    difference_ = Tensor::zeros(DType::f32, end_.shape());
    const auto to = end_.values<float>(), from = begin_.values<float>();
    std::transform(to.begin(), to.end(), from.begin(), difference_.mutable_values<float>().begin(),
                   std::minus<>());
  }

  [[nodiscard]] double score_at_begin() {
    return model_.run(batch_, begin_, logits_, false).scores.front();
  }
  [[nodiscard]] internal::InputGradients::Result at_end() {
    return model_.run(batch_, end_, logits_, true);
  }

  /// Σ over the points of weight · (difference · gradient), a value a token.
  [[nodiscard]] std::vector<double> integrate(const Quadrature& quadrature,
                                              const AttributionOptions& options,
                                              const ProgressCallback& progress) {
    const auto tokens = static_cast<std::size_t>(batch_.total_tokens());
    const std::size_t count = quadrature.points.size();
    const std::size_t most =
        std::max<std::size_t>(1, static_cast<std::size_t>(options.batch_tokens) / tokens);
    std::vector<double> totals(tokens);
    ProgressCounter counter(progress, "attributing", static_cast<std::int64_t>(count), "steps");
    for (std::size_t first = 0; first < count; first += most) {
      const std::size_t points = std::min(most, count - first);
      const auto sums = at(std::span(quadrature.points).subspan(first, points));
      const auto result = model_.run(copies(points), sums, logits_, true);
      const auto gradients = result.gradients.values<float>();
      const std::size_t size = gradients.size() / points;
      for (std::size_t i = 0; i < points; ++i) {
        const auto part =
            row_products(difference_.values<float>(), gradients.subspan(i * size, size), tokens);
        for (std::size_t t = 0; t < tokens; ++t) {
          totals[t] += quadrature.weights[first + i] * part[t];
        }
      }
      counter.advance(static_cast<std::int64_t>(points));
    }
    return totals;
  }

 private:
  [[nodiscard]] Batch copies(std::size_t count) const {
    Batch batch;
    for (std::size_t i = 0; i < count; ++i) batch.append(batch_.input_ids, batch_.token_type_ids);
    return batch;
  }

  /// begin + point · difference of each point, one after another.
  [[nodiscard]] Tensor at(std::span<const double> points) const {
    auto shape = begin_.shape();
    shape.front() *= static_cast<std::int64_t>(points.size());
    auto sums = Tensor::zeros(DType::f32, shape);
    auto to = sums.mutable_values<float>().begin();
    const auto from = begin_.values<float>(), step = difference_.values<float>();
    for (const double point : points) {
      const auto alpha = static_cast<float>(point);
      to = std::transform(from.begin(), from.end(), step.begin(), to,
                          [alpha](float x, float d) { return x + alpha * d; });
    }
    return sums;
  }

  internal::InputGradients& model_;
  const Batch& batch_;
  std::span<const internal::ScoredLogit> logits_;
  Tensor begin_, end_, difference_;
};

}  // namespace

Quadrature gauss_legendre(int count) {
  if (count < 1) throw ArgumentError(fmt::format("a quadrature of {} points", count));
  const auto n = static_cast<std::size_t>(count);
  Quadrature result{std::vector<double>(n), std::vector<double>(n)};
  for (std::size_t i = 0; i < n; ++i) {
    // Newton's method from Tricomi's approximation of the root of the Legendre polynomial P_n.
    double x = -std::cos(std::numbers::pi * (static_cast<double>(i) + 0.75) /
                         (static_cast<double>(count) + 0.5));
    double slope = 1;
    for (int round = 0; round < 100; ++round) {
      double previous = 1, value = x;
      for (int k = 2; k <= count; ++k) {
        const double next = ((2 * k - 1) * x * value - (k - 1) * previous) / k;
        previous = value;
        value = next;
      }
      slope = count * (x * value - previous) / (x * x - 1);
      const double step = value / slope;
      x -= step;
      if (std::abs(step) < 1e-15) break;
    }
    result.points[i] = (1 + x) / 2;
    result.weights[i] = 1 / ((1 - x * x) * slope * slope);
  }
  return result;
}

Attribution attribute(internal::InputGradients& model, const Batch& batch,
                      std::span<const std::int32_t> baseline_ids,
                      std::span<const internal::ScoredLogit> logits,
                      const AttributionOptions& options, const ProgressCallback& progress) {
  if (batch.sequences() != 1) {
    throw ArgumentError(
        fmt::format("one sequence is explained at a time, not {}", batch.sequences()));
  }
  if (baseline_ids.size() != batch.input_ids.size()) {
    throw ArgumentError(fmt::format("a baseline of {} tokens for a sequence of {}",
                                    baseline_ids.size(), batch.input_ids.size()));
  }
  Path path(model, batch, baseline_ids, logits);
  Attribution result;
  result.baseline_score = path.score_at_begin();
  const auto end = path.at_end();
  result.score = end.scores.front();
  const auto words = model.word_embeddings(batch.input_ids);
  result.gradient_x_input = to_f32(
      row_products(words.values<float>(), end.gradients.values<float>(), batch.input_ids.size()));
  result.steps = options.steps > 0 ? options.steps : kFirstSteps;
  const double change = result.score - result.baseline_score;
  while (true) {
    const auto totals = path.integrate(gauss_legendre(result.steps), options, progress);
    result.integrated_gradients = to_f32(totals);
    const double sum = std::accumulate(totals.begin(), totals.end(), 0.0);
    result.completeness_gap = sum == change ? 0 : std::abs(sum - change) / std::abs(change);
    const bool settled = options.steps > 0 || result.completeness_gap <= options.gap ||
                         result.steps * 2 > options.most_steps;
    if (settled) return result;
    result.steps *= 2;
  }
}

}  // namespace cloze
