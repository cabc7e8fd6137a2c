#include "formats/gguf/dequantize.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze {
namespace {

using Byte = std::uint8_t;
constexpr std::size_t kSmall = 32, kLarge = 256;  // values of a block

struct TypeRow {
  std::uint32_t number;
  const char* name;
  std::size_t values, bytes;  // of a block; 0: not read
};

constexpr std::array<TypeRow, 36> kTypes{{
    {0, "F32", 1, 4},          {1, "F16", 1, 2},          {2, "Q4_0", kSmall, 18},
    {3, "Q4_1", kSmall, 20},   {6, "Q5_0", kSmall, 22},   {7, "Q5_1", kSmall, 24},
    {8, "Q8_0", kSmall, 34},   {9, "Q8_1", 0, 0},         {10, "Q2_K", 0, 0},
    {11, "Q3_K", 0, 0},        {12, "Q4_K", kLarge, 144}, {13, "Q5_K", kLarge, 176},
    {14, "Q6_K", kLarge, 210}, {15, "Q8_K", 0, 0},        {16, "IQ2_XXS", 0, 0},
    {17, "IQ2_XS", 0, 0},      {18, "IQ3_XXS", 0, 0},     {19, "IQ1_S", 0, 0},
    {20, "IQ4_NL", 0, 0},      {21, "IQ3_S", 0, 0},       {22, "IQ2_S", 0, 0},
    {23, "IQ4_XS", 0, 0},      {24, "I8", 0, 0},          {25, "I16", 0, 0},
    {26, "I32", 0, 0},         {27, "I64", 0, 0},         {28, "F64", 0, 0},
    {29, "IQ1_M", 0, 0},       {30, "BF16", 1, 2},        {34, "TQ1_0", 0, 0},
    {35, "TQ2_0", 0, 0},       {39, "MXFP4", 0, 0},       {4, "Q4_2", 0, 0},
    {5, "Q4_3", 0, 0},         {31, "Q4_0_4_4", 0, 0},    {32, "Q4_0_4_8", 0, 0},
}};

const TypeRow* row_of(std::uint32_t number) {
  const auto* at = std::find_if(kTypes.begin(), kTypes.end(),
                                [&](const TypeRow& row) { return row.number == number; });
  return at == kTypes.end() ? nullptr : at;
}

/// A half-precision number at `p`.
float half(const Byte* p) {
  Float16 value;
  std::memcpy(&value.bits, p, sizeof value.bits);
  return static_cast<float>(value);
}

/// Bit `index` of little-endian words at `p`.
int bit(const Byte* p, std::size_t index) { return (p[index / 8] >> (index % 8)) & 1; }

// Each reads one block and writes its values. Bytes hold two values of four bits, a half of the
// block apart.

void q4_0(const Byte* p, float* y) {
  const float d = half(p);
  for (std::size_t j = 0; j < kSmall / 2; ++j) {
    y[j] = static_cast<float>((p[2 + j] & 15) - 8) * d;
    y[j + kSmall / 2] = static_cast<float>((p[2 + j] >> 4) - 8) * d;
  }
}

void q4_1(const Byte* p, float* y) {
  const float d = half(p), m = half(p + 2);
  for (std::size_t j = 0; j < kSmall / 2; ++j) {
    y[j] = static_cast<float>(p[4 + j] & 15) * d + m;
    y[j + kSmall / 2] = static_cast<float>(p[4 + j] >> 4) * d + m;
  }
}

void q5_0(const Byte* p, float* y) {
  const float d = half(p);
  const Byte *high = p + 2, *low = p + 6;
  for (std::size_t j = 0; j < kSmall / 2; ++j) {
    y[j] = static_cast<float>(((low[j] & 15) | bit(high, j) << 4) - 16) * d;
    y[j + kSmall / 2] =
        static_cast<float>(((low[j] >> 4) | bit(high, j + kSmall / 2) << 4) - 16) * d;
  }
}

void q5_1(const Byte* p, float* y) {
  const float d = half(p), m = half(p + 2);
  const Byte *high = p + 4, *low = p + 8;
  for (std::size_t j = 0; j < kSmall / 2; ++j) {
    y[j] = static_cast<float>((low[j] & 15) | bit(high, j) << 4) * d + m;
    y[j + kSmall / 2] = static_cast<float>((low[j] >> 4) | bit(high, j + kSmall / 2) << 4) * d + m;
  }
}

void q8_0(const Byte* p, float* y) {
  const float d = half(p);
  for (std::size_t j = 0; j < kSmall; ++j) {
    y[j] = static_cast<float>(static_cast<std::int8_t>(p[2 + j])) * d;
  }
}

/// The eight scales and eight minima of six bits in twelve bytes: of the first four both lie in the
/// low bits of bytes of their own, of the others the upper two bits lie above those.
struct Scales {
  std::array<int, 8> scale{}, minimum{};

