#include "ops/cpu/onednn.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <new>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>

#include "cloze/error.h"
#include "core/arena.h"
#include "core/threads/making_code.h"
#include "core/threads/openmp.h"
#include "ops/cpu/lru_cache.h"

namespace cloze::ops {
namespace {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

/// Calls `body()`, which uses oneDNN for the product that `name()` describes, and turns its
/// exceptions into ours. What makes engines and primitives holds a MakingCode.
template <class Name, class Body>
auto translating(const Name& name, const Body& body) {
  try {
    return body();
  } catch (const dnnl::error& failure) {
    if (failure.status == dnnl_out_of_memory) throw std::bad_alloc();
    if (failure.status == dnnl_unimplemented) {
      throw ModelError(
          fmt::format("this machine cannot compute a {} ({}); use f32", name(), failure.what()));
    }
    throw Error(fmt::format("oneDNN refused a {}: {}", name(), failure.what()));
  }
}

std::string name_of_product(std::int64_t m, std::int64_t n, std::int64_t k, DType compute) {
  return fmt::format("product of [{}, {}] and [{}, {}] in {}", m, k, k, n, name_of(compute));
}

/// oneDNN's name of an operand's dtype.
Type type_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return Type::f32;
    case DType::bf16:
      return Type::bf16;
    case DType::i8:
      return Type::s8;
    case DType::u8:
      return Type::u8;
    case DType::i32:
      return Type::s32;
    default:
      throw ArgumentError(fmt::format("matrix products are not computed in {}", name_of(dtype)));
  }
}

/// The dtypes of a product: activations of i8 products are u8, their exact sums i32.
Type x_type(DType compute) { return compute == DType::i8 ? Type::u8 : type_of(compute); }
Type y_type(DType compute, DType dtype) {
  return compute == DType::i8 ? Type::s32 : type_of(dtype);
}

void append_eltwise(dnnl::post_ops& post, dnnl::algorithm algorithm, float alpha = 0.0F) {
#if DNNL_VERSION_MAJOR >= 3
  post.append_eltwise(algorithm, alpha, 0.0F);
#else
  post.append_eltwise(1.0F, algorithm, alpha, 0.0F);
#endif
}

dnnl::primitive_attr attributes(Epilogue epilogue) {
  dnnl::post_ops post;
  using Algorithm = dnnl::algorithm;
  switch (epilogue) {
    case Epilogue::none:
      break;
    case Epilogue::add:
      post.append_sum(1.0F);
      break;
    case Epilogue::gelu:
      append_eltwise(post, Algorithm::eltwise_gelu_erf);
      break;
    case Epilogue::gelu_tanh:
      append_eltwise(post, Algorithm::eltwise_gelu_tanh);
      break;
    case Epilogue::relu:
      append_eltwise(post, Algorithm::eltwise_relu);
      break;
    case Epilogue::silu:
      append_eltwise(post, Algorithm::eltwise_swish, 1.0F);
      break;
    case Epilogue::tanh:
      append_eltwise(post, Algorithm::eltwise_tanh);
      break;
  }
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attr.set_post_ops(post);
  return attr;
}

/// A product; no bias where its description is empty.
dnnl::matmul::primitive_desc make_matmul(const dnnl::engine& engine, const Desc& x, const Desc& w,
                                         const Desc& bias, const Desc& y,
                                         const dnnl::primitive_attr& attr) {
#if DNNL_VERSION_MAJOR >= 3
  return bias ? dnnl::matmul::primitive_desc(engine, x, w, bias, y, attr)
              : dnnl::matmul::primitive_desc(engine, x, w, y, attr);
#else
  const auto desc = bias ? dnnl::matmul::desc(x, w, bias, y) : dnnl::matmul::desc(x, w, y);
  return {desc, attr, engine};
#endif
}

/// A matrix [rows, cols] as it lies.
Desc plain(std::int64_t rows, std::int64_t cols, Type type, std::int64_t stride, bool transposed) {
  return {Dims{rows, cols}, type, transposed ? Dims{1, stride} : Dims{stride, 1}};
}

dnnl::matmul::primitive_desc describe(const dnnl::engine& engine, const ProductKey& key,
                                      const Desc& w) {
  const auto x = plain(key.m, key.k, x_type(key.compute), key.x_stride, key.x_transposed);
  const auto y = plain(key.m, key.n, y_type(key.compute, key.y_dtype), key.y_stride, false);
  const auto bias = key.biased ? plain(1, key.n, Type::f32, key.n, false) : Desc();
  return make_matmul(engine, x, w, bias, y, attributes(key.epilogue));
}

