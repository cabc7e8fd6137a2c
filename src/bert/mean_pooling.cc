#include "bert/mean_pooling.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bert/matrix_rows.h"
#include "core/parallel.h"

namespace cloze::internal {

void mean_of_sequences(ops::ConstMatrix hidden, const Batch& batch, ops::Matrix vectors) {
  parallel_for(batch.sequences(), 1, [&](std::int64_t sequence) {
    std::vector<double> sum(static_cast<std::size_t>(hidden.cols));
    const auto at = static_cast<std::size_t>(sequence);
    for (auto row = batch.cu_seqlens[at]; row < batch.cu_seqlens[at + 1]; ++row) {
      const auto values = row_of(hidden, row);
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += values[i];
    }
    const auto mean = row_of(vectors, sequence);
    const auto length = static_cast<double>(std::max<std::int64_t>(1, batch.length(sequence)));
    for (std::size_t i = 0; i < sum.size(); ++i) mean[i] = static_cast<float>(sum[i] / length);
  });
}

void mean_of_sequences_backward(ops::ConstMatrix d_vectors, const Batch& batch,
                                ops::Matrix d_hidden) {
  parallel_for(batch.sequences(), 1, [&](std::int64_t sequence) {
    const auto from = row_of(d_vectors, sequence);
    const auto share = 1 / static_cast<float>(batch.length(sequence));
    const auto at = static_cast<std::size_t>(sequence);
    for (auto row = batch.cu_seqlens[at]; row < batch.cu_seqlens[at + 1]; ++row) {
      const auto to = row_of(d_hidden, row);
      for (std::size_t i = 0; i < to.size(); ++i) to[i] = share * from[i];
    }
  });
}

}  // namespace cloze::internal
