/// \file
/// The CPU's part of a context: a worker a thread, each with its own stream, compiled products and
/// scratch memory, so that nothing is shared while computing.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

#include "core/arena.h"
#include "core/function_ref.h"
#include "ops/context.h"
#include "ops/ops.h"

namespace cloze::ops {

/// What distinguishes one compiled product y [m, n] = x [m, k]·W from another. Rows lie side by
/// side: oneDNN has no fast product for others.
struct ProductKey {
  std::int64_t m, n, k;
  DType compute, y_dtype;
  Epilogue epilogue;
  friend bool operator==(const ProductKey&, const ProductKey&) = default;
};

struct ProductKeyHash {
  std::size_t operator()(const ProductKey& key) const;
};

/// A compiled product with the memory objects that its operands are bound through.
struct Product {
  dnnl::matmul primitive;
  dnnl::memory x, weight, bias, y, scratchpad;
  std::size_t scratchpad_size = 0;
};

/// What distinguishes one compiled product of matrices with strides, c [m, n] = a [m, k]·b [k, n].
struct StridedKey {
  std::int64_t m, n, k, a_stride, b_stride, c_stride;
  DType compute, c_dtype;
  bool a_transposed, b_transposed, accumulate, biased;
  friend bool operator==(const StridedKey&, const StridedKey&) = default;
};

struct StridedKeyHash {
  std::size_t operator()(const StridedKey& key) const;
};

/// What a piece of work was: entries of a worker's profile, named only when they are read.
struct OperationKey {
  enum class Kind : std::uint8_t {
    linear,
    multiply,
    weight_gradient,
    attention,
    attention_backward,
    layer_norm,
    activation,
    embed,
    copy,
    loss,
  };
  Kind kind = Kind::linear;
  std::int64_t k = 0, n = 0;  ///< of a linear layer; heads and head_dim of attention
  Epilogue epilogue = Epilogue::none;
  friend bool operator==(const OperationKey&, const OperationKey&) = default;
};

struct OperationRecord {
  OperationKey key;
  OperationCost cost;
};

struct Worker {
  explicit Worker(const dnnl::engine& engine) : stream(engine) {}
  dnnl::stream stream;
  std::unordered_map<ProductKey, Product, ProductKeyHash> products;
  std::unordered_map<StridedKey, Product, StridedKeyHash> strided_products;
  Arena scratch;          ///< reset at the start of each operation that uses it
  Arena product_scratch;  ///< of one strided product
  std::vector<OperationRecord> records;
};

struct Context::Device {
  Device();

  /// The calling thread's worker. Threads of one team have different ones.
  [[nodiscard]] Worker& worker();

  /// Makes sure that every thread of a team that starts here will find its worker. Called outside
  /// parallel regions.
  void prepare();

  [[nodiscard]] const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }

  dnnl::engine engine;
  bool profiling = false;
  Arena sums;  ///< partial sums of the operation that is under way

 private:
  std::vector<std::unique_ptr<Worker>> workers_;
};

/// Records the calling worker's time from here to the end of the scope, when profiling.
class Timed {
 public:
  Timed(Context& context, const OperationKey& key, double operations, double bytes);
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;
  ~Timed();

 private:
  Worker* worker_ = nullptr;
  OperationRecord record_;
  std::chrono::steady_clock::time_point start_;
};

/// While it lives, oneDNN compiles and runs on so many threads when the calling thread asks it to.
class OneDnnThreads {
 public:
  explicit OneDnnThreads(int count);
  OneDnnThreads(const OneDnnThreads&) = delete;
  OneDnnThreads& operator=(const OneDnnThreads&) = delete;
  ~OneDnnThreads();

 private:
  int saved_;
};

/// Runs a product whose operands are bound, on the calling thread.
void execute(const Product& product, const dnnl::stream& stream);

/// oneDNN's name of a dtype (f32, bf16).
[[nodiscard]] dnnl::memory::data_type dnnl_type(DType dtype);

/// Calls `body(index)` for [0, count) over the team, or on the calling thread alone when that is a
/// worker of a team already.
void parallel_tasks(Context& context, std::int64_t count, FunctionRef<void(std::int64_t)> body);

}  // namespace cloze::ops
