// Layer norm of rows, alone and after dropout and residual. Each row is brought to f32, worked on
// in scratch, and rounded once on its way out.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/norm.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include "ops/norm.h"

#include <algorithm>
#include <cmath>

#include "hwy/highway.h"
#include "ops/cpu/row_work.h"
#include "ops/cpu/simd/dropout-inl.h"
#include "ops/cpu/simd/row_tasks.h"
#include "ops/cpu/simd/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

void LayerNormRows(const ConstMatrix& x, const NormParameters& norm, const Matrix& y,
                   float* scratch) {
  const auto cols = static_cast<std::size_t>(x.cols);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    LoadRow(x.dtype, x.row(r), cols, scratch);
    NormalizeRow(scratch, cols, norm.gamma.data(), norm.beta.data(), norm.epsilon);
    StoreRow(scratch, cols, y.dtype, y.row(r));
  }
}

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

void ResidualNormRow(const ResidualNorm& task, std::int64_t row, RowScratch& scratch) {
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
  const float inverse = 1.0F / std::sqrt(variance + task.parameters.epsilon);
  task.saved.inverse[static_cast<std::size_t>(row)] = inverse;
  const auto scale = hn::Set(d, inverse);
  for (std::size_t i = 0; i < wide; i += hn::Lanes(d)) {
    const auto normal = hn::Mul(hn::LoadU(d, z + i), scale);
    hn::StoreU(normal, d, z + i);
    hn::StoreU(hn::MulAdd(normal, hn::LoadU(d, scratch.gamma + i), hn::LoadU(d, scratch.beta + i)),
               d, part + i);
  }
  StoreRow(z, cols, task.saved.normalized.dtype, task.saved.normalized.row(row));
  StoreRow(part, cols, task.y.dtype, task.y.row(row));
}

void ResidualNormBackwardRows(const ResidualNormBackward& task, const NormBlock& block,
                              RowScratch& scratch) {
  const F32 d;
  const auto cols = static_cast<std::size_t>(task.d_y.cols);
  const std::size_t wide = padded(cols);
  float* gradient = scratch.at(0);
  float* normal = scratch.at(1);
  float* factors = scratch.at(2);
  const bool drops = Drops(task.dropout);
  for (std::int64_t row = block.begin; row < block.begin + block.count; ++row) {
    LoadRow(task.d_y.dtype, task.d_y.row(row), cols, gradient);
    LoadRow(task.saved.normalized.dtype, task.saved.normalized.row(row), cols, normal);
    for (std::size_t i = 0; i < wide; i += hn::Lanes(d)) {
      const auto dy = hn::LoadU(d, gradient + i), n = hn::LoadU(d, normal + i);
      hn::StoreU(hn::MulAdd(dy, n, hn::LoadU(d, block.d_gamma + i)), d, block.d_gamma + i);
      hn::StoreU(hn::Add(dy, hn::LoadU(d, block.d_beta + i)), d, block.d_beta + i);
      hn::StoreU(hn::Mul(dy, hn::LoadU(d, scratch.gamma + i)), d, gradient + i);
    }
    const Sums sums = SumRows(gradient, normal, cols);
    const auto mean = hn::Set(d, sums.value / static_cast<float>(cols));
    const auto slope = hn::Set(d, sums.product / static_cast<float>(cols));
    const auto inverse = hn::Set(d, task.saved.inverse[static_cast<std::size_t>(row)]);
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
    if (block.d_bias != nullptr) AddTo(gradient, wide, block.d_bias);
  }
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "cloze/error.h"
#include "ops/cpu/cpu_device.h"

namespace cloze::ops {
HWY_EXPORT(LayerNormRows);
HWY_EXPORT(ResidualNormRow);
HWY_EXPORT(ResidualNormBackwardRows);

namespace {

using Kind = OperationKey::Kind;

}  // namespace

void CpuDevice::layer_norm(Context& context, ConstMatrix x, const NormParameters& parameters,
                           Matrix y) const {
  require_norm(parameters, x.cols);
  over_rows(context, Kind::layer_norm, y, [&](std::int64_t begin, std::int64_t count) {
    HWY_DYNAMIC_DISPATCH(LayerNormRows)
    (x.rows_from(begin, count), parameters, y.rows_from(begin, count),
     scratch_rows(context, x.cols, 1));
  });
}

void CpuDevice::residual_norm(Context& context, const ResidualNorm& args) const {
  const auto& [x, dropout, residual, parameters, saved, y] = args;
  require_like(x, residual, "the residual");
  require_like(x, saved.normalized, "the saved norm");
  require_like(x, y, "the result");
  require_columns(x, parameters.gamma.size(), "gamma");
  require_columns(x, parameters.beta.size(), "beta");
  over_sum_blocks(context, Kind::layer_norm, x.rows, row_bytes({x, residual, saved.normalized, y}),
                  [&](std::int64_t begin, std::int64_t count, std::int64_t) {
                    auto scratch = row_scratch(context, args.x.cols, 2, args.parameters.gamma,
                                               args.parameters.beta);
                    for (std::int64_t row = begin; row < begin + count; ++row) {
                      HWY_DYNAMIC_DISPATCH(ResidualNormRow)(args, row, scratch);
                    }
                  });
}

void CpuDevice::residual_norm_backward(Context& context, const ResidualNormBackward& args) const {
  const ConstMatrix d_y = args.d_y;
  require_like(d_y, args.saved.normalized, "the saved norm");
  require_like(d_y, args.d_z, "d_z");
  require_like(d_y, args.d_x, "d_x");
  require_columns(d_y, args.gamma.size(), "gamma");
  if (!args.gradients.bias.empty() && args.d_x.data == nullptr) {
    throw ArgumentError("the gradient of the bias before a norm is made of d_x, which has no data");
  }
  const auto partial = partial_sums(context, d_y.rows, d_y.cols, 3);
  over_sum_blocks(context, Kind::layer_norm, d_y.rows,
                  row_bytes({d_y, args.saved.normalized, args.d_z, args.d_x}),
                  [&](std::int64_t begin, std::int64_t count, std::int64_t block) {
                    auto scratch = row_scratch(context, d_y.cols, 3, args.gamma);
                    HWY_DYNAMIC_DISPATCH(ResidualNormBackwardRows)
                    (args,
                     {.begin = begin,
                      .count = count,
                      .d_gamma = partial.of(block, 0),
                      .d_beta = partial.of(block, 1),
                      .d_bias = args.gradients.bias.empty() ? nullptr : partial.of(block, 2)},
                     scratch);
                  });
  add_partial_sums(context, partial, 0, args.gradients.gamma);
  add_partial_sums(context, partial, 1, args.gradients.beta);
  add_partial_sums(context, partial, 2, args.gradients.bias);
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
