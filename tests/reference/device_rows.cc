// Row-wise operations of the reference device: norms, activations, dropout, rows moved, embeddings.
#include "reference/device_rows.h"

#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

#include "reference/device.h"
#include "reference/device_operation.h"
#include "reference/training.h"

namespace cloze::reference {
namespace {

/// Whether the matrix is given and fits, or is not given where it need not be.
bool like(const Matrix& x, const ops::ConstMatrix& other, bool may_be_absent = false) {
  if (other.data == nullptr && may_be_absent) return true;
  return other.rows == static_cast<std::int64_t>(x.rows) &&
         other.cols == static_cast<std::int64_t>(x.cols);
}

Matrix normalized(const Operation& operation, const Matrix& x, const ops::NormParameters& norm) {
  const auto gamma = operation.read(norm.gamma, "gamma");
  const auto beta = operation.read(norm.beta, "beta");
  operation.require(gamma.size() == x.cols && beta.size() == x.cols,
                    "gamma and beta do not fit the rows");
  return layer_norm(x, gamma, beta, static_cast<double>(norm.epsilon));
}

/// The rows of `table` that the indices name.
Matrix gathered(const Operation& operation, const Matrix& table,
                std::span<const std::int32_t> indices, std::string_view what) {
  Matrix rows(indices.size(), table.cols);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const auto at = static_cast<std::size_t>(indices[i]);
    operation.require(indices[i] >= 0 && at < table.rows, what);
    for (std::size_t c = 0; c < table.cols; ++c) rows(i, c) = table(at, c);
  }
  return rows;
}

/// to[indices[i]] += from[i] but for the index `skipped`.
void scatter_add(const Operation& operation, const Matrix& from,
                 std::span<const std::int32_t> indices, const ops::Matrix& to, std::int64_t skipped,
                 std::string_view operand) {
  operation.require(to.dtype == DType::f32, "rows are added up in f32");
  auto sums = operation.read(to, operand);
  operation.require(indices.size() == from.rows && from.cols == sums.cols, "rows do not fit");
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] == skipped) continue;
    const auto at = static_cast<std::size_t>(indices[i]);
    operation.require(indices[i] >= 0 && at < sums.rows, "an index is outside of its table");
    for (std::size_t c = 0; c < from.cols; ++c) sums(at, c) += from(i, c);
  }
  operation.write(sums, to, operand);
}

Matrix sum_of_tables(const Operation& operation, const ops::EmbeddingTables& tables,
                     const ops::EmbeddingIndices& indices) {
  const auto rows = [&](const ops::ConstMatrix& table, std::span<const std::int32_t> ids,
                        std::string_view operand) {
    return gathered(operation, operation.read(table, operand), operation.host(ids, "the indices"),
                    "an index is outside of its table");
  };
  const auto word = rows(tables.word, indices.input_ids, "the word table");
  const auto position = rows(tables.position, indices.position_ids, "the position table");
  const auto type = rows(tables.token_type, indices.token_type_ids, "the token type table");
  return plus(plus(word, position), type);
}

void require_ends(const Operation& operation, std::span<const std::int32_t> cu_seqlens,
                  std::int64_t tokens, std::int64_t sequences) {
  operation.require(
      static_cast<std::int64_t>(cu_seqlens.size()) == sequences + 1 && cu_seqlens.back() == tokens,
      "the sequences do not fit the rows");
}

}  // namespace

double activated(ops::Epilogue activation, double x) {
  switch (activation) {
    case ops::Epilogue::gelu:
      return gelu(x);
    case ops::Epilogue::gelu_tanh:
      return gelu_tanh(x);
    case ops::Epilogue::relu:
      return relu(x);
    case ops::Epilogue::silu:
      return silu(x);
    case ops::Epilogue::tanh:
      return std::tanh(x);
    case ops::Epilogue::none:
    case ops::Epilogue::add:
      break;
  }
  return x;
}

double slope(ops::Epilogue activation, double x) {
  switch (activation) {
    case ops::Epilogue::gelu: {  // x·Φ(x): Φ(x) + x·φ(x)
      const double below = 0.5 * (1 + std::erf(x / std::numbers::sqrt2));
      const double density = std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi);
      return below + x * density;
    }
    case ops::Epilogue::gelu_tanh: {  // x·(1 + tanh u(x)) / 2, tanh' = 1 - tanh²
      const double factor = std::sqrt(2 / std::numbers::pi);
      const double t = std::tanh(factor * (x + 0.044715 * x * x * x));
      const double u_slope = factor * (1 + 3 * 0.044715 * x * x);
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * u_slope;
    }
    case ops::Epilogue::relu:
      return x > 0 ? 1 : 0;
    case ops::Epilogue::silu: {  // x·s(x), s' = s·(1 - s)
      const double s = 1 / (1 + std::exp(-x));
      return s + x * s * (1 - s);
    }
    case ops::Epilogue::tanh: {
      const double t = std::tanh(x);
      return 1 - t * t;
    }
    case ops::Epilogue::none:
    case ops::Epilogue::add:
      break;
  }
  return 1;
}

