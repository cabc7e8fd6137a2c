// What stands between the products of a training step, row by row: dropout, residual and layer
// norm, activations, and the column sums that are the gradients of biases. Each row is brought to
// f32, worked on in scratch, and rounded once on its way out.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/training_rows.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include "ops/cpu/training_rows.h"

#include <cmath>

#include "hwy/highway.h"
#include "ops/cpu/activation-inl.h"
#include "ops/cpu/dropout-inl.h"
#include "ops/cpu/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

struct Sums {
  float value, product;
};

/// Sums of a and of a∘b over [0, cols); both are zero from cols to a whole vector.
Sums SumRows(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, std::size_t cols) {
  const F32 d;
  auto values = hn::Zero(d), products = hn::Zero(d);
  for (std::size_t i = 0; i < cols; i += hn::Lanes(d)) {
    const auto x = hn::LoadU(d, a + i);
    values = hn::Add(values, x);
    products = hn::MulAdd(x, hn::LoadU(d, b + i), products);
  }
  return {hn::GetLane(hn::SumOfLanes(d, values)), hn::GetLane(hn::SumOfLanes(d, products))};
}

void AddTo(const float* HWY_RESTRICT from, std::size_t cols, float* HWY_RESTRICT to) {
  const F32 d;
  for (std::size_t i = 0; i < cols; i += hn::Lanes(d)) {
    hn::StoreU(hn::Add(hn::LoadU(d, to + i), hn::LoadU(d, from + i)), d, to + i);
  }
}

void ResidualNormRow(const ResidualNormTask& task, std::int64_t row, RowScratch& scratch) {
  const F32 d;
  const auto cols = static_cast<std::size_t>(task.x.cols);
  const std::size_t wide = padded(cols);
  float* z = scratch.at(0);
  float* part = scratch.at(1);
  LoadRow(task.x.dtype, task.x.row(row), cols, z);
  if (Drops(task.dropout)) {
    DropoutRow(task.dropout, row, cols, part);
    MultiplyRow(z, part, wide);
  }
  if (task.residual.data != nullptr) {
    LoadRow(task.residual.dtype, task.residual.row(row), cols, part);
    AddTo(part, wide, z);
  }
  // Two passes: the mean, then the squares of what is left.
  const auto count = static_cast<float>(cols);
  const float mean = SumRows(z, z, cols).value / count;
  auto squares = hn::Zero(d);
  const auto means = hn::Set(d, mean);
  for (std::size_t i = 0; i < wide; i += hn::Lanes(d)) {
    const auto inside = hn::FirstN(d, std::min(cols - i, hn::Lanes(d)));
    const auto centred = hn::IfThenElseZero(inside, hn::Sub(hn::LoadU(d, z + i), means));
    hn::StoreU(centred, d, z + i);
    squares = hn::MulAdd(centred, centred, squares);
  }
  const float variance = hn::GetLane(hn::SumOfLanes(d, squares)) / count;
  const float inverse = 1.0F / std::sqrt(variance + task.epsilon);
  task.inverse[row] = inverse;
  const auto scale = hn::Set(d, inverse);
  for (std::size_t i = 0; i < wide; i += hn::Lanes(d)) {
    const auto normal = hn::Mul(hn::LoadU(d, z + i), scale);
    hn::StoreU(normal, d, z + i);
    hn::StoreU(hn::MulAdd(normal, hn::LoadU(d, scratch.gamma + i), hn::LoadU(d, scratch.beta + i)),
               d, part + i);
  }
  StoreRow(z, cols, task.normalized.dtype, task.normalized.row(row));
  StoreRow(part, cols, task.y.dtype, task.y.row(row));
}

