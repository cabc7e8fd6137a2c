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

/// x·Φ(x). Φ's tail is t·(a1 + t·(a2 + ...))·exp(-x²/2) / 2 with t = 1 / (1 + p·|x|/√2): Abramowitz
/// and Stegun 7.1.26, absolute error of erf below 1.5e-7.
template <class D, class V>
HWY_INLINE V Gelu(D d, V x) {
  const auto one = hn::Set(d, 1.0F);
  const auto z = hn::Mul(hn::Abs(x), hn::Set(d, 0.70710678F));
  const auto t = hn::Div(one, hn::MulAdd(hn::Set(d, 0.3275911F), z, one));
  auto poly = hn::MulAdd(hn::Set(d, 1.061405429F), t, hn::Set(d, -1.453152027F));
  poly = hn::MulAdd(poly, t, hn::Set(d, 1.421413741F));
  poly = hn::MulAdd(poly, t, hn::Set(d, -0.284496736F));
  poly = hn::MulAdd(poly, t, hn::Set(d, 0.254829592F));
  const auto tail =
      hn::Mul(hn::Mul(hn::Mul(poly, t), hn::Set(d, 0.5F)), hn::Exp(d, hn::Neg(hn::Mul(z, z))));
  const auto phi = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(one, tail));
  return hn::Mul(x, phi);
}

/// gelu to 4.1e-5 + 5e-6·|x|, without exponential or division: x·(0.5 + c·P(c²)) with c = x clamped
/// to [-4.5, 4.5], P the weighted minimax polynomial of (Φ(c) - 0.5) / c in t = 2·c²/4.5² - 1. For
/// results that are rounded to 8 bits next, whose steps are some hundred times that.
template <class D, class V>
HWY_INLINE V GeluRounded(D d, V x) {
  constexpr float kLimit = 4.5F;
  constexpr float kCoefficients[] = {-0.00934796408F, 0.0121931192F, -0.0167216286F, 0.0276321005F,
                                     -0.0405626595F,  0.0548188612F, -0.0771714821F, 0.15690209F};
  const auto c = hn::Min(hn::Max(x, hn::Set(d, -kLimit)), hn::Set(d, kLimit));
  const auto t = hn::MulAdd(hn::Mul(c, c), hn::Set(d, 2.0F / (kLimit * kLimit)), hn::Set(d, -1.0F));
  auto poly = hn::Set(d, 0.00336957001F);
  for (const float coefficient : kCoefficients) {
    poly = hn::MulAdd(poly, t, hn::Set(d, coefficient));
  }
  return hn::Mul(x, hn::MulAdd(c, poly, hn::Set(d, 0.5F)));
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