void Device::layer_norm(ops::Context&, ops::ConstMatrix x, const ops::NormParameters& parameters,
                        ops::Matrix y) const {
  const Operation operation(*this, "layer_norm");
  operation.write(normalized(operation, operation.read(x, "x"), parameters), y, "y");
}

void Device::residual_norm(ops::Context&, const ops::ResidualNorm& args) const {
  const Operation operation(*this, "residual_norm");
  auto z = operation.read(args.x, "x");
  operation.require(like(z, args.residual, true), "the residual does not fit");
  z = times(z, dropout_factors(args.dropout, z.rows, z.cols));
  if (args.residual.data != nullptr) z = plus(z, operation.read(args.residual, "the residual"));
  const auto epsilon = static_cast<double>(args.parameters.epsilon);
  std::vector<double> inverse(z.rows);
  for (std::size_t r = 0; r < z.rows; ++r) {
    double mean = 0, variance = 0;
    for (std::size_t c = 0; c < z.cols; ++c) mean += z(r, c) / static_cast<double>(z.cols);
    for (std::size_t c = 0; c < z.cols; ++c) {
      variance += (z(r, c) - mean) * (z(r, c) - mean) / static_cast<double>(z.cols);
    }
    inverse[r] = 1 / std::sqrt(variance + epsilon);
  }
  const std::vector<double> ones(z.cols, 1), zeros(z.cols);
  const auto y = normalized(operation, z, args.parameters);
  operation.write(reference::layer_norm(z, ones, zeros, epsilon), args.saved.normalized,
                  "the normalized values");
  operation.write(inverse, args.saved.inverse, "the inverse deviations");
  operation.write(y, args.y, "y");
}

// With g = d_y∘gamma and n the normalized values: d_z = inverse·(g - mean(g) - n·mean(g∘n)).
void Device::residual_norm_backward(ops::Context&, const ops::ResidualNormBackward& args) const {
  const Operation operation(*this, "residual_norm_backward");
  const auto d_y = operation.read(args.d_y, "d_y");
  const auto n = operation.read(args.saved.normalized, "the normalized values");
  const auto inverse = operation.read(args.saved.inverse, "the inverse deviations");
  const auto gamma = operation.read(args.gamma, "gamma");
  operation.require(args.d_y.dtype == DType::f32 && args.d_z.dtype == DType::f32,
                    "d_y and d_z are to be f32");
  operation.require(like(d_y, args.saved.normalized) && like(d_y, args.d_z) &&
                        like(d_y, args.d_x, true) && inverse.size() == d_y.rows &&
                        gamma.size() == d_y.cols,
                    "operands do not fit d_y");
  const auto count = static_cast<double>(d_y.cols);
  Matrix d_z(d_y.rows, d_y.cols);
  for (std::size_t r = 0; r < d_y.rows; ++r) {
    double mean = 0, mean_with_n = 0;
    for (std::size_t c = 0; c < d_y.cols; ++c) {
      mean += d_y(r, c) * gamma[c] / count;
      mean_with_n += d_y(r, c) * gamma[c] * n(r, c) / count;
    }
    for (std::size_t c = 0; c < d_y.cols; ++c) {
      d_z(r, c) = inverse[r] * (d_y(r, c) * gamma[c] - mean - n(r, c) * mean_with_n);
    }
  }
  const auto d_x = times(d_z, dropout_factors(args.dropout, d_z.rows, d_z.cols));
  operation.write(d_z, args.d_z, "d_z");
  if (args.d_x.data != nullptr) operation.write(d_x, args.d_x, "d_x");
  operation.add(column_sums(times(d_y, n)), args.gradients.gamma, "the gradient of gamma");
  operation.add(column_sums(d_y), args.gradients.beta, "the gradient of beta");
  operation.add(column_sums(d_x), args.gradients.bias, "the gradient of the bias");
}

void Device::activate(ops::Context&, ops::ConstMatrix x, ops::Epilogue activation,
                      ops::Matrix y) const {
  const Operation operation(*this, "activate");
  operation.write(
      map(operation.read(x, "x"), [&](double value) { return activated(activation, value); }), y,
      "y");
}

void Device::activate_backward(ops::Context&, const ops::ActivationBackward& args) const {
  const Operation operation(*this, "activate_backward");
  const auto x = operation.read(args.x, "x");
  operation.require(like(x, args.d_y) && like(x, args.d_x) && like(x, args.y, true),
                    "operands do not fit x");
  const auto slopes = map(x, [&](double value) { return slope(args.activation, value); });
  const auto d_x = times(operation.read(args.d_y, "d_y"), slopes);
  operation.write(d_x, args.d_x, "d_x");
  if (args.y.data != nullptr) {
    operation.write(map(x, [&](double value) { return activated(args.activation, value); }), args.y,
                    "y");
  }
  operation.add(column_sums(d_x), args.bias_gradient, "the gradient of the bias");
}

