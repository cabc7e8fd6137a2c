// Products of matrices as they lie in memory, on oneDNN's matmul. Its gemm takes any strides and
// transpositions at nine tenths and more of the rate of packed weights, which is less than packing
// would cost for weights that change with every step.
#include "ops/cpu/multiply.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/parallel.h"

namespace cloze::ops {
namespace {

using Type = dnnl::memory::data_type;

// A part of the larger side of a product, at most: enough tasks to share out, few enough that the
// other side is not packed too often.
constexpr std::int64_t kPart = 768;
constexpr std::int64_t kGranule = 16;
// Rows of a thread from which on rows are divided however many columns there are: each thread then
// packs all of b, but c's parts are dense, and oneDNN has a faster kernel for those.
constexpr std::int64_t kManyRows = 256;
// Deeper products are summed in slices: oneDNN's rate falls when a slice of b leaves the cache.
constexpr std::int64_t kDeep = 4096, kSlice = 1024;
// Compiled products of one worker. Uneven lengths bring ever new shapes; compiling takes 0.1 ms.
constexpr std::size_t kMostProducts = 16384;

void require_fit(const Factor& a, const Factor& b, const Matrix& c, std::size_t bias) {
  const bool sizes = a.cols() == b.rows() && a.rows() == c.rows && b.cols() == c.cols &&
                     (bias == 0 || static_cast<std::int64_t>(bias) == c.cols);
  const bool dtypes =
      a.matrix.dtype == b.matrix.dtype && (c.dtype == a.matrix.dtype || c.dtype == DType::f32);
  if (sizes && dtypes) return;
  throw ArgumentError(fmt::format(
      "a product of [{}, {}] in {} and [{}, {}] in {} was to fill [{}, {}] in {} with a bias of {}",
      a.rows(), a.cols(), name_of(a.matrix.dtype), b.rows(), b.cols(), name_of(b.matrix.dtype),
      c.rows, c.cols, name_of(c.dtype), bias));
}

dnnl::memory::desc layout(const Factor& factor) {
  const auto stride = factor.matrix.stride;
  const dnnl::memory::dims strides =
      factor.transposed ? dnnl::memory::dims{1, stride} : dnnl::memory::dims{stride, 1};
  return {{factor.rows(), factor.cols()}, dnnl_type(factor.matrix.dtype), strides};
}

Product compile(const dnnl::engine& engine, const Factor& a, const Factor& b, const Matrix& c,
                bool accumulate, bool biased) {
  dnnl::post_ops post;
  if (accumulate) post.append_sum(1.0F);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_post_ops(post);
  const dnnl::memory::desc y({c.rows, c.cols}, dnnl_type(c.dtype), dnnl::memory::dims{c.stride, 1});
  const dnnl::memory::desc bias({1, c.cols}, Type::f32, dnnl::memory::format_tag::ab);
  const auto desc = biased ? dnnl::matmul::desc(layout(a), layout(b), bias, y)
                           : dnnl::matmul::desc(layout(a), layout(b), y);
  const dnnl::matmul::primitive_desc primitive(desc, attributes, engine);
  Product product;
  product.primitive = dnnl::matmul(primitive);
  product.x = dnnl::memory(primitive.src_desc(), engine, DNNL_MEMORY_NONE);
  product.weight = dnnl::memory(primitive.weights_desc(), engine, DNNL_MEMORY_NONE);
  if (biased) product.bias = dnnl::memory(primitive.bias_desc(), engine, DNNL_MEMORY_NONE);
  product.y = dnnl::memory(primitive.dst_desc(), engine, DNNL_MEMORY_NONE);
  product.scratchpad = dnnl::memory(primitive.scratchpad_desc(), engine, DNNL_MEMORY_NONE);
  product.scratchpad_size = primitive.scratchpad_desc().get_size();
  return product;
}

Factor part_of_rows(const Factor& a, std::int64_t begin, std::int64_t count) {
  return {a.transposed ? a.matrix.cols_from(begin, count) : a.matrix.rows_from(begin, count),
          a.transposed};
}

Factor part_of_cols(const Factor& b, std::int64_t begin, std::int64_t count) {
  return {b.transposed ? b.matrix.rows_from(begin, count) : b.matrix.cols_from(begin, count),
          b.transposed};
}

void run(Context& context, const Factor& a, const Factor& b, const Matrix& c, bool accumulate,
         std::span<const float> bias) {
  auto& device = context.device();
  auto& worker = device.worker();
  const StridedKey key{.m = c.rows,
                       .n = c.cols,
                       .k = a.cols(),
                       .a_stride = a.matrix.stride,
                       .b_stride = b.matrix.stride,
                       .c_stride = c.stride,
                       .compute = a.matrix.dtype,
                       .c_dtype = c.dtype,
                       .a_transposed = a.transposed,
                       .b_transposed = b.transposed,
                       .accumulate = accumulate,
                       .biased = !bias.empty()};
  const OneDnnThreads single(1);  // its gemm asks when it runs, not when it is compiled
  auto found = worker.strided_products.find(key);
  if (found == worker.strided_products.end()) {
    if (worker.strided_products.size() >= kMostProducts) worker.strided_products.clear();
    found = worker.strided_products
                .emplace(key, compile(device.engine, a, b, c, accumulate, !bias.empty()))
                .first;
  }
  auto& product = found->second;
  product.x.set_data_handle(const_cast<std::byte*>(a.matrix.data));  // oneDNN only reads these
  product.weight.set_data_handle(const_cast<std::byte*>(b.matrix.data));
  if (!bias.empty()) product.bias.set_data_handle(const_cast<float*>(bias.data()));
  product.y.set_data_handle(c.data);
  worker.product_scratch.reset();
  product.scratchpad.set_data_handle(worker.product_scratch.take_bytes(product.scratchpad_size));
  execute(product, worker.stream);
}

void multiply_all(Context& context, const Factor& a, const Factor& b, const Matrix& c,
                  bool accumulate, std::span<const float> bias) {
  require_fit(a, b, c, bias.size());
  if (c.rows == 0 || c.cols == 0) return;
  if (in_parallel()) {
    multiply_here(context, a, b, c, accumulate, bias);
    return;
  }
  context.device().prepare();
  const std::int64_t threads = num_threads();
  const bool by_rows = c.rows >= c.cols || (!a.transposed && c.rows >= threads * kManyRows);
  const std::int64_t size = by_rows ? c.rows : c.cols;
  const std::int64_t rounds = (size + threads * kPart - 1) / (threads * kPart);
  const std::int64_t wanted = (size + threads * rounds - 1) / (threads * rounds);
  const std::int64_t part = (wanted + kGranule - 1) / kGranule * kGranule;
  // The gradient of a weight is the product whose first factor lies transposed.
  const OperationKey key =
      a.transposed
          ? OperationKey{.kind = OperationKey::Kind::weight_gradient, .k = c.rows, .n = c.cols}
          : OperationKey{.kind = OperationKey::Kind::multiply, .k = a.cols(), .n = c.cols};
  parallel_tasks(context, (size + part - 1) / part, [&](std::int64_t index) {
    const std::int64_t begin = index * part, count = std::min(part, size - begin);
    const auto m = static_cast<double>(by_rows ? count : c.rows);
    const auto n = static_cast<double>(by_rows ? c.cols : count);
    const auto k = static_cast<double>(a.cols());
    const Timed time(context, key, 2 * m * n * k,
                     (m * k + k * n) * static_cast<double>(size_of(a.matrix.dtype)) +
                         m * n * static_cast<double>(size_of(c.dtype)));
    if (by_rows) {
      multiply_here(context, part_of_rows(a, begin, count), b, c.rows_from(begin, count),
                    accumulate, bias);
    } else {
      multiply_here(
          context, a, part_of_cols(b, begin, count), c.cols_from(begin, count), accumulate,
          bias.empty()
              ? bias
              : bias.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count)));
    }
  });
}

}  // namespace

