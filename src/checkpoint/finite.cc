#include "checkpoint/finite.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze {
namespace {

/// No word of `bytes` has all bits of `exponent`: only infinity and NaN do. The bytes need not be
/// aligned.
template <class Word>
bool none_has(std::span<const std::byte> bytes, Word exponent) {
  constexpr std::size_t kBlock = 4096;
  const std::size_t count = bytes.size() / sizeof(Word);
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t end = std::min(count, begin + kBlock);
    unsigned found = 0;  // without a branch, so that the compiler makes vectors of it
    for (std::size_t i = begin; i < end; ++i) {
      Word word = 0;
      std::memcpy(&word, bytes.data() + i * sizeof(Word), sizeof(Word));
      found |= static_cast<unsigned>((word & exponent) == exponent);
    }
    if (found != 0) return false;
  }
  return true;
}

}  // namespace

bool all_finite(std::span<const float> values) {
  return none_has<std::uint32_t>(std::as_bytes(values), 0x7F800000U);
}

bool all_finite(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DType::f64:
      return none_has<std::uint64_t>(tensor.bytes(), 0x7FF0000000000000U);
    case DType::f32:
      return none_has<std::uint32_t>(tensor.bytes(), 0x7F800000U);
    case DType::f16:
      return none_has<std::uint16_t>(tensor.bytes(), 0x7C00U);
    case DType::bf16:
      return none_has<std::uint16_t>(tensor.bytes(), 0x7F80U);
    default:
      return true;
  }
}

void require_finite_weight(const Tensor& tensor, std::string_view origin, std::string_view name) {
  if (all_finite(tensor)) return;
  throw ModelError(
      fmt::format("{}: tensor {} has numbers that are infinite or NaN: the model is damaged, or "
                  "was spoilt by the training that made it",
                  origin, name));
}

}  // namespace cloze