void Device::apply_dropout(ops::Context&, ops::ConstMatrix x, const ops::Dropout& dropout,
                           ops::Matrix y) const {
  const Operation operation(*this, "apply_dropout");
  const auto values = operation.read(x, "x");
  operation.write(times(values, dropout_factors(dropout, values.rows, values.cols)), y, "y");
}

void Device::convert(ops::Context&, ops::ConstMatrix x, ops::Matrix y) const {
  const Operation operation(*this, "convert");
  operation.write(operation.read(x, "x"), y, "y");
}

void Device::round(std::span<const float> from, std::span<BFloat16> to) const {
  const Operation operation(*this, "round");
  operation.write(operation.read(from, "the values"), to, "the rounded values");
}

void Device::gather_rows(ops::Context&, ops::ConstMatrix x, std::span<const std::int32_t> indices,
                         ops::Matrix y) const {
  const Operation operation(*this, "gather_rows");
  operation.write(gathered(operation, operation.read(x, "x"),
                           operation.host(indices, "the indices"), "an index is outside of x"),
                  y, "y");
}

void Device::scatter_add_rows(ops::Context&, ops::ConstMatrix from,
                              std::span<const std::int32_t> indices, ops::Matrix to,
                              std::int64_t skipped) const {
  const Operation operation(*this, "scatter_add_rows");
  scatter_add(operation, operation.read(from, "the rows"), operation.host(indices, "the indices"),
              to, skipped, "the table");
}

void Device::add_column_sums(ops::Context&, ops::ConstMatrix x, std::span<float> sums) const {
  const Operation operation(*this, "add_column_sums");
  operation.add(column_sums(operation.read(x, "x")), sums, "the sums");
}

void Device::mean_rows(ops::Context&, ops::ConstMatrix x, std::span<const std::int32_t> cu_seqlens,
                       ops::Matrix y) const {
  const Operation operation(*this, "mean_rows");
  const auto ends = operation.host(cu_seqlens, "cu_seqlens");
  require_ends(operation, ends, x.rows, y.rows);
  const auto values = operation.read(x, "x");
  Matrix means(ends.size() - 1, values.cols);
  for (std::size_t s = 0; s < means.rows; ++s) {
    const double length = ends[s + 1] - ends[s];
    for (auto r = static_cast<std::size_t>(ends[s]); r < static_cast<std::size_t>(ends[s + 1]);
         ++r) {
      for (std::size_t c = 0; c < means.cols; ++c) means(s, c) += values(r, c) / length;
    }
  }
  operation.write(means, y, "y");
}

void Device::mean_rows_backward(ops::Context&, ops::ConstMatrix d_y,
                                std::span<const std::int32_t> cu_seqlens, ops::Matrix d_x) const {
  const Operation operation(*this, "mean_rows_backward");
  const auto ends = operation.host(cu_seqlens, "cu_seqlens");
  require_ends(operation, ends, d_x.rows, d_y.rows);
  const auto means = operation.read(d_y, "d_y");
  Matrix values(static_cast<std::size_t>(d_x.rows), means.cols);
  for (std::size_t s = 0; s < means.rows; ++s) {
    const double length = ends[s + 1] - ends[s];
    for (auto r = static_cast<std::size_t>(ends[s]); r < static_cast<std::size_t>(ends[s + 1]);
         ++r) {
      for (std::size_t c = 0; c < means.cols; ++c) values(r, c) = means(s, c) / length;
    }
  }
  operation.write(values, d_x, "d_x");
}

void Device::embed(ops::Context&, const ops::EmbeddingTables& tables,
                   const ops::EmbeddingIndices& indices, const ops::NormParameters& norm,
                   ops::Matrix y) const {
  const Operation operation(*this, "embed");
  operation.write(normalized(operation, sum_of_tables(operation, tables, indices), norm), y, "y");
}

void Device::embedding_sum(ops::Context&, const ops::EmbeddingTables& tables,
                           const ops::EmbeddingIndices& indices, ops::Matrix z) const {
  const Operation operation(*this, "embedding_sum");
  operation.require(z.dtype == DType::f32, "z is to be f32");
  operation.write(sum_of_tables(operation, tables, indices), z, "z");
}

void Device::embedding_sum_backward(ops::Context&, ops::ConstMatrix d_z,
                                    const ops::EmbeddingIndices& indices,
                                    const ops::EmbeddingGradients& gradients) const {
  const Operation operation(*this, "embedding_sum_backward");
  const auto rows = operation.read(d_z, "d_z");
  scatter_add(operation, rows, operation.host(indices.input_ids, "the ids"), gradients.word,
              gradients.padding, "the words' gradient");
  scatter_add(operation, rows, operation.host(indices.position_ids, "the positions"),
              gradients.position, -1, "the positions' gradient");
  scatter_add(operation, rows, operation.host(indices.token_type_ids, "the token types"),
              gradients.token_type, -1, "the token types' gradient");
}

}  // namespace cloze::reference
