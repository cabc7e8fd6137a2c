// The optimizers' arithmetic on the reference device.
#include <cmath>
#include <cstddef>
#include <vector>

#include "reference/device.h"
#include "reference/device_operation.h"

namespace cloze::reference {
namespace {

/// The values of one parameter, or of a row of it.
struct Arrays {
  std::vector<double> value, gradient, first, second;
};

Arrays read(const Operation& operation, const ops::OptimizedArrays& array) {
  Arrays arrays{.value = operation.read(array.value, "the values"),
                .gradient = operation.read(array.gradient, "the gradients"),
                .first = operation.read(array.exp_avg, "the first moments"),
                .second = operation.read(array.exp_avg_sq, "the second moments")};
  const std::size_t size = arrays.value.size();
  operation.require(arrays.gradient.size() == size && arrays.first.size() == size &&
                        arrays.second.size() == size &&
                        (array.rounded.empty() || array.rounded.size() == size),
                    "arrays are of different lengths");
  return arrays;
}

/// Values, moments, and gradients of zero.
void write(const Operation& operation, const Arrays& arrays, const ops::OptimizedArrays& array) {
  const std::vector<double> zeros(arrays.value.size());
  operation.write(arrays.value, array.value, "the values");
  operation.write(zeros, array.gradient, "the gradients");
  operation.write(arrays.first, array.exp_avg, "the first moments");
  operation.write(arrays.second, array.exp_avg_sq, "the second moments");
  if (!array.rounded.empty()) operation.write(arrays.value, array.rounded, "the rounded values");
}

/// The row of an array [rows, cols].
ops::OptimizedArrays row_of(const Operation& operation, const ops::OptimizedArrays& array,
                            std::int64_t cols, std::int32_t row) {
  operation.require(array.rounded.empty(), "an array stepped by rows has no rounded values");
  const auto count = static_cast<std::size_t>(cols);
  const std::size_t begin = static_cast<std::size_t>(row) * count;
  operation.require(row >= 0 && begin + count <= array.value.size(),
                    "a row is outside of its array");
  return {.value = array.value.subspan(begin, count),
          .gradient = array.gradient.subspan(begin, count),
          .exp_avg = array.exp_avg.subspan(begin, count),
          .exp_avg_sq = array.exp_avg_sq.subspan(begin, count),
          .decay = array.decay,
          .rate = array.rate};
}

/// m = β1·m + (1-β1)·g and v = β2·v + (1-β2)·g² with g = scale·gradient. Gives
/// u = m̂ / (sqrt(v̂) + ε) + decay·value, where m̂ = m / (1-β1^step) and v̂ = v / (1-β2^step) with bias
/// correction, else m and v.
std::vector<double> update(const ops::AdamSettings& settings, double scale, bool decay,
                           Arrays& arrays) {
  const auto step = static_cast<double>(settings.step);
  const double left1 = settings.bias_correction ? 1 - std::pow(settings.beta1, step) : 1;
  const double left2 = settings.bias_correction ? 1 - std::pow(settings.beta2, step) : 1;
  std::vector<double> result;
  for (std::size_t i = 0; i < arrays.value.size(); ++i) {
    const double g = scale * arrays.gradient[i];
    double& m = arrays.first[i];
    double& v = arrays.second[i];
    m = settings.beta1 * m + (1 - settings.beta1) * g;
    v = settings.beta2 * v + (1 - settings.beta2) * g * g;
    result.push_back(m / left1 / (std::sqrt(v / left2) + settings.epsilon) +
                     (decay ? settings.weight_decay * arrays.value[i] : 0));
  }
  return result;
}

/// value -= rate·update.
void apply(double rate, std::span<const double> update, Arrays& arrays) {
  for (std::size_t i = 0; i < update.size(); ++i) arrays.value[i] -= rate * update[i];
}

void adam_step(const Operation& operation, const ops::OptimizedArrays& array,
               const ops::AdamSettings& settings, double scale) {
  auto arrays = read(operation, array);
  apply(settings.learning_rate * array.rate, update(settings, scale, array.decay, arrays), arrays);
  write(operation, arrays, array);
}

double squares_of(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return sum;
}

}  // namespace

void Device::adamw(ops::Context&, std::span<const ops::OptimizedArrays> arrays,
                   const ops::AdamSettings& settings, float scale) const {
  const Operation operation(*this, "adamw");
  for (const auto& array : arrays) {
    adam_step(operation, array, settings, static_cast<double>(scale));
  }
}

void Device::adamw_rows(ops::Context&, const ops::OptimizedArrays& array, std::int64_t cols,
                        std::span<const std::int32_t> rows, const ops::AdamSettings& settings,
                        float scale) const {
  const Operation operation(*this, "adamw_rows");
  for (const auto row : operation.host(rows, "the rows")) {
    adam_step(operation, row_of(operation, array, cols, row), settings, static_cast<double>(scale));
  }
}

void Device::adamw_owed(ops::Context&, const ops::OptimizedArrays& array, std::int64_t cols,
                        std::span<const ops::OwedSteps> rows,
                        std::span<const ops::AdamSettings> steps) const {
  const Operation operation(*this, "adamw_owed");
  const auto all = operation.host(steps, "the steps");
  for (const auto& owed : operation.host(rows, "the rows")) {
    const auto row = row_of(operation, array, cols, owed.row);
    auto arrays = read(operation, row);
    operation.require(squares_of(arrays.gradient) == 0, "a row that owes steps has a gradient");
    // With moments of zero, weight decay alone is left of a step.
    operation.require(owed.moved || squares_of(arrays.first) + squares_of(arrays.second) == 0,
                      "a row that has not moved has moments");
    const auto first = static_cast<std::size_t>(owed.first);
    operation.require(owed.first >= 0 && first <= all.size(),
                      "a row owes steps that are not given");
    for (const auto& step : all.subspan(first)) {
      apply(step.learning_rate * row.rate, update(step, 1, row.decay, arrays), arrays);
    }
    write(operation, arrays, row);
  }
}

void Device::lamb(ops::Context&, std::span<const ops::OptimizedArrays> arrays,
                  const ops::AdamSettings& settings, float scale) const {
  const Operation operation(*this, "lamb");
  for (const auto& array : arrays) {
    auto values = read(operation, array);
    const auto updates = update(settings, static_cast<double>(scale), array.decay, values);
    const double value_norm = std::sqrt(squares_of(values.value));
    const double update_norm = std::sqrt(squares_of(updates));
    const bool adapts = array.decay && value_norm > 0 && update_norm > 0;
    const double trust = adapts ? value_norm / update_norm : 1;
    apply(settings.learning_rate * array.rate * trust, updates, values);
    write(operation, values, array);
  }
}

ops::Pending<double> Device::sum_of_squares(ops::Context&,
                                            std::span<const std::span<const float>> arrays) const {
  const Operation operation(*this, "sum_of_squares");
  double sum = 0;
  for (const auto& array : arrays) sum += squares_of(operation.read(array, "an array"));
  return operation.pending(sum);
}

ops::Pending<double> Device::sum_of_squares(ops::Context&, std::span<const float> values,
                                            std::int64_t cols,
                                            std::span<const std::int32_t> rows) const {
  const Operation operation(*this, "sum_of_squares");
  const auto count = static_cast<std::size_t>(cols);
  double sum = 0;
  for (const auto row : operation.host(rows, "the rows")) {
    const auto begin = static_cast<std::size_t>(row) * count;
    operation.require(row >= 0 && begin + count <= values.size(), "a row is outside of its array");
    sum += squares_of(operation.read(values.subspan(begin, count), "the values"));
  }
  return operation.pending(sum);
}

}  // namespace cloze::reference