std::size_t StridedKeyHash::operator()(const StridedKey& key) const {
  std::size_t hash = 0;
  const int flags = static_cast<int>(key.a_transposed) + 2 * static_cast<int>(key.b_transposed) +
                    4 * static_cast<int>(key.accumulate) + 8 * static_cast<int>(key.biased);
  for (const std::int64_t part :
       {key.m, key.n, key.k, key.a_stride, key.b_stride, key.c_stride,
        static_cast<std::int64_t>(key.compute), static_cast<std::int64_t>(key.c_dtype),
        static_cast<std::int64_t>(flags)}) {
    hash = (hash ^ static_cast<std::size_t>(part)) * 0x9E3779B97F4A7C15ULL;
    hash ^= hash >> 29U;
  }
  return hash;
}

void multiply_here(Context& context, Factor a, Factor b, Matrix c, bool accumulate,
                   std::span<const float> bias) {
  const std::int64_t depth = a.cols();
  const std::int64_t slice = depth > kDeep && c.dtype == DType::f32 ? kSlice : depth;
  if (depth == 0) {
    throw ArgumentError("a product of matrices without inner values");
  }
  for (std::int64_t at = 0; at < depth; at += slice) {
    const std::int64_t count = std::min(slice, depth - at);
    run(context, part_of_cols(a, at, count), part_of_rows(b, at, count), c, accumulate || at > 0,
        at == 0 ? bias : std::span<const float>());
  }
}

void multiply(Context& context, Factor a, Factor b, Matrix c, std::span<const float> bias) {
  multiply_all(context, a, b, c, false, bias);
}

void multiply_add(Context& context, Factor a, Factor b, Matrix c) {
  if (c.dtype != DType::f32) throw ArgumentError("products are added up in f32 only");
  multiply_all(context, a, b, c, true, {});
}

}  // namespace cloze::ops
