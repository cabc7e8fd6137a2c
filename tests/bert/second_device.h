/// \file
/// A small random model and its batches, for the processor and for the second device of the tests,
/// and how what the two give is compared.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/batch.h"
#include "cloze/config.h"
#include "cloze/tensor.h"
#include "core/random_stream.h"
#include "goldens/golden.h"
#include "reference/device.h"

namespace cloze::internal {

/// What a value may differ by, as a share of its tensor's greatest: f32 sums in another order, of
/// which a model makes many one after another.
inline constexpr double kTolerance = 4e-5;

/// The device that stands beside the processor.
inline const reference::Device& second() {
  static const reference::Device device;
  return device;
}

inline BertConfig small_config() {
  BertConfig config{.vocab_size = 61,
                    .hidden_size = 32,
                    .num_hidden_layers = 3,
                    .num_attention_heads = 4,
                    .intermediate_size = 48,
                    .hidden_act = Activation::gelu,
                    .max_position_embeddings = 20,
                    .initializer_range = 0.2,
                    .id2label = {"a", "b", "c"}};
  return config;
}

/// Six uneven sequences of random tokens in two segments.
inline Batch random_batch(RandomStream& random, const BertConfig& config) {
  Batch batch;
  for (const std::size_t length : {7, 1, 18, 4, 20, 5}) {
    std::vector<std::int32_t> ids, types;
    for (std::size_t i = 0; i < length; ++i) {
      ids.push_back(
          static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(config.vocab_size))));
      types.push_back(i < length / 2 ? 0 : 1);
    }
    batch.append(ids, types);
  }
  return batch;
}

inline std::vector<std::int32_t> random_ints(RandomStream& random, std::size_t count,
                                             std::int64_t below) {
  std::vector<std::int32_t> values(count);
  for (auto& value : values) {
    value = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(below)));
  }
  return values;
}

inline double greatest(const Tensor& tensor) {
  double most = 0;
  for (const double value : tensor.values<float>()) most = std::max(most, std::abs(value));
  return most;
}

/// Holds a tensor of the second device against the processor's.
inline void expect_same(const Tensor& got, const Tensor& wanted, const std::string& what,
                        double tolerance = 0) {
  EXPECT_LE(testing::max_abs_difference(got, wanted), kTolerance * greatest(wanted) + tolerance)
      << what;
}

inline void expect_same(const std::vector<Tensor>& got, const std::vector<Tensor>& wanted,
                        const std::string& what) {
  ASSERT_EQ(got.size(), wanted.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) {
    expect_same(got[i], wanted[i], what + " " + std::to_string(i));
  }
}

inline void expect_near(double got, double wanted, const char* what) {
  EXPECT_NEAR(got, wanted, kTolerance * std::abs(wanted)) << what;
}

}  // namespace cloze::internal