/// The layout that oneDNN picks for a weight [k, n]; it is the same for every number of rows.
Desc weight_layout(const dnnl::engine& engine, std::int64_t k, std::int64_t n, DType compute) {
  constexpr std::int64_t kRows = 64;
  const ProductKey key{.m = kRows,
                       .n = n,
                       .k = k,
                       .x_stride = k,
                       .y_stride = n,
                       .compute = compute,
                       .y_dtype = compute,
                       .packed = true,
                       .biased = compute != DType::i8};
  return describe(engine, key, {Dims{k, n}, type_of(compute), Tag::any}).weights_desc();
}

/// How a matrix is cut into blocks.
struct Blocking {
  bool blocked = false;  ///< or else nothing more is known of the layout
  std::vector<std::int64_t> strides, sizes,
      dimensions;  ///< of blocks; inner blocks, outermost first
};

Blocking blocking_of(const Desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  if (desc.get_format_kind() != dnnl::memory::format_kind::blocked) return {};
  return {true, desc.get_strides(), desc.get_inner_blks(), desc.get_inner_idxs()};
#else
  if (desc.data.format_kind != dnnl_blocked) return {};
  const auto& from = desc.data.format_desc.blocking;
  return {true,
          {from.strides, from.strides + desc.data.ndims},
          {from.inner_blks, from.inner_blks + from.inner_nblks},
          {from.inner_idxs, from.inner_idxs + from.inner_nblks}};
#endif
}

/// Whether whole granules of columns of a weight in layout `whole` form a weight in layout `part`.
bool same_blocking(const Desc& whole, const Desc& part) {
  const auto a = blocking_of(whole), b = blocking_of(part);
  if (!a.blocked || !b.blocked) return false;
  if (a.strides != b.strides || a.sizes != b.sizes || a.dimensions != b.dimensions) return false;
  std::int64_t columns = 1;
  for (std::size_t i = 0; i < a.sizes.size(); ++i) {
    if (a.dimensions[i] == 1) columns *= a.sizes[i];
  }
  return columns == kColumnGranule;
}

struct Product {
  dnnl::matmul primitive;
  dnnl::memory x, w, bias, y, scratchpad;
  std::size_t scratchpad_size = 0;
  bool ran = false;

  Product(const dnnl::engine& engine, const dnnl::matmul::primitive_desc& desc, bool biased)
      : primitive(desc),
        x(desc.src_desc(), engine, DNNL_MEMORY_NONE),
        w(desc.weights_desc(), engine, DNNL_MEMORY_NONE),
        y(desc.dst_desc(), engine, DNNL_MEMORY_NONE),
        scratchpad(desc.scratchpad_desc(), engine, DNNL_MEMORY_NONE),
        scratchpad_size(desc.scratchpad_desc().get_size()) {
    if (biased) bias = dnnl::memory(desc.bias_desc(), engine, DNNL_MEMORY_NONE);
  }

  void run(const ProductOperands& operands, std::byte* scratch, const dnnl::stream& stream) {
    // With AMX some code is made no earlier than now.
    const auto making = std::exchange(ran, true) ? nullptr : std::make_unique<const MakingCode>();
    x.set_data_handle(const_cast<std::byte*>(operands.x));  // oneDNN only reads these
    w.set_data_handle(const_cast<std::byte*>(operands.w));
    y.set_data_handle(operands.y);
    scratchpad.set_data_handle(scratch);
    std::array<dnnl_exec_arg_t, 5> arguments{{{DNNL_ARG_SRC, x.get()},
                                              {DNNL_ARG_WEIGHTS, w.get()},
                                              {DNNL_ARG_DST, y.get()},
                                              {DNNL_ARG_SCRATCHPAD, scratchpad.get()}}};
    int count = 4;
    if (bias) {
      bias.set_data_handle(const_cast<float*>(operands.bias));
      arguments[4] = {DNNL_ARG_BIAS, bias.get()};
      ++count;
    }
    dnnl::error::wrap_c_api(
        dnnl_primitive_execute(primitive.get(), stream.get(), count, arguments.data()),
        "it could not be run");
  }
};

}  // namespace

CpuFeatures features_of_isa(unsigned isa) {
  const auto has = [isa](dnnl::cpu_isa wanted) {
    const auto bits = static_cast<unsigned>(wanted);
    return (isa & bits) == bits;
  };
  return {.bf16 = has(dnnl::cpu_isa::avx512_core_bf16),
          .int8 = has(dnnl::cpu_isa::avx512_core_vnni) || has(dnnl::cpu_isa::avx2_vnni),
          .tiles = has(dnnl::cpu_isa::avx512_core_amx)};
}

