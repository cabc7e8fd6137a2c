#include "inspect/attention_codec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>

#include <fmt/format.h>
#include <zlib.h>

#include "cloze/error.h"
#include "core/parallel.h"

namespace cloze {
namespace {

constexpr std::uint32_t kOne = 0x3F800000U;  // the bits of 1.0F
constexpr int kFineMantissa = 4, kCoarseMantissa = 3;
constexpr std::size_t kLevels = 256;
constexpr std::uint8_t kLongGap = 255;
// A kept value takes about so many bits once deflated: a first guess, corrected by what comes out.
constexpr double kBitsAValue = 10;

using Histogram = std::array<std::int64_t, kLevels>;

/// The level of a probability in (0, 1]: 0 for 1, 2^mantissa more for each half. At most 255.
std::uint8_t level_of(float probability, int mantissa) {
  const int shift = 23 - mantissa;
  const auto bits = std::bit_cast<std::uint32_t>(std::clamp(probability, 0.0F, 1.0F));
  const std::uint32_t level = (kOne - bits + (1U << (shift - 1))) >> shift;
  return static_cast<std::uint8_t>(std::min<std::uint32_t>(level, kLevels - 1));
}

float value_of(std::uint8_t level, int mantissa) {
  return std::bit_cast<float>(kOne - (static_cast<std::uint32_t>(level) << (23 - mantissa)));
}

/// The rows of one head.
std::span<const float> head_of(std::span<const Tensor> attentions, std::int64_t index) {
  const auto heads = attentions.front().dim(0);
  const auto& layer = attentions[static_cast<std::size_t>(index / heads)];
  const auto size = static_cast<std::size_t>(layer.dim(1) * layer.dim(2));
  return layer.values<float>().subspan(static_cast<std::size_t>(index % heads) * size, size);
}

/// How many values have each level, the greatest of a row not counted (it is kept anyway).
Histogram count_levels(std::span<const Tensor> attentions, std::int64_t matrices, int mantissa) {
  std::vector<Histogram> parts(static_cast<std::size_t>(matrices), Histogram{});
  parallel_for(matrices, 1, [&](std::int64_t index) {
    auto& histogram = parts[static_cast<std::size_t>(index)];
    for (const float p : head_of(attentions, index)) ++histogram[level_of(p, mantissa)];
  });
  Histogram total{};
  for (const auto& part : parts) {
    std::transform(total.begin(), total.end(), part.begin(), total.begin(), std::plus<>());
  }
  return total;
}

/// One head's part of the three streams.
struct Streams {
  std::vector<std::uint8_t> counts, gaps, levels;
  std::int64_t values = 0;
  double kept = 0;
};

Streams encode_head(std::span<const float> rows, std::size_t tokens, int mantissa,
                    std::uint8_t last_level) {
  Streams out;
  out.counts.reserve(2 * tokens);
  for (std::size_t begin = 0; begin < rows.size(); begin += tokens) {
    const auto row = rows.subspan(begin, tokens);
    const auto greatest = std::max_element(row.begin(), row.end()) - row.begin();
    std::size_t count = 0, next = 0;
    for (std::size_t column = 0; column < tokens; ++column) {
      const auto level = level_of(row[column], mantissa);
      if (level > last_level && static_cast<std::ptrdiff_t>(column) != greatest) continue;
      std::size_t gap = column - next;
      for (; gap >= kLongGap; gap -= kLongGap) out.gaps.push_back(kLongGap);
      out.gaps.push_back(static_cast<std::uint8_t>(gap));
      out.levels.push_back(level);
      out.kept += static_cast<double>(row[column]);
      next = column + 1;
      ++count;
    }
    out.counts.push_back(static_cast<std::uint8_t>(count & 0xFFU));
    out.counts.push_back(static_cast<std::uint8_t>(count >> 8U));
    out.values += static_cast<std::int64_t>(count);
  }
  return out;
}

PackedAttention encode(std::span<const Tensor> attentions, int mantissa, std::uint8_t last_level) {
  const auto& first = attentions.front();
  PackedAttention packed{.layers = static_cast<std::int64_t>(attentions.size()),
                         .heads = first.dim(0),
                         .tokens = first.dim(1),
                         .mantissa = mantissa};
  const std::int64_t matrices = packed.layers * packed.heads;
  std::vector<Streams> parts(static_cast<std::size_t>(matrices));
  parallel_for(matrices, 1, [&](std::int64_t index) {
    parts[static_cast<std::size_t>(index)] = encode_head(
        head_of(attentions, index), static_cast<std::size_t>(packed.tokens), mantissa, last_level);
  });
  std::vector<std::uint8_t> bytes;
  const auto append = [&](std::vector<std::uint8_t> Streams::*stream) {
    for (const auto& part : parts) {
      bytes.insert(bytes.end(), (part.*stream).begin(), (part.*stream).end());
    }
  };
  append(&Streams::counts);
  const std::size_t gaps = bytes.size();
  append(&Streams::gaps);
  packed.gap_bytes = static_cast<std::int64_t>(bytes.size() - gaps);
  append(&Streams::levels);
  double kept = 0;
  for (const auto& part : parts) {
    packed.values += part.values;
    kept += part.kept;
  }
  packed.kept = std::min(1.0, kept / static_cast<double>(matrices * packed.tokens));
  packed.threshold =
      last_level == kLevels - 1 ? 0 : static_cast<double>(value_of(last_level, mantissa));
  packed.deflated = deflate_bytes(std::as_bytes(std::span(bytes)));
  return packed;
}

/// The last level at which no more than `values` are kept.
std::uint8_t last_level_of(const Histogram& histogram, std::int64_t values) {
  std::int64_t kept = 0;
  std::size_t level = 0;
  while (level + 1 < kLevels && kept + histogram[level] <= values) kept += histogram[level++];
  return static_cast<std::uint8_t>(level == 0 ? 0 : level - 1);
}

void require_attention(std::span<const Tensor> attentions) {
  if (attentions.empty()) throw ArgumentError("there is no attention to pack");
  for (const auto& layer : attentions) {
    if (layer.shape().size() != 3 || layer.shape() != attentions.front().shape() ||
        layer.dim(1) != layer.dim(2) || layer.dim(1) < 1 || layer.dim(1) > 0xFFFF) {
      throw ArgumentError(
          fmt::format("attention {} is not [heads, tokens, tokens]", to_string(layer.shape())));
    }
  }
}

}  // namespace

PackedAttention pack_attention(std::span<const Tensor> attentions, std::size_t budget) {
  require_attention(attentions);
  const auto& first = attentions.front();
  const auto matrices = static_cast<std::int64_t>(attentions.size()) * first.dim(0);
  // Everything down to the last level fits for texts of up to some hundred tokens.
  auto wanted = static_cast<std::int64_t>(static_cast<double>(budget) * 8 / kBitsAValue);
  constexpr std::int64_t kBytesWorthTrying = 2;
  if (matrices * first.dim(1) * first.dim(2) <= kBytesWorthTrying * wanted) {
    auto packed = encode(attentions, kFineMantissa, kLevels - 1);
    if (packed.deflated.size() <= budget) return packed;
  }
  const auto histogram = count_levels(attentions, matrices, kCoarseMantissa);
  constexpr int kMostRounds = 4;
  constexpr double kRoom = 0.97, kEnough = 0.85;
  PackedAttention best;
  for (int round = 0; round < kMostRounds; ++round) {
    auto packed = encode(attentions, kCoarseMantissa, last_level_of(histogram, wanted));
    const double share = static_cast<double>(packed.deflated.size()) / static_cast<double>(budget);
    const bool fits = share <= 1;
    if (fits && (best.deflated.empty() || packed.values > best.values)) best = std::move(packed);
    if (fits && (share > kEnough || round > 0)) break;
    wanted = static_cast<std::int64_t>(static_cast<double>(wanted) * kRoom / share);
  }
  // Not even the greatest value of each row fits: what there is, is then a little larger.
  return best.deflated.empty() ? encode(attentions, kCoarseMantissa, 0) : best;
}

std::vector<Tensor> unpack_attention(const PackedAttention& packed) {
  const std::int64_t rows = packed.layers * packed.heads * packed.tokens;
  std::vector<std::uint8_t> bytes(
      static_cast<std::size_t>(2 * rows + packed.gap_bytes + packed.values));
  auto size = static_cast<uLongf>(bytes.size());
  if (::uncompress(bytes.data(), &size, reinterpret_cast<const Bytef*>(packed.deflated.data()),
                   static_cast<uLong>(packed.deflated.size())) != Z_OK ||
      size != bytes.size()) {
    throw FormatError("packed attention does not have the size that it states");
  }
  const std::span all(bytes);
  const auto counts = all.first(static_cast<std::size_t>(2 * rows));
  auto gaps = all.subspan(counts.size(), static_cast<std::size_t>(packed.gap_bytes));
  auto levels = all.subspan(counts.size() + gaps.size());
  std::vector<Tensor> layers;
  const auto tokens = static_cast<std::size_t>(packed.tokens);
  for (std::int64_t l = 0; l < packed.layers; ++l) {
    layers.push_back(Tensor::zeros(DType::f32, {packed.heads, packed.tokens, packed.tokens}));
    const auto values = layers.back().mutable_values<float>();
    for (std::size_t begin = 0; begin < values.size(); begin += tokens) {
      const auto row = values.subspan(begin, tokens);
      const std::size_t at = 2 * (static_cast<std::size_t>(l) * values.size() + begin) / tokens;
      const std::size_t count = counts[at] + 256U * counts[at + 1];
      std::size_t column = 0;
      std::vector<std::uint8_t> kept(tokens);
      for (std::size_t i = 0; i < count; ++i) {
        while (!gaps.empty() && gaps.front() == kLongGap) {
          column += kLongGap;
          gaps = gaps.subspan(1);
        }
        if (gaps.empty() || levels.empty() || column + gaps.front() >= tokens) {
          throw FormatError("packed attention names a column that is not there");
        }
        column += gaps.front();
        row[column] = value_of(levels.front(), packed.mantissa);
        kept[column++] = 1;
        gaps = gaps.subspan(1);
        levels = levels.subspan(1);
      }
      if (count == tokens) continue;
      const double rest = 1 - std::accumulate(row.begin(), row.end(), 0.0);
      const auto even =
          static_cast<float>(std::max(0.0, rest) / static_cast<double>(tokens - count));
      for (std::size_t i = 0; i < tokens; ++i) {
        if (kept[i] == 0) row[i] = even;
      }
    }
  }
  return layers;
}

std::vector<std::byte> deflate_bytes(std::span<const std::byte> bytes) {
  auto size = ::compressBound(static_cast<uLong>(bytes.size()));
  std::vector<std::byte> out(size);
  constexpr int kEffort = 6;
  if (::compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                  reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uLong>(bytes.size()),
                  kEffort) != Z_OK) {
    throw Error("zlib could not compress: is there enough memory?");
  }
  out.resize(size);
  return out;
}

}  // namespace cloze
