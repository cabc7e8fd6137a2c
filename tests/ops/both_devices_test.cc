// The operations of inference and of its backward on the second device, against the processor's.
#include "ops/both_devices.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace cloze::ops {
namespace {

TEST(BothDevices, Linear) {
  for (const auto& [rows, cols] : kSizes) {
    for (const auto epilogue : kActivations) {
      on_both([&, rows = rows, cols = cols](Trial& trial) {
        const std::vector<Tensor> weights{trial.tensor(7, cols), trial.tensor(20, cols)};
        const std::vector<Tensor> biases{trial.tensor(1, 7), trial.tensor(1, 20)};
        const auto& device = trial.context.device();
        const auto weight = LinearWeight::pack(device, weights, biases, DType::f32);
        const auto unbiased = LinearWeight::pack(device, weights, {}, DType::f32);
        const auto x = trial.matrix(rows, cols);
        linear(trial.context, x, weight, epilogue, trial.matrix(rows, 27));
        linear(trial.context, x, weight, Epilogue::add, trial.matrix(rows, 27));
        linear(trial.context, x, unbiased, epilogue, trial.matrix(rows, 27));
      });
    }
  }
}

TEST(BothDevices, ProductsOfAnyStridesAndTranspositions) {
  struct Case {
    std::int64_t m, n, k;
  };
  for (const auto& [m, n, k] : {Case{1, 1, 1}, {3, 5, 7}, {65, 33, 17}, {1, 40, 300}}) {
    for (int flags = 0; flags < 8; ++flags) {
      on_both([&, m = m, n = n, k = k](Trial& trial) {
        const bool a_turned = (flags & 1) != 0, b_turned = (flags & 2) != 0;
        const std::int64_t gap = (flags & 4) != 0 ? 3 : 0;
        const auto a = trial.matrix(a_turned ? k : m, a_turned ? m : k, gap);
        const auto b = trial.matrix(b_turned ? n : k, b_turned ? k : n, gap);
        const auto bias = trial.values(n);
        multiply(trial.context, {a, a_turned}, {b, b_turned}, trial.matrix(m, n, gap));
        multiply(trial.context, {a, a_turned}, {b, b_turned}, trial.matrix(m, n, gap), bias);
        multiply_add(trial.context, {a, a_turned}, {b, b_turned}, trial.matrix(m, n, gap));
      });
    }
  }
}

/// Of attention: which tokens are queries.
struct Queries {
  std::vector<std::int32_t> ends;  ///< of each sequence; empty: all tokens
  [[nodiscard]] std::int64_t count() const { return ends.empty() ? kEnds.back() : ends.back(); }
};

template <class Body>
void for_attentions(const Body& body) {
  struct Heads {
    std::int64_t count, size;
  };
  for (const auto& [heads, head_dim] : {Heads{1, 4}, Heads{3, 6}, Heads{2, 17}}) {
    for (const auto& queries : {Queries{}, Queries{{0, 1, 1, 1, 12, 14}}}) {
      for (const auto& dropout : kDropouts) {
        body(AttentionShape{.heads = heads, .head_dim = head_dim, .cu_seqlens = kEnds}, queries,
             dropout);
      }
    }
  }
}

/// Parts of a matrix where all tokens are queries, else with the queries in a matrix of their own.
AttentionGradients attention_operands(Trial& trial, const AttentionShape& shape,
                                      const Queries& queries) {
  const std::int64_t hidden = shape.heads * shape.head_dim;
  const auto qkv = trial.matrix(kEnds.back(), 3 * hidden, 2);
  auto q = attention_part(qkv, 0);
  if (!queries.ends.empty()) q = trial.matrix(queries.count(), hidden);
  return {.q = q, .k = attention_part(qkv, 1), .v = attention_part(qkv, 2)};
}

TEST(BothDevices, Attention) {
  for_attentions([](const AttentionShape& shape, const Queries& queries, const Dropout& dropout) {
    on_both([&](Trial& trial) {
      const auto [q, k, v] = attention_operands(trial, shape, queries);
      const AttentionInputs in{.q = q, .k = k, .v = v, .cu_queries = queries.ends};
      std::int64_t count = 0;
      for (std::size_t s = 0; s + 1 < kEnds.size(); ++s) {
        const auto& ends = queries.ends.empty() ? kEnds : queries.ends;
        count += shape.heads * (ends[s + 1] - ends[s]) * (kEnds[s + 1] - kEnds[s]);
      }
      const auto y = trial.matrix(queries.count(), q.cols, 3);
      attention(trial.context, in, shape, y, {.dropout = dropout});
      attention(trial.context, in, shape, y,
                {.dropout = dropout, .probabilities = trial.values(count)});
    });
  });
}

TEST(BothDevices, AttentionBackward) {
  for_attentions([](const AttentionShape& shape, const Queries& queries, const Dropout& dropout) {
    on_both([&](Trial& trial) {
      const auto [q, k, v] = attention_operands(trial, shape, queries);
      const auto out = attention_operands(trial, shape, queries);
      attention_backward(trial.context, {.in = {.q = q, .k = k, .v = v, .cu_queries = queries.ends},
                                         .shape = shape,
                                         .dropout = dropout,
                                         .d_y = trial.matrix(queries.count(), q.cols, 1),
                                         .out = out});
    });
  });
}

TEST(BothDevices, LayerNorm) {
  for (const auto& [rows, cols] : kSizes) {
    on_both([&, rows = rows, cols = cols](Trial& trial) {
      const auto norm = trial.norm(cols);
      const auto x = trial.matrix(rows, cols, 3);
      layer_norm(trial.context, x, norm, trial.matrix(rows, cols, 2));
      layer_norm(trial.context, x, norm, x);
    });
  }
}

TEST(BothDevices, ResidualNormAndItsBackward) {
  for (const auto& [rows, cols] : kSizes) {
    for (const auto& dropout : kDropouts) {
      for (const bool whole : {true, false}) {
        on_both([&, rows = rows, cols = cols](Trial& trial) {
          const auto norm = trial.norm(cols);
          const SavedNorm saved{.normalized = trial.matrix(rows, cols),
                                .inverse = trial.values(rows)};
          residual_norm(trial.context, {.x = trial.matrix(rows, cols, 1),
                                        .dropout = dropout,
                                        .residual = whole ? trial.matrix(rows, cols, 4) : Matrix{},
                                        .parameters = norm,
                                        .saved = saved,
                                        .y = trial.matrix(rows, cols, 2)});
          const auto d_y = trial.matrix(rows, cols, 1);
          ResidualNormBackward backward{.d_y = d_y,
                                        .saved = saved,
                                        .dropout = dropout,
                                        .gamma = norm.gamma,
                                        .d_z = trial.matrix(rows, cols)};
          if (whole) {
            backward.d_x = trial.matrix(rows, cols, 3);
            backward.gradients = {.gamma = trial.values(cols),
                                  .beta = trial.values(cols),
                                  .bias = trial.values(cols)};
          }
          residual_norm_backward(trial.context, backward);
          backward.d_z = d_y;
          residual_norm_backward(trial.context, backward);
        });
      }
    }
  }
}

TEST(BothDevices, ActivationsAndTheirSlopes) {
  for (const auto& [rows, cols] : kSizes) {
    for (const auto activation : kActivations) {
      on_both([&, rows = rows, cols = cols](Trial& trial) {
        const auto x = trial.matrix(rows, cols, 1);
        activate(trial.context, x, activation, trial.matrix(rows, cols, 2));
        const auto d_y = trial.matrix(rows, cols, 3);
        activate_backward(trial.context, {.x = x,
                                          .activation = activation,
                                          .d_y = d_y,
                                          .d_x = trial.matrix(rows, cols),
                                          .y = trial.matrix(rows, cols),
                                          .bias_gradient = trial.values(cols)});
        activate_backward(trial.context,
                          {.x = x, .activation = activation, .d_y = d_y, .d_x = d_y});
      });
    }
  }
}

TEST(BothDevices, Dropout) {
  for (const auto& [rows, cols] : kSizes) {
    for (const auto& dropout : kDropouts) {
      on_both([&, rows = rows, cols = cols](Trial& trial) {
        const auto x = trial.matrix(rows, cols, 1);
        apply_dropout(trial.context, x, dropout, trial.matrix(rows, cols));
        apply_dropout(trial.context, x, dropout, x);
      });
    }
  }
}

TEST(BothDevices, RowsConvertedAndMoved) {
  constexpr std::array both{DType::f32, DType::bf16};
  for (const auto& [rows, cols] : kSizes) {
    for (const auto from : both) {
      for (const auto to : both) {
        on_both([&, rows = rows, cols = cols](Trial& trial) {
          const auto x = trial.matrix(rows, cols, 1, from);
          convert(trial.context, x, trial.matrix(rows, cols, 2, to));
          if (rows == 0) return;
          const auto indices = trial.indices(11, static_cast<std::uint64_t>(rows));
          gather_rows(trial.context, x, indices, trial.matrix(11, cols, 3, to));
        });
      }
    }
    on_both([&, rows = rows, cols = cols](Trial& trial) {
      add_column_sums(trial.context, trial.matrix(rows, cols, 2), trial.values(cols));
      const auto from = trial.values(cols);
      const auto to = trial.matrix(1, cols, 0, DType::bf16);
      round(trial.context.device(), from,
            {reinterpret_cast<BFloat16*>(to.data), static_cast<std::size_t>(cols)});
      const auto dense = trial.matrix(rows, cols);
      fill_zero(trial.context, dense);
      if (rows == 0) return;
      for (const std::int64_t skipped : {-1, 0}) {
        const auto indices = trial.indices(13, static_cast<std::uint64_t>(rows));
        scatter_add_rows(trial.context, trial.matrix(13, cols, 1), indices,
                         trial.matrix(rows, cols, 2), skipped);
      }
    });
  }
}

TEST(BothDevices, MeansOfSequences) {
  const auto sequences = static_cast<std::int64_t>(kEnds.size()) - 1;
  for (const std::int64_t cols : {1, 16, 33}) {
    on_both([&](Trial& trial) {
      mean_rows(trial.context, trial.matrix(kEnds.back(), cols), kEnds,
                trial.matrix(sequences, cols));
      mean_rows_backward(trial.context, trial.matrix(sequences, cols), kEnds,
                         trial.matrix(kEnds.back(), cols));
    });
  }
}

TEST(BothDevices, EmbeddingsAndTheirGradients) {
  constexpr std::int64_t kWords = 9, kPositions = 5, kTypes = 2;
  for (const std::int64_t tokens : {0, 1, 37}) {
    for (const auto stored : {DType::f32, DType::bf16, DType::f16}) {
      on_both([&](Trial& trial) {
        const auto count = static_cast<std::size_t>(tokens);
        const auto ids = trial.indices(count, kWords), positions = trial.indices(count, kPositions),
                   types = trial.indices(count, kTypes);
        const EmbeddingIndices indices{ids, positions, types};
        constexpr std::int64_t cols = 33;
        const EmbeddingTables tables{.word = trial.matrix(kWords, cols, 0, stored),
                                     .position = trial.matrix(kPositions, cols, 0, stored),
                                     .token_type = trial.matrix(kTypes, cols, 0, stored)};
        embed(trial.context, tables, indices, trial.norm(cols), trial.matrix(tokens, cols, 1));
        if (stored != DType::f32) return;
        embedding_sum(trial.context, tables, indices, trial.matrix(tokens, cols, 2));
        for (const std::int64_t padding : {-1, 3}) {
          embedding_sum_backward(trial.context, trial.matrix(tokens, cols, 1), indices,
                                 {.word = trial.matrix(kWords, cols),
                                  .position = trial.matrix(kPositions, cols),
                                  .token_type = trial.matrix(kTypes, cols),
                                  .padding = padding});
        }
      });
    }
  }
}

}  // namespace
}  // namespace cloze::ops