CpuFeatures library_features() {
#if defined(__x86_64__)
  return features_of_isa(static_cast<unsigned>(dnnl::get_effective_cpu_isa()));
#else
  return {};  // elsewhere the bits have other meanings, and it multiplies no bf16
#endif
}

std::string library_name() {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto* version = dnnl_version();
  struct Set {
    unsigned isa;
    const char* name;
  };
  // The newest first. A number that is not known here counts as the newest that it extends.
#if defined(__aarch64__)
  // The library's public header has x86-64's names alone; these are what it says on Arm.
  constexpr Set kSets[] = {{0x1F, "SVE of 512 bits"}, {0x7, "SVE of 256 bits"}, {0x1, "NEON"}};
#else
  constexpr auto set = [](dnnl::cpu_isa which, const char* name) {
    return Set{static_cast<unsigned>(which), name};
  };
  constexpr Set kSets[] = {set(dnnl::cpu_isa::avx512_core_amx, "AMX"),
                           set(dnnl::cpu_isa::avx512_core_bf16, "AVX512-BF16"),
                           set(dnnl::cpu_isa::avx512_core_vnni, "AVX512-VNNI"),
                           set(dnnl::cpu_isa::avx512_core, "AVX-512"),
                           set(dnnl::cpu_isa::avx2_vnni, "AVX-VNNI"),
                           set(dnnl::cpu_isa::avx2, "AVX2"),
                           set(dnnl::cpu_isa::avx, "AVX"),
                           set(dnnl::cpu_isa::sse41, "SSE4.1")};
#endif
  const auto* const found = std::find_if(std::begin(kSets), std::end(kSets), [isa](const Set& one) {
    return (isa & one.isa) == one.isa;
  });
  return fmt::format("oneDNN {}.{}.{} with {}", version->major, version->minor, version->patch,
                     found == std::end(kSets) ? "no vectors of its own" : found->name);
}

RowGranules row_granules(DType compute) {
  static const bool wide = (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) &
                            static_cast<unsigned>(dnnl::cpu_isa::avx512_core)) ==
                           static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  if (wide || compute != DType::f32) return {};
  // The kernels before AVX-512 multiply 6 rows at once, and what is left of a block in another way.
  return {.block = 24, .tile = 6};
}

OneDnnThreads::OneDnnThreads(int count) : saved_(omp_get_max_threads()) {
  set_openmp_threads(count);
}

OneDnnThreads::~OneDnnThreads() { set_openmp_threads(saved_); }

struct PackedMatrix::Impl {
  Desc layout;
  /// Of the system, not of the heap, where the temporary copies of a loading model would leave holes
  /// below it.
  std::shared_ptr<std::byte> bytes;
  std::int64_t columns = 0;
  std::int64_t bytes_per_granule = 0;  ///< 0 where columns cannot be divided
};

PackedMatrix::PackedMatrix(const ConstMatrix& from, DType compute) {
  const std::int64_t n = from.rows, k = from.cols;
  const OneDnnThreads single(1);  // callers pack several weights at once
  impl_ = translating(
      [&] { return fmt::format("weight of [{}, {}] for products in {}", n, k, name_of(compute)); },
      [&] {
        const MakingCode making;
        const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
        dnnl::stream stream(engine);
        auto packed = std::make_unique<Impl>();
        packed->layout = weight_layout(engine, k, n, compute);
        packed->columns = n;
        packed->bytes = map_memory(packed->layout.get_size());
        dnnl::memory source(plain(k, n, type_of(from.dtype), from.stride, true), engine,
                            const_cast<std::byte*>(from.data));  // oneDNN only reads it
        dnnl::memory target(packed->layout, engine, packed->bytes.get());
        dnnl::reorder(source, target).execute(stream, source, target);
        stream.wait();
        if (n > kColumnGranule) {
          const auto part = weight_layout(engine, k, kColumnGranule, compute);
          if (same_blocking(packed->layout, part)) {
            packed->bytes_per_granule = static_cast<std::int64_t>(part.get_size());
          }
        }
        return packed;
      });
}

PackedMatrix::PackedMatrix(PackedMatrix&&) noexcept = default;
PackedMatrix& PackedMatrix::operator=(PackedMatrix&&) noexcept = default;
PackedMatrix::~PackedMatrix() = default;

bool PackedMatrix::divisible() const { return impl_->bytes_per_granule > 0; }

