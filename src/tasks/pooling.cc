#include "tasks/pooling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze {
namespace {

constexpr std::array<std::pair<std::string_view, Pooling>, 5> poolings{{
    {"none", Pooling::none},
    {"cls", Pooling::cls},
    {"mean", Pooling::mean},
    {"max", Pooling::max},
    {"pooler", Pooling::pooler},
}};

/// out[c] = mean over the `count` rows of rows[., c].
void mean_of(std::span<const float> rows, std::int64_t count, std::span<float> out) {
  const auto columns = out.size();
  std::vector<double> sums(columns, 0.0);
  for (std::size_t at = 0; at < rows.size(); at += columns) {
    for (std::size_t c = 0; c < columns; ++c) sums[c] += rows[at + c];
  }
  for (std::size_t c = 0; c < columns; ++c) {
    out[c] = static_cast<float>(sums[c] / static_cast<double>(count));
  }
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
  throw ArgumentError(
      fmt::format("there is no pooling \"{}\": it is none, cls, mean, max or pooler", name));
}

std::string_view name_of(Pooling pooling) {
  return poolings.at(static_cast<std::size_t>(pooling)).first;
}

Tensor pool(const Tensor& hidden, const Batch& batch, Pooling pooling) {
  if (pooling == Pooling::none || pooling == Pooling::pooler) {
    throw ArgumentError(
        fmt::format("pooling \"{}\" is not made from hidden states alone", name_of(pooling)));
  }
  const auto columns = static_cast<std::size_t>(hidden.dim(1));
  auto pooled = Tensor::zeros(DType::f32, {batch.sequences(), hidden.dim(1)});
  const auto source = hidden.values<float>();
  const auto target = pooled.mutable_values<float>();
  for (std::int64_t s = 0; s < batch.sequences(); ++s) {
    const auto at = static_cast<std::size_t>(s);
    const auto begin = static_cast<std::size_t>(batch.cu_seqlens[at]);
    const auto length = static_cast<std::size_t>(batch.length(s));
    const auto rows = source.subspan(begin * columns, length * columns);
    const auto out = target.subspan(at * columns, columns);
    if (rows.empty()) continue;  // without special tokens an empty text has no tokens: zeros
    if (pooling == Pooling::mean) {
      mean_of(rows, batch.length(s), out);
    } else if (pooling == Pooling::max) {
      max_of(rows, out);
    } else {
      std::copy_n(rows.begin(), columns, out.begin());
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
