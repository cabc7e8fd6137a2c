#include "ops/product_rates.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/clock.h"
#include "core/parallel.h"
#include "ops/device.h"

namespace cloze::ops {
namespace {

// Weights of 1.1 MiB in f32, which fit the second-level cache with the rows.
constexpr std::int64_t kRows = 128, kDepth = 768, kColumns = 384;
constexpr double kOperations = 2.0 * kRows * kDepth * kColumns;  // of a product
constexpr int kRounds = 4;
constexpr double kRoundSeconds = 0.5e-3;

/// One dtype's product, ready to run on every thread.
class Product {
 public:
  Product(Context& context, DType compute, const Tensor& weight)
      : context_(context),
        weight_(LinearWeight::pack(context.device(), std::array{weight}, {}, compute)) {
    // int8 takes f32 rows, and quantizes them: as a model's layers do.
    const DType rows = compute == DType::bf16 ? DType::bf16 : DType::f32;
    for (int thread = 0; thread < num_threads(); ++thread) {
      x_.push_back(context.matrix(rows, kRows, kDepth));
      y_.push_back(context.matrix(rows, kRows, kColumns));
      context.device().fill_zero(
          {x_.back().data, static_cast<std::size_t>(kRows * kDepth) * size_of(rows)});
    }
  }

  /// Seconds that all threads take for `count` products each.
  [[nodiscard]] double run(int count) const {
    const auto start = Clock::now();
    parallel_for(static_cast<std::int64_t>(x_.size()), 1, [&](std::int64_t) {
      const auto thread = static_cast<std::size_t>(worker_index());
      for (int i = 0; i < count; ++i) {
        linear(context_, x_[thread], weight_, Epilogue::none, y_[thread]);
      }
    });
    return seconds_since(start);
  }

  [[nodiscard]] int threads() const { return static_cast<int>(x_.size()); }

 private:
  Context& context_;
  LinearWeight weight_;
  std::vector<Matrix> x_, y_;
};

}  // namespace

double ProductRates::of(DType compute) const {
  switch (compute) {
    case DType::f32:
      return f32;
    case DType::bf16:
      return bf16;
    case DType::i8:
      return int8;
    default:
      return 0;
  }
}

ProductRates measure_product_rates(const Device& device) {
  const Computation computation;  // the number of threads stays what it is
  Context context(device);
  context.begin();
  const auto weight = Tensor::zeros(DType::f32, {kColumns, kDepth});
  struct Measured {
    double* rate;
    Product product;
    int count = 1;
  };
  ProductRates rates;
  std::vector<Measured> all;
  for (const auto& [compute, rate] :
       {std::pair{DType::f32, &rates.f32}, {DType::bf16, &rates.bf16}, {DType::i8, &rates.int8}}) {
    if (device.accelerates(compute)) all.push_back({rate, Product(context, compute, weight)});
  }
  for (auto& [rate, product, count] : all) {
    rates.threads = product.threads();
    static_cast<void>(product.run(1));  // compiles it
    count = std::clamp(static_cast<int>(kRoundSeconds / product.run(1)), 1, 64);
  }
  for (int round = 0; round < kRounds; ++round) {
    for (const auto& [rate, product, count] : all) {
      const double operations = kOperations * count * product.threads();
      *rate = std::max(*rate, operations / product.run(count) / 1e9);
    }
  }
  return rates;
}

}  // namespace cloze::ops