const std::byte* PackedMatrix::columns_from(std::int64_t begin) const {
  return impl_->bytes.get() + begin / kColumnGranule * impl_->bytes_per_granule;
}

std::size_t ProductKeyHash::operator()(const ProductKey& key) const {
  const unsigned flags =
      (key.x_transposed ? 1U : 0U) | (key.w_transposed ? 2U : 0U) | (key.packed ? 4U : 0U) |
      (key.biased ? 8U : 0U) | static_cast<unsigned>(key.epilogue) << 4U |
      static_cast<unsigned>(key.compute) << 12U | static_cast<unsigned>(key.y_dtype) << 20U;
  std::size_t hash = 0;
  for (const std::int64_t part :
       {key.m, key.n, key.k, key.x_stride, key.w_stride, key.y_stride, std::int64_t{flags}}) {
    hash = (hash ^ static_cast<std::size_t>(part)) * 0x9E3779B97F4A7C15ULL;
    hash ^= hash >> 29U;
  }
  return hash;
}

struct Products::Impl {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  LruCache<ProductKey, Product, ProductKeyHash> cache;
  Arena scratch;  ///< of the product that runs

  explicit Impl(std::size_t capacity) : cache(capacity) {}

  [[nodiscard]] Desc weight_of(const ProductKey& key, const PackedMatrix* packed) const {
    if (!key.packed) {
      return plain(key.k, key.n, type_of(key.compute), key.w_stride, key.w_transposed);
    }
    const auto& whole = packed->impl();
    if (key.n == whole.columns) return whole.layout;
    auto part = weight_layout(engine, key.k, key.n, key.compute);
    if (!same_blocking(whole.layout, part)) {
      throw ModelError(
          fmt::format("no product of {} columns fits a packed weight of {}", key.n, whole.columns));
    }
    return part;
  }
};

Products::Products(std::size_t capacity)
    : impl_(translating([] { return "place for products"; },
                        [&] {
                          const MakingCode making;
                          return std::make_unique<Impl>(capacity);
                        })) {}
Products::~Products() = default;

std::size_t Products::size() const { return impl_->cache.size(); }
std::size_t Products::capacity() const { return impl_->cache.capacity(); }

void Products::run(const ProductKey& key, const ProductOperands& operands,
                   const PackedMatrix* packed) {
  const OneDnnThreads single(1);  // some kernels ask when they run, others when they are compiled
  translating([&] { return name_of_product(key.m, key.n, key.k, key.compute); },
              [&] {
                auto& product = impl_->cache.find_or_make(key, [&] {
                  const MakingCode making;
                  const auto w = impl_->weight_of(key, packed);
                  return Product(impl_->engine, describe(impl_->engine, key, w), key.biased);
                });
                impl_->scratch.reset();
                product.run(operands, impl_->scratch.take_bytes(product.scratchpad_size),
                            impl_->stream);
              });
}

struct LoneProduct::Impl {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::matmul primitive;
  std::unordered_map<int, dnnl::memory> arguments;

  [[nodiscard]] dnnl::memory zeroed(const Desc& layout) const {
    dnnl::memory memory(layout, engine);
    std::fill_n(static_cast<std::byte*>(memory.get_data_handle()), layout.get_size(), std::byte{0});
    return memory;
  }
};

LoneProduct::LoneProduct(std::int64_t m, std::int64_t n, std::int64_t k, DType compute) {
  impl_ = translating([&] { return name_of_product(m, n, k, compute); },
                      [&] {
                        const MakingCode making;
                        auto impl = std::make_unique<Impl>();
                        const auto desc =
                            make_matmul(impl->engine, plain(m, k, x_type(compute), k, false),
                                        {Dims{k, n}, type_of(compute), Tag::any}, {},
                                        plain(m, n, y_type(compute, compute), n, false), {});
                        impl->primitive = dnnl::matmul(desc);
                        impl->arguments = {{DNNL_ARG_SRC, impl->zeroed(desc.src_desc())},
                                           {DNNL_ARG_WEIGHTS, impl->zeroed(desc.weights_desc())},
                                           {DNNL_ARG_DST, impl->zeroed(desc.dst_desc())}};
                        return impl;
                      });
}

LoneProduct::LoneProduct(LoneProduct&&) noexcept = default;
LoneProduct& LoneProduct::operator=(LoneProduct&&) noexcept = default;
LoneProduct::~LoneProduct() = default;

void LoneProduct::run() const {
  translating([] { return "product of its own"; },
              [&] {
                impl_->primitive.execute(impl_->stream, impl_->arguments);
                impl_->stream.wait();
              });
}

}  // namespace cloze::ops
