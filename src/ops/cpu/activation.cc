// The non-linearities over rows, and the gelu that finishes bf16 products.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/activation.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include "ops/activation.h"

#include "hwy/highway.h"
#include "ops/cpu/row_work.h"
#include "ops/cpu/rows.h"
#include "ops/cpu/simd/activation-inl.h"
#include "ops/cpu/simd/row_tasks.h"
#include "ops/cpu/simd/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

void GeluRow(const float* x, const Matrix& y, std::int64_t row) {
  StoreRounded(static_cast<std::size_t>(y.cols), reinterpret_cast<BFloat16*>(y.row(row)),
               [&](auto d, std::size_t i) { return Gelu(d, hn::LoadU(d, x + i)); });
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

void ActivateBackwardRows(const ActivationBackward& task, const ActivationBlock& block,
                          RowScratch& scratch) {
  const F32 d;
  const auto cols = static_cast<std::size_t>(task.x.cols);
  float* values = scratch.at(0);
  float* gradient = scratch.at(1);
  for (std::int64_t row = block.begin; row < block.begin + block.count; ++row) {
    LoadRow(task.x.dtype, task.x.row(row), cols, values);
    LoadRow(task.d_y.dtype, task.d_y.row(row), cols, gradient);
    for (std::size_t i = 0; i < cols; i += hn::Lanes(d)) {
      const auto parts = ActivateAndSlope(d, task.activation, hn::LoadU(d, values + i));
      hn::StoreU(parts.value, d, values + i);
      hn::StoreU(hn::Mul(hn::LoadU(d, gradient + i), parts.slope), d, gradient + i);
    }
    StoreRow(gradient, cols, task.d_x.dtype, task.d_x.row(row));
    if (task.y.data != nullptr) StoreRow(values, cols, task.y.dtype, task.y.row(row));
    if (block.d_bias != nullptr) AddTo(gradient, padded(cols), block.d_bias);
  }
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "ops/cpu/cpu_device.h"
namespace cloze::ops {
HWY_EXPORT(GeluRow);
HWY_EXPORT(ActivateRow);
HWY_EXPORT(ActivateBackwardRows);

namespace {

using Kind = OperationKey::Kind;

}  // namespace

void gelu_row(const float* x, const Matrix& y, std::int64_t row) {
  HWY_DYNAMIC_DISPATCH(GeluRow)(x, y, row);
}

void CpuDevice::activate(Context& context, ConstMatrix x, Epilogue activation, Matrix y) const {
  require_like(x, y, "the result");
  over_sum_blocks(context, Kind::activation, x.rows, row_bytes({x, y}),
                  [&](std::int64_t begin, std::int64_t count, std::int64_t) {
                    auto scratch = row_scratch(context, x.cols, 1);
                    for (std::int64_t row = begin; row < begin + count; ++row) {
                      HWY_DYNAMIC_DISPATCH(ActivateRow)(x, activation, y, row, scratch);
                    }
                  });
}

void CpuDevice::activate_backward(Context& context, const ActivationBackward& args) const {
  const ConstMatrix x = args.x;
  require_like(x, args.d_y, "d_y");
  require_like(x, args.d_x, "d_x");
  require_like(x, args.y, "the result");
  require_columns(x, args.bias_gradient.size(), "the bias");
  const auto partial = partial_sums(context, x.rows, x.cols, 1);
  over_sum_blocks(context, Kind::activation, x.rows, row_bytes({x, args.d_y, args.d_x, args.y}),
                  [&](std::int64_t begin, std::int64_t count, std::int64_t block) {
                    auto scratch = row_scratch(context, x.cols, 2);
                    HWY_DYNAMIC_DISPATCH(ActivateBackwardRows)
                    (args,
                     {.begin = begin,
                      .count = count,
                      .d_bias = args.bias_gradient.empty() ? nullptr : partial.of(block, 0)},
                     scratch);
                  });
  add_partial_sums(context, partial, 0, args.bias_gradient);
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
