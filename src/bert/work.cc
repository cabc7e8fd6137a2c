#include "bert/work.h"

#include <array>

#include "ops/ops.h"

namespace cloze {

double matrix_operations(const BertConfig& config, std::span<const std::int32_t> cu_seqlens) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto inner = static_cast<double>(config.intermediate_size);
  double operations = 0;
  for (std::size_t i = 1; i < cu_seqlens.size(); ++i) {
    const auto length = static_cast<double>(cu_seqlens[i] - cu_seqlens[i - 1]);
    operations += 2 * length * (4 * hidden * hidden + 2 * hidden * inner);
    operations += 4 * hidden * length * length;
  }
  return operations * static_cast<double>(config.num_hidden_layers);
}

double gemm_rate(const BertConfig& config, std::int64_t tokens, Precision precision, int repeats) {
  const std::int64_t hidden = config.hidden_size, inner = config.intermediate_size;
  const std::array<ops::GemmShape, 4> layer{{
      {.m = tokens, .n = 3 * hidden, .k = hidden, .count = 1},
      {.m = tokens, .n = hidden, .k = hidden, .count = 1},
      {.m = tokens, .n = inner, .k = hidden, .count = 1},
      {.m = tokens, .n = hidden, .k = inner, .count = 1},
  }};
  const auto resolved = resolve(precision);
  const auto compute = resolved == Precision::int8   ? DType::i8
                       : resolved == Precision::bf16 ? DType::bf16
                                                     : DType::f32;
  return ops::gemm_rate(layer, compute, repeats);
}

}  // namespace cloze