/// Rows [begin, begin + count), whose contributions to the parameters' gradients go to the sums.
void ResidualNormBackwardRows(const ResidualNormBackwardTask& task, std::int64_t begin,
                              std::int64_t count, RowScratch& scratch) {
  const F32 d;
  const auto cols = static_cast<std::size_t>(task.d_y.cols);
  const std::size_t wide = padded(cols);
  float* gradient = scratch.at(0);
  float* normal = scratch.at(1);
  float* factors = scratch.at(2);
  const bool drops = Drops(task.dropout);
  for (std::int64_t row = begin; row < begin + count; ++row) {
    LoadRow(task.d_y.dtype, task.d_y.row(row), cols, gradient);
    LoadRow(task.normalized.dtype, task.normalized.row(row), cols, normal);
    for (std::size_t i = 0; i < wide; i += hn::Lanes(d)) {
      const auto dy = hn::LoadU(d, gradient + i), n = hn::LoadU(d, normal + i);
      hn::StoreU(hn::MulAdd(dy, n, hn::LoadU(d, task.d_gamma + i)), d, task.d_gamma + i);
      hn::StoreU(hn::Add(dy, hn::LoadU(d, task.d_beta + i)), d, task.d_beta + i);
      hn::StoreU(hn::Mul(dy, hn::LoadU(d, scratch.gamma + i)), d, gradient + i);
    }
    const Sums sums = SumRows(gradient, normal, cols);
    const auto mean = hn::Set(d, sums.value / static_cast<float>(cols));
    const auto slope = hn::Set(d, sums.product / static_cast<float>(cols));
    const auto inverse = hn::Set(d, task.inverse[row]);
    for (std::size_t i = 0; i < wide; i += hn::Lanes(d)) {
      const auto g = hn::LoadU(d, gradient + i), n = hn::LoadU(d, normal + i);
      hn::StoreU(hn::Mul(inverse, hn::NegMulAdd(n, slope, hn::Sub(g, mean))), d, gradient + i);
    }
    StoreRow(gradient, cols, task.d_z.dtype, task.d_z.row(row));
    if (task.d_x.data == nullptr) continue;
    if (drops) {
      DropoutRow(task.dropout, row, cols, factors);
      MultiplyRow(gradient, factors, wide);
    }
    StoreRow(gradient, cols, task.d_x.dtype, task.d_x.row(row));
    if (task.d_bias != nullptr) AddTo(gradient, wide, task.d_bias);
  }
}

void DropoutFactors(const Dropout& dropout, std::int64_t row, std::size_t cols, float* factors) {
  DropoutRow(dropout, row, cols, factors);
}

void ApplyDropoutRow(const ConstMatrix& x, const Dropout& dropout, const Matrix& y,
                     std::int64_t row, RowScratch& scratch) {
  const auto cols = static_cast<std::size_t>(x.cols);
  LoadRow(x.dtype, x.row(row), cols, scratch.at(0));
  if (Drops(dropout)) {
    DropoutRow(dropout, row, cols, scratch.at(1));
    MultiplyRow(scratch.at(0), scratch.at(1), padded(cols));
  }
  StoreRow(scratch.at(0), cols, y.dtype, y.row(row));
}

struct Activated {
  hn::Vec<F32> value, slope;
};

HWY_INLINE Activated ActivateAndSlope(F32 d, Epilogue activation, hn::Vec<F32> x) {
  const auto one = hn::Set(d, 1.0F);
  switch (activation) {
    case Epilogue::gelu:
      return {Gelu(d, x), GeluSlope(d, x)};
    case Epilogue::gelu_tanh: {
      const auto square = hn::Mul(x, x);
      const auto cubic = hn::MulAdd(hn::Mul(square, x), hn::Set(d, 0.044715F), x);
      const auto s = Sigmoid(d, hn::Mul(cubic, hn::Set(d, 1.5957691216F)));
      const auto inner =
          hn::Mul(hn::MulAdd(square, hn::Set(d, 0.134145F), one), hn::Set(d, 1.5957691216F));
      const auto slope = hn::MulAdd(hn::Mul(x, inner), hn::Mul(s, hn::Sub(one, s)), s);
      return {hn::Mul(x, s), slope};
    }
    case Epilogue::relu: {
      const auto negative = hn::Lt(x, hn::Zero(d));
      return {hn::IfThenElse(negative, hn::Zero(d), x),
              hn::IfThenElse(hn::Gt(x, hn::Zero(d)), one, hn::Zero(d))};
    }
    case Epilogue::silu: {
      const auto s = Sigmoid(d, x);
      return {hn::Mul(x, s), hn::MulAdd(hn::Mul(x, s), hn::Sub(one, s), s)};
    }
    case Epilogue::tanh: {
      const auto y = Activate(d, Epilogue::tanh, x);
      return {y, hn::NegMulAdd(y, y, one)};
    }
    case Epilogue::none:
    case Epilogue::add:
      break;
  }
  return {x, one};
}

