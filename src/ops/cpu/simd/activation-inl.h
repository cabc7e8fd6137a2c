// The non-linearities of linear epilogues, for each instruction set. Included once for every
// instruction set by Highway's foreach_target.
// clang-format off
#if defined(CLOZE_OPS_CPU_SIMD_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CLOZE_OPS_CPU_SIMD_ACTIVATION_INL_H_
#undef CLOZE_OPS_CPU_SIMD_ACTIVATION_INL_H_
#else
#define CLOZE_OPS_CPU_SIMD_ACTIVATION_INL_H_
#endif
// clang-format on

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "ops/activation.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// 1 / (1 + exp(-x)); NaN stays NaN. Highway's Exp is wrong above the largest float's logarithm,
/// and gives a number for NaN.
template <class D, class V>
HWY_INLINE V Sigmoid(D d, V x) {
  const auto one = hn::Set(d, 1.0F);
  const auto exp = hn::Exp(d, hn::Min(hn::Neg(x), hn::Set(d, 88.0F)));
  return hn::IfThenElse(hn::Eq(x, x), hn::Div(one, hn::Add(one, exp)), x);
}

/// Where gelu and its slope are polynomials: below they are -4e-7 and -2e-6, and nearing zero.
inline constexpr float kGeluLimit = 5.25F;

/// 0.5 + c·P(t) with c = x clamped to [-limit, limit], t = 2·c²/limit² - 1, and P's coefficients
/// from the highest on; zero below.
template <class D, class V, std::size_t N>
HWY_INLINE V OddPolynomial(D d, V x, const float (&coefficients)[N]) {
  constexpr float kLimit = kGeluLimit;
  const auto c = hn::Min(hn::Max(x, hn::Set(d, -kLimit)), hn::Set(d, kLimit));
  const auto t = hn::MulAdd(hn::Mul(c, c), hn::Set(d, 2.0F / (kLimit * kLimit)), hn::Set(d, -1.0F));
  auto poly = hn::Set(d, coefficients[0]);
  for (std::size_t i = 1; i < N; ++i) {
    poly = hn::MulAdd(poly, t, hn::Set(d, coefficients[i]));
  }
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -kLimit)), hn::MulAdd(c, poly, hn::Set(d, 0.5F)));
}

/// x·Φ(x) to 1.4e-6 absolute, without exponential or division: P is the weighted minimax polynomial
/// of (Φ(c) - 0.5) / c. NaN stays NaN.
template <class D, class V>
HWY_INLINE V Gelu(D d, V x) {
  constexpr float kCoefficients[] = {
      0.000985088525F, -0.00282819755F, 0.0030854661F, -0.00360857183F, 0.00791008119F,
      -0.0136634307F,  0.0188281592F,   -0.024839377F, 0.0319679193F,   -0.0397824906F,
      0.0496504977F,   -0.0671263263F,  0.13465929F};
  return hn::Mul(x, OddPolynomial(d, x, kCoefficients));
}

/// Its slope, Φ(x) + x·φ(x), to 2.4e-6 absolute, likewise.
template <class D, class V>
HWY_INLINE V GeluSlope(D d, V x) {
  constexpr float kCoefficients[] = {
      0.00473075733F, -0.0119047808F, 0.00823076908F, -0.00827804673F, 0.0305862073F,
      -0.0519451052F, 0.0598069355F,  -0.0692696571F, 0.0786648914F,   -0.0781571567F,
      0.0701983795F,  -0.0618427061F, 0.0592773817F,  -0.0699245259F,  0.135065213F};
  return OddPolynomial(d, x, kCoefficients);
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
      return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Zero(d), x);  // NaN stays NaN
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
