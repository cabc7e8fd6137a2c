// What oneDNN alone does with a model's products: the yardstick, kept apart from the code it
// measures.
#include <algorithm>
#include <chrono>
#include <unordered_map>

#include <oneapi/dnnl/dnnl.hpp>

#include "core/clock.h"
#include "core/parallel.h"
#include "ops/cpu/device.h"
#include "ops/ops.h"

namespace cloze::ops {
namespace {

using Tag = dnnl::memory::format_tag;

struct Measured {
  dnnl::matmul primitive;
  std::unordered_map<int, dnnl::memory> arguments;
  std::int64_t count = 0;
  double operations = 0;
};

}  // namespace

bool accelerates(DType compute) {
  if (compute == DType::f32) return true;
  static const auto isa = dnnl::get_effective_cpu_isa();  // asking takes long, and rows ask often
  switch (isa) {
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_amx:
      return compute == DType::bf16 || compute == DType::i8;
    case dnnl::cpu_isa::avx512_core_vnni:
    case dnnl::cpu_isa::avx2_vnni:
      return compute == DType::i8;
    default:
      return false;
  }
}

double gemm_rate(std::span<const GemmShape> shapes, DType compute, int repeats) {
  const OneDnnThreads threads(num_threads());
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  using Type = dnnl::memory::data_type;
  const bool integer = compute == DType::i8;
  const auto x_type = integer ? Type::u8 : dnnl_type(compute);
  const auto weight_type = integer ? Type::s8 : dnnl_type(compute);
  const auto y_type = integer ? Type::s32 : dnnl_type(compute);
  std::vector<Measured> products;
  double operations = 0;
  for (const auto& shape : shapes) {
    const dnnl::matmul::desc desc(dnnl::memory::desc({shape.m, shape.k}, x_type, Tag::ab),
                                  dnnl::memory::desc({shape.k, shape.n}, weight_type, Tag::any),
                                  dnnl::memory::desc({shape.m, shape.n}, y_type, Tag::ab));
    const dnnl::matmul::primitive_desc primitive(desc, engine);
    const auto zeroed = [&](const dnnl::memory::desc& layout) {
      dnnl::memory memory(layout, engine);
      std::fill_n(static_cast<std::byte*>(memory.get_data_handle()), layout.get_size(),
                  std::byte{0});
      return memory;
    };
    products.push_back({dnnl::matmul(primitive),
                        {{DNNL_ARG_SRC, zeroed(primitive.src_desc())},
                         {DNNL_ARG_WEIGHTS, zeroed(primitive.weights_desc())},
                         {DNNL_ARG_DST, zeroed(primitive.dst_desc())}},
                        shape.count,
                        2.0 * static_cast<double>(shape.m) * static_cast<double>(shape.n) *
                            static_cast<double>(shape.k)});
    operations += products.back().operations * static_cast<double>(shape.count);
  }
  std::vector<double> seconds;
  for (int pass = 0; pass <= repeats; ++pass) {  // the first pass warms up
    const auto start = Clock::now();
    for (const auto& product : products) {
      for (std::int64_t i = 0; i < product.count; ++i) {
        product.primitive.execute(stream, product.arguments);
      }
    }
    stream.wait();
    if (pass > 0) seconds.push_back(seconds_since(start));
  }
  if (seconds.empty()) return 0;
  std::nth_element(seconds.begin(),
                   seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2),
                   seconds.end());
  return operations / seconds[seconds.size() / 2] / 1e9;
}

}  // namespace cloze::ops