void ActivateRow(const ConstMatrix& x, Epilogue activation, const Matrix& y, std::int64_t row,
                 RowScratch& scratch) {
  const F32 d;
  const auto cols = static_cast<std::size_t>(x.cols);
  float* values = scratch.at(0);
  LoadRow(x.dtype, x.row(row), cols, values);
  for (std::size_t i = 0; i < cols; i += hn::Lanes(d)) {
    hn::StoreU(ActivateAndSlope(d, activation, hn::LoadU(d, values + i)).value, d, values + i);
  }
  StoreRow(values, cols, y.dtype, y.row(row));
}

void ActivateBackwardRows(const ActivateBackwardTask& task, std::int64_t begin, std::int64_t count,
                          RowScratch& scratch) {
  const F32 d;
  const auto cols = static_cast<std::size_t>(task.x.cols);
  float* values = scratch.at(0);
  float* gradient = scratch.at(1);
  for (std::int64_t row = begin; row < begin + count; ++row) {
    LoadRow(task.x.dtype, task.x.row(row), cols, values);
    LoadRow(task.d_y.dtype, task.d_y.row(row), cols, gradient);
    for (std::size_t i = 0; i < cols; i += hn::Lanes(d)) {
      const auto parts = ActivateAndSlope(d, task.activation, hn::LoadU(d, values + i));
      hn::StoreU(parts.value, d, values + i);
      hn::StoreU(hn::Mul(hn::LoadU(d, gradient + i), parts.slope), d, gradient + i);
    }
    StoreRow(gradient, cols, task.d_x.dtype, task.d_x.row(row));
    if (task.y.data != nullptr) StoreRow(values, cols, task.y.dtype, task.y.row(row));
    if (task.d_bias != nullptr) AddTo(gradient, padded(cols), task.d_bias);
  }
}

void SumColumns(const ConstMatrix& x, std::int64_t begin, std::int64_t count, float* sums,
                RowScratch& scratch) {
  const auto cols = static_cast<std::size_t>(x.cols);
  for (std::int64_t row = begin; row < begin + count; ++row) {
    LoadRow(x.dtype, x.row(row), cols, scratch.at(0));
    AddTo(scratch.at(0), padded(cols), sums);
  }
}

