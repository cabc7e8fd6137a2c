#include "sentence/pooling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "core/strings.h"
#include "ops/pooling.h"

namespace cloze {
namespace {

constexpr std::array<std::pair<std::string_view, Pooling>, 8> poolings{{
    {"none", Pooling::none},
    {"cls", Pooling::cls},
    {"mean", Pooling::mean},
    {"max", Pooling::max},
    {"pooler", Pooling::pooler},
    {"mean_sqrt_len", Pooling::mean_sqrt_len},
    {"weighted_mean", Pooling::weighted_mean},
    {"last_token", Pooling::last_token},
}};

/// out[c] = sum over the rows r of weight(r) · rows[r, c], divided by `divisor`.
template <class Weight>
void sum_of(std::span<const float> rows, const Weight& weight, double divisor,
            std::span<float> out) {
  const auto columns = out.size();
  std::vector<double> sums(columns, 0.0);
  for (std::size_t at = 0, row = 0; at < rows.size(); at += columns, ++row) {
    const double factor = weight(row);
    for (std::size_t c = 0; c < columns; ++c) sums[c] += factor * rows[at + c];
  }
  for (std::size_t c = 0; c < columns; ++c) out[c] = static_cast<float>(sums[c] / divisor);
}

/// out[c] = max over the rows of rows[., c].
void max_of(std::span<const float> rows, std::span<float> out) {
  const auto columns = out.size();
  std::copy_n(rows.begin(), columns, out.begin());
  for (std::size_t at = columns; at < rows.size(); at += columns) {
    for (std::size_t c = 0; c < columns; ++c) out[c] = std::max(out[c], rows[at + c]);
  }
}

}  // namespace

Pooling pooling_from(std::string_view name) {
  for (const auto& [known, pooling] : poolings) {
    if (known == name) return pooling;
  }
  if (name == "weightedmean") return Pooling::weighted_mean;
  if (name == "lasttoken") return Pooling::last_token;
  throw ArgumentError(
      fmt::format("there is no pooling {}: it is none, cls, mean, max, pooler, "
                  "mean_sqrt_len, weighted_mean or last_token",
                  in_quotes(name)));
}

std::string_view name_of(Pooling pooling) {
  return poolings.at(static_cast<std::size_t>(pooling)).first;
}

Tensor pool(const Tensor& hidden, const Batch& batch, std::span<const Pooling> poolings,
            std::int64_t skipped) {
  if (poolings.size() == 1) return pool(hidden, batch, poolings.front(), skipped);
  const auto columns = static_cast<std::size_t>(hidden.dim(1));
  const auto stride = poolings.size() * columns;
  auto joined = Tensor::zeros(DType::f32, {batch.sequences(), static_cast<std::int64_t>(stride)});
  const auto target = joined.mutable_values<float>();
  for (std::size_t p = 0; p < poolings.size(); ++p) {
    const auto pooled = pool(hidden, batch, poolings[p], skipped);
    const auto source = pooled.values<float>();
    for (std::size_t s = 0; s * columns < source.size(); ++s) {
      const auto from = source.subspan(s * columns, columns);
      std::copy(from.begin(), from.end(), target.subspan(s * stride + p * columns).begin());
    }
  }
  return joined;
}

Tensor pool(const Tensor& hidden, const Batch& batch, Pooling pooling, std::int64_t skipped) {
  if (pooling == Pooling::none || pooling == Pooling::pooler) {
    throw ArgumentError(
        fmt::format("pooling \"{}\" is not made from hidden states alone", name_of(pooling)));
  }
  const auto columns = static_cast<std::size_t>(hidden.dim(1));
  auto pooled = Tensor::zeros(DType::f32, {batch.sequences(), hidden.dim(1)});
  if (pooling == Pooling::mean && skipped == 0) {
    const Computation computation;
    ops::Context context;
    ops::mean_rows(context, ops::matrix_of(hidden), batch.cu_seqlens, ops::matrix_of(pooled));
    return pooled;
  }
  const auto source = hidden.values<float>();
  const auto target = pooled.mutable_values<float>();
  for (std::int64_t s = 0; s < batch.sequences(); ++s) {
    const auto at = static_cast<std::size_t>(s);
    const auto left_out = std::min(skipped, batch.length(s));
    const auto begin = static_cast<std::size_t>(batch.cu_seqlens[at] + left_out);
    const auto length = static_cast<std::size_t>(batch.length(s) - left_out);
    const auto rows = source.subspan(begin * columns, length * columns);
    const auto out = target.subspan(at * columns, columns);
    if (rows.empty()) continue;  // without special tokens an empty text has no tokens: zeros
    const auto same = [](std::size_t) { return 1.0; };
    const auto count = static_cast<double>(length);
    const auto before = static_cast<double>(left_out);
    switch (pooling) {
      case Pooling::mean:
        sum_of(rows, same, count, out);
        break;
      case Pooling::mean_sqrt_len:
        sum_of(rows, same, std::sqrt(count), out);
        break;
      case Pooling::weighted_mean:
        sum_of(
            rows, [&](std::size_t row) { return before + static_cast<double>(row + 1); },
            count * before + count * (count + 1) / 2, out);
        break;
      case Pooling::max:
        max_of(rows, out);
        break;
      case Pooling::last_token:
        std::copy_n(rows.end() - static_cast<std::ptrdiff_t>(columns), columns, out.begin());
        break;
      default:
        std::copy_n(rows.begin(), columns, out.begin());
        break;
    }
  }
  return pooled;
}

void normalize_rows(Tensor& rows) {
  constexpr double smallest = 1e-12;
  const auto columns = static_cast<std::size_t>(rows.dim(1));
  const auto values = rows.mutable_values<float>();
  for (std::size_t at = 0; at < values.size(); at += columns) {
    const auto row = values.subspan(at, columns);
    double squares = 0.0;
    for (const float value : row) squares += static_cast<double>(value) * value;
    const double scale = 1.0 / std::max(std::sqrt(squares), smallest);
    for (float& value : row) value = static_cast<float>(value * scale);
  }
}

}  // namespace cloze
