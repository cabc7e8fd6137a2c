// The non-linearities of linear epilogues, for each instruction set. Included once for every
// instruction set by Highway's foreach_target.
// clang-format off
#if defined(CLOZE_OPS_CPU_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CLOZE_OPS_CPU_ACTIVATION_INL_H_
#undef CLOZE_OPS_CPU_ACTIVATION_INL_H_
#else
#define CLOZE_OPS_CPU_ACTIVATION_INL_H_
#endif
// clang-format on

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "ops/ops.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// 1 / (1 + exp(-x)). Highway's Exp gives garbage above the largest float's logarithm, and a number
/// for what is none.
template <class D, class V>
HWY_INLINE V Sigmoid(D d, V x) {
  const auto one = hn::Set(d, 1.0F);
  const auto exp = hn::Exp(d, hn::Min(hn::Neg(x), hn::Set(d, 88.0F)));
  return hn::IfThenElse(hn::Eq(x, x), hn::Div(one, hn::Add(one, exp)), x);
}

/// x·Φ(x) to 1.4e-6 absolute, without exponential or division: x·(0.5 + c·P(c²)) with c = x clamped
/// to
/// [-5.25, 5.25] and P the weighted minimax polynomial of (Φ(c) - 0.5) / c in t = 2·c²/5.25² - 1.
/// Zero below, where gelu is -4e-7 and rising. NaN stays NaN.
template <class D, class V>
HWY_INLINE V Gelu(D d, V x) {
  constexpr float kLimit = 5.25F;
  constexpr float kCoefficients[] = {-0.00282819755F, 0.0030854661F,  -0.00360857183F,
                                     0.00791008119F,  -0.0136634307F, 0.0188281592F,
                                     -0.024839377F,   0.0319679193F,  -0.0397824906F,
                                     0.0496504977F,   -0.0671263263F, 0.13465929F};
  const auto c = hn::Min(hn::Max(x, hn::Set(d, -kLimit)), hn::Set(d, kLimit));
  const auto t = hn::MulAdd(hn::Mul(c, c), hn::Set(d, 2.0F / (kLimit * kLimit)), hn::Set(d, -1.0F));
  auto poly = hn::Set(d, 0.000985088525F);
  for (const float coefficient : kCoefficients) {
    poly = hn::MulAdd(poly, t, hn::Set(d, coefficient));
  }
  const auto gelu = hn::Mul(x, hn::MulAdd(c, poly, hn::Set(d, 0.5F)));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -kLimit)), gelu);
}

/// 0.5·x·(1 + tanh(u)) = x·sigmoid(2u), u = √(2/π)·(x + 0.044715·x³).
template <class D, class V>
HWY_INLINE V GeluTanh(D d, V x) {
  const auto cubic = hn::MulAdd(hn::Mul(hn::Mul(x, x), x), hn::Set(d, 0.044715F), x);
  return hn::Mul(x, Sigmoid(d, hn::Mul(cubic, hn::Set(d, 1.5957691216F))));
}

/// The epilogue's function of x; identity for `none` and `add`.
template <class D, class V>
HWY_INLINE V Activate(D d, Epilogue epilogue, V x) {
  switch (epilogue) {
    case Epilogue::none:
    case Epilogue::add:
      return x;
    case Epilogue::gelu:
      return Gelu(d, x);
    case Epilogue::gelu_tanh:
      return GeluTanh(d, x);
    case Epilogue::relu:
      return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Zero(d), x);  // keeps what is no number
    case Epilogue::silu:
      return hn::Mul(x, Sigmoid(d, x));
    case Epilogue::tanh:
      return hn::Sub(hn::Add(Sigmoid(d, hn::Add(x, x)), Sigmoid(d, hn::Add(x, x))),
                     hn::Set(d, 1.0F));
  }
  return x;
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