void RoundValues(const float* from, std::size_t count, BFloat16* to) {
  StoreRounded(from, count, to);
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "ops/cpu/row_sums.h"

namespace cloze::ops {
HWY_EXPORT(ResidualNormRow);
HWY_EXPORT(ResidualNormBackwardRows);
HWY_EXPORT(DropoutFactors);
HWY_EXPORT(ApplyDropoutRow);
HWY_EXPORT(ActivateRow);
HWY_EXPORT(ActivateBackwardRows);
HWY_EXPORT(SumColumns);
HWY_EXPORT(RoundValues);

namespace {

constexpr std::int64_t kPad = 128;  // the columns that dropout makes together
using Kind = OperationKey::Kind;

double row_bytes(std::initializer_list<ConstMatrix> matrices) {
  double bytes = 0;
  for (const auto& matrix : matrices) {
    if (matrix.data == nullptr) continue;
    bytes += static_cast<double>(matrix.cols) * static_cast<double>(size_of(matrix.dtype));
  }
  return bytes;
}

void require_like(const ConstMatrix& x, const ConstMatrix& other, const char* what) {
  if (other.data != nullptr && (other.rows != x.rows || other.cols != x.cols)) {
    throw ArgumentError(fmt::format("{} is [{}, {}] beside rows of [{}, {}]", what, other.rows,
                                    other.cols, x.rows, x.cols));
  }
}

void require_columns(const ConstMatrix& x, std::size_t count, const char* what) {
  if (count != 0 && count != static_cast<std::size_t>(x.cols)) {
    throw ArgumentError(fmt::format("{} has {} values beside rows of {}", what, count, x.cols));
  }
}

}  // namespace

RowScratch row_scratch(Context& context, std::int64_t cols, int rows, std::span<const float> gamma,
                       std::span<const float> beta) {
  auto& arena = context.device().worker().scratch;
  arena.reset();
  const std::int64_t wide = (cols + kPad - 1) / kPad * kPad;
  RowScratch scratch;
  scratch.stride = wide;
  scratch.rows = arena.take<float>(wide * rows).data();
  const auto padded_copy = [&](std::span<const float> values) {
    const auto copy = arena.take<float>(wide);
    std::fill(std::copy(values.begin(), values.end(), copy.begin()), copy.end(), 0.0F);
    return copy.data();
  };
  if (!gamma.empty()) scratch.gamma = padded_copy(gamma);
  if (!beta.empty()) scratch.beta = padded_copy(beta);
  return scratch;
}

void dropout_factors(const Dropout& dropout, std::int64_t row, std::span<float> factors) {
  std::vector<float> wide((factors.size() / kPad + 1) * kPad);
  HWY_DYNAMIC_DISPATCH(DropoutFactors)(dropout, row, factors.size(), wide.data());
  std::copy_n(wide.begin(), factors.size(), factors.begin());
}

void residual_norm(Context& context, ConstMatrix x, const Dropout& dropout, ConstMatrix residual,
                   const NormParameters& parameters, SavedNorm saved, Matrix y) {
  require_like(x, residual, "the residual");
  require_like(x, saved.normalized, "the saved norm");
  require_like(x, y, "the result");
  require_columns(x, parameters.gamma.size(), "gamma");
  require_columns(x, parameters.beta.size(), "beta");
  const ResidualNormTask task{.x = x,
                              .residual = residual,
                              .dropout = dropout,
                              .epsilon = parameters.epsilon,
                              .normalized = saved.normalized,
                              .inverse = saved.inverse.data(),
                              .y = y};
  over_sum_blocks(context, Kind::layer_norm, x.rows, row_bytes({x, residual, saved.normalized, y}),
                  [&](std::int64_t begin, std::int64_t count, std::int64_t) {
                    auto scratch =
                        row_scratch(context, x.cols, 2, parameters.gamma, parameters.beta);
                    for (std::int64_t row = begin; row < begin + count; ++row) {
                      HWY_DYNAMIC_DISPATCH(ResidualNormRow)(task, row, scratch);
                    }
                  });
}

void residual_norm_backward(Context& context, ConstMatrix d_y, const SavedNorm& saved,
                            const Dropout& dropout, std::span<const float> gamma, Matrix d_z,
                            Matrix d_x, const NormGradients& gradients) {
  require_like(d_y, saved.normalized, "the saved norm");
  require_like(d_y, d_z, "d_z");
  require_like(d_y, d_x, "d_x");
  require_columns(d_y, gamma.size(), "gamma");
  const auto partial = partial_sums(context, d_y.rows, d_y.cols, 3);
  over_sum_blocks(context, Kind::layer_norm, d_y.rows, row_bytes({d_y, saved.normalized, d_z, d_x}),
                  [&](std::int64_t begin, std::int64_t count, std::int64_t block) {
                    auto scratch = row_scratch(context, d_y.cols, 3, gamma, {});
                    HWY_DYNAMIC_DISPATCH(ResidualNormBackwardRows)
                    ({.d_y = d_y,
                      .normalized = saved.normalized,
                      .inverse = saved.inverse.data(),
                      .dropout = dropout,
                      .d_z = d_z,
                      .d_x = d_x,
                      .d_gamma = partial.of(block, 0),
                      .d_beta = partial.of(block, 1),
                      .d_bias = gradients.bias.empty() ? nullptr : partial.of(block, 2)},
                     begin, count, scratch);
                  });
  add_partial_sums(context, partial, 0, gradients.gamma);
  add_partial_sums(context, partial, 1, gradients.beta);
  add_partial_sums(context, partial, 2, gradients.bias);
}

void apply_dropout(Context& context, ConstMatrix x, const Dropout& dropout, Matrix y) {
  require_like(x, y, "the result");
  over_sum_blocks(context, Kind::copy, x.rows, row_bytes({x, y}),
                  [&](std::int64_t begin, std::int64_t count, std::int64_t) {
                    auto scratch = row_scratch(context, x.cols, 2, {}, {});
                    for (std::int64_t row = begin; row < begin + count; ++row) {
                      HWY_DYNAMIC_DISPATCH(ApplyDropoutRow)(x, dropout, y, row, scratch);
                    }
                  });
}

void activate(Context& context, ConstMatrix x, Epilogue activation, Matrix y) {
  require_like(x, y, "the result");
  over_sum_blocks(context, Kind::activation, x.rows, row_bytes({x, y}),
                  [&](std::int64_t begin, std::int64_t count, std::int64_t) {
                    auto scratch = row_scratch(context, x.cols, 1, {}, {});
                    for (std::int64_t row = begin; row < begin + count; ++row) {
                      HWY_DYNAMIC_DISPATCH(ActivateRow)(x, activation, y, row, scratch);
                    }
                  });
}

void activate_backward(Context& context, ConstMatrix x, Epilogue activation, ConstMatrix d_y,
                       Matrix d_x, Matrix y, std::span<float> bias_gradient) {
  require_like(x, d_y, "d_y");
  require_like(x, d_x, "d_x");
  require_like(x, y, "the result");
  require_columns(x, bias_gradient.size(), "the bias");
  const auto partial = partial_sums(context, x.rows, x.cols, 1);
  over_sum_blocks(context, Kind::activation, x.rows, row_bytes({x, d_y, d_x, y}),
                  [&](std::int64_t begin, std::int64_t count, std::int64_t block) {
                    auto scratch = row_scratch(context, x.cols, 2, {}, {});
                    HWY_DYNAMIC_DISPATCH(ActivateBackwardRows)
                    ({.x = x,
                      .d_y = d_y,
                      .activation = activation,
                      .d_x = d_x,
                      .y = y,
                      .d_bias = bias_gradient.empty() ? nullptr : partial.of(block, 0)},
                     begin, count, scratch);
                  });
  add_partial_sums(context, partial, 0, bias_gradient);
}

void add_column_sums(Context& context, ConstMatrix x, std::span<float> sums) {
  require_columns(x, sums.size(), "the bias");
  const auto partial = partial_sums(context, x.rows, x.cols, 1);
  over_sum_blocks(context, Kind::copy, x.rows, row_bytes({x}),
                  [&](std::int64_t begin, std::int64_t count, std::int64_t block) {
                    auto scratch = row_scratch(context, x.cols, 1, {}, {});
                    HWY_DYNAMIC_DISPATCH(SumColumns)
                    (x, begin, count, partial.of(block, 0), scratch);
                  });
  add_partial_sums(context, partial, 0, sums);
}

void convert_values(std::span<const float> from, std::span<BFloat16> to) {
  constexpr std::int64_t kPiece = std::int64_t{1} << 16;
  const auto count = static_cast<std::int64_t>(from.size());
  if (to.size() != from.size()) throw ArgumentError("arrays of different lengths");
  parallel_for((count + kPiece - 1) / kPiece, 1, [&](std::int64_t piece) {
    const std::int64_t begin = piece * kPiece;
    HWY_DYNAMIC_DISPATCH(RoundValues)
    (from.data() + begin, static_cast<std::size_t>(std::min(kPiece, count - begin)),
     to.data() + begin);
  });
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