  explicit Scales(const Byte* p) {
    for (std::size_t j = 0; j < 4; ++j) {
      scale[j] = p[j] & 63;
      minimum[j] = p[j + 4] & 63;
      scale[j + 4] = (p[j + 8] & 15) | (p[j] >> 6) << 4;
      minimum[j + 4] = (p[j + 8] >> 4) | (p[j + 4] >> 6) << 4;
    }
  }
};

/// Q4_K, and with `high` (a fifth bit of each value) Q5_K.
void k_block(const Byte* p, const Byte* high, const Byte* low, float* y) {
  const float d = half(p), m = half(p + 2);
  const Scales scales(p + 4);
  for (std::size_t group = 0; group < 8; ++group) {
    const float scale = d * static_cast<float>(scales.scale[group]);
    const float minimum = m * static_cast<float>(scales.minimum[group]);
    const Byte* bytes = low + group / 2 * kSmall;
    for (std::size_t l = 0; l < kSmall; ++l) {
      int q = group % 2 == 0 ? bytes[l] & 15 : bytes[l] >> 4;
      if (high != nullptr) q |= ((high[l] >> group) & 1) << 4;
      y[group * kSmall + l] = scale * static_cast<float>(q) - minimum;
    }
  }
}

void q4_k(const Byte* p, float* y) { k_block(p, nullptr, p + 16, y); }
void q5_k(const Byte* p, float* y) { k_block(p, p + 16, p + 48, y); }

void q6_k(const Byte* p, float* y) {
  const Byte *low = p, *high = p + 128, *scales = p + 192;
  const float d = half(p + 208);
  for (std::size_t i = 0; i < kLarge; ++i) {
    // Halves of 128; in each, four quarters of 32 share bytes.
    const auto part = i / 128, quarter = i % 128 / 32, l = i % 32;
    const int four = low[part * 64 + quarter % 2 * 32 + l] >> (quarter / 2 * 4) & 15;
    const int two = high[part * 32 + l] >> (quarter * 2) & 3;
    const auto scale = static_cast<std::int8_t>(scales[i / 16]);
    y[i] = d * static_cast<float>(scale) * static_cast<float>((four | two << 4) - 32);
  }
}

using BlockReader = void (*)(const Byte*, float*);

BlockReader reader_of(GgmlType type) {
  switch (type) {
    case GgmlType::q4_0:
      return q4_0;
    case GgmlType::q4_1:
      return q4_1;
    case GgmlType::q5_0:
      return q5_0;
    case GgmlType::q5_1:
      return q5_1;
    case GgmlType::q8_0:
      return q8_0;
    case GgmlType::q4_k:
      return q4_k;
    case GgmlType::q5_k:
      return q5_k;
    case GgmlType::q6_k:
      return q6_k;
    case GgmlType::f32:
    case GgmlType::f16:
    case GgmlType::bf16:
      break;
  }
  throw ArgumentError("elements of this type are not quantized");
}

}  // namespace

std::optional<GgmlType> ggml_type(std::uint32_t number) {
  const auto* row = row_of(number);
  if (row == nullptr || row->bytes == 0) return std::nullopt;
  return static_cast<GgmlType>(number);
}

std::string name_of_ggml_type(std::uint32_t number) {
  const auto* row = row_of(number);
  return row == nullptr ? std::to_string(number) : row->name;
}

std::string names_of_ggml_types() {
  std::string names;
  for (const auto& row : kTypes) {
    if (row.bytes > 0) names += (names.empty() ? "" : ", ") + std::string(row.name);
  }
  return names;
}

std::optional<DType> dtype_of_ggml(GgmlType type) {
  if (type == GgmlType::f32) return DType::f32;
  if (type == GgmlType::f16) return DType::f16;
  if (type == GgmlType::bf16) return DType::bf16;
  return std::nullopt;
}

GgmlBlock block_of(GgmlType type) {
  const auto* row = row_of(static_cast<std::uint32_t>(type));
  return {row->values, row->bytes};
}

void dequantize(GgmlType type, std::span<const std::byte> blocks, std::span<float> values) {
  const auto read = reader_of(type);
  const auto block = block_of(type);
  if (blocks.size() % block.bytes != 0 ||
      blocks.size() / block.bytes * block.values != values.size()) {
    throw ArgumentError(fmt::format("{} bytes of {} are not {} values", blocks.size(),
                                    name_of_ggml_type(static_cast<std::uint32_t>(type)),
                                    values.size()));
  }
  const auto* from = reinterpret_cast<const Byte*>(blocks.data());
  for (float* to = values.data(); to != values.data() + values.size(); to += block.values) {
    read(from, to);
    from += block.bytes;
  }
}

}  // namespace cloze
