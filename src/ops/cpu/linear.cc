// Linear layers on oneDNN's matmul. The weight is packed once in the layout that oneDNN picks; a
// product is compiled once a shape and worker, and always runs on the thread that calls it: this
// file, not oneDNN, divides rows and columns, so a row's arithmetic never depends on its
// neighbours.
#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <numeric>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "ops/cpu/device.h"
#include "ops/cpu/quantize.h"
#include "ops/cpu/rows.h"
#include "ops/ops.h"

namespace cloze::ops {
namespace {

using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

constexpr std::int64_t kColumnGranule = 64;  // oneDNN's widest block of output columns

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
      post.append_eltwise(1.0F, Algorithm::eltwise_gelu_erf, 0.0F, 0.0F);
      break;
    case Epilogue::gelu_tanh:
      post.append_eltwise(1.0F, Algorithm::eltwise_gelu_tanh, 0.0F, 0.0F);
      break;
    case Epilogue::relu:
      post.append_eltwise(1.0F, Algorithm::eltwise_relu, 0.0F, 0.0F);
      break;
    case Epilogue::silu:
      post.append_eltwise(1.0F, Algorithm::eltwise_swish, 1.0F, 0.0F);
      break;
    case Epilogue::tanh:
      post.append_eltwise(1.0F, Algorithm::eltwise_tanh, 0.0F, 0.0F);
      break;
  }
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attr.set_post_ops(post);
  return attr;
}

dnnl::matmul::primitive_desc describe(const dnnl::engine& engine, const ProductKey& key,
                                      const dnnl::memory::desc& weight) {
  const auto x = [&](Type type) { return dnnl::memory::desc({key.m, key.k}, type, Tag::ab); };
  const auto y = [&](Type type) { return dnnl::memory::desc({key.m, key.n}, type, Tag::ab); };
  if (key.compute == DType::i8) {  // exact integer sums; scales, bias and epilogue come after
    const dnnl::matmul::desc desc(x(Type::u8), weight, y(Type::s32));
    return {desc, attributes(Epilogue::none), engine};
  }
  const dnnl::matmul::desc desc(x(dnnl_type(key.compute)), weight,
                                dnnl::memory::desc({1, key.n}, Type::f32, Tag::ab),
                                y(dnnl_type(key.y_dtype)));
  return {desc, attributes(key.epilogue), engine};
}

/// The layout that oneDNN picks for a weight [k, n]; it is the same for every number of rows.
dnnl::memory::desc weight_layout(const dnnl::engine& engine, std::int64_t k, std::int64_t n,
                                 DType compute) {
  constexpr std::int64_t kRows = 64;
  const ProductKey key{kRows, n, k, compute, compute, Epilogue::none};
  const auto type = compute == DType::i8 ? Type::s8 : dnnl_type(compute);
  const dnnl::memory::desc any({k, n}, type, Tag::any);
  return describe(engine, key, any).weights_desc();
}

/// Whether whole granules of columns of a weight in layout `whole` form a weight in layout `part`.
bool same_blocking(const dnnl::memory::desc& whole, const dnnl::memory::desc& part) {
  const auto& a = whole.data.format_desc.blocking;
  const auto& b = part.data.format_desc.blocking;
  if (whole.data.format_kind != dnnl_blocked || part.data.format_kind != dnnl_blocked) return false;
  if (a.inner_nblks != b.inner_nblks || a.strides[1] != b.strides[1]) return false;
  std::int64_t columns = 1;
  for (int i = 0; i < a.inner_nblks; ++i) {
    if (a.inner_blks[i] != b.inner_blks[i] || a.inner_idxs[i] != b.inner_idxs[i]) return false;
    if (a.inner_idxs[i] == 1) columns *= a.inner_blks[i];
  }
  return columns == kColumnGranule && a.strides[0] == b.strides[0];
}

}  // namespace

void execute(const Product& product, const dnnl::stream& stream) {
  std::array<dnnl_exec_arg_t, 5> arguments{{{DNNL_ARG_SRC, product.x.get()},
                                            {DNNL_ARG_WEIGHTS, product.weight.get()},
                                            {DNNL_ARG_DST, product.y.get()},
                                            {DNNL_ARG_SCRATCHPAD, product.scratchpad.get()}}};
  int count = 4;
  if (product.bias)
    arguments.at(static_cast<std::size_t>(count++)) = {DNNL_ARG_BIAS, product.bias.get()};
  dnnl::error::wrap_c_api(
      dnnl_primitive_execute(product.primitive.get(), stream.get(), count, arguments.data()),
      "a matrix product failed");
}

dnnl::memory::data_type dnnl_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return Type::f32;
    case DType::bf16:
      return Type::bf16;
    default:
      throw ArgumentError(fmt::format("matrix products are not computed in {}", name_of(dtype)));
  }
}

std::size_t ProductKeyHash::operator()(const ProductKey& key) const {
  std::size_t hash = 0;
  for (const std::int64_t part :
       {key.m, key.n, key.k, static_cast<std::int64_t>(key.compute),
        static_cast<std::int64_t>(key.y_dtype), static_cast<std::int64_t>(key.epilogue)}) {
    hash = hash * 0x9E3779B97F4A7C15ULL + static_cast<std::size_t>(part);
  }
  return hash;
}

struct LinearWeight::Packed {
  struct AlignedDelete {
    void operator()(std::byte* bytes) const { ::operator delete[](bytes, std::align_val_t{64}); }
  };
  dnnl::memory::desc layout;
  std::unique_ptr<std::byte[], AlignedDelete> bytes;
  std::vector<float> bias;             ///< padded to whole granules
  QuantizedChannels channels;          ///< of int8 weights, padded likewise
  std::int64_t bytes_per_granule = 0;  ///< of columns; 0 where columns cannot be divided
};

namespace {

std::int64_t granules_of(std::int64_t columns) {
  return (columns + kColumnGranule - 1) / kColumnGranule;
}

}  // namespace

LinearWeight LinearWeight::pack(std::span<const Tensor> weights, std::span<const Tensor> biases,
                                DType compute) {
  if (weights.empty()) throw ArgumentError("a linear layer needs a weight");
  LinearWeight packed_weight;
  packed_weight.in_features_ = weights[0].dim(1);
  packed_weight.compute_ = compute;
  for (const auto& weight : weights) {
    if (weight.shape().size() != 2 || weight.dim(1) != packed_weight.in_features_) {
      throw ModelError(fmt::format("weights of shapes {} and {} cannot share a product",
                                   to_string(weights[0].shape()), to_string(weight.shape())));
    }
    packed_weight.out_features_ += weight.dim(0);
  }
  const std::int64_t k = packed_weight.in_features_, n = packed_weight.out_features_;
  const auto packed = std::make_shared<Packed>();
  packed->bias.assign(static_cast<std::size_t>(n), 0.0F);
  std::size_t at = 0;
  for (const auto& bias : biases) {
    if (at + static_cast<std::size_t>(bias.numel()) > packed->bias.size()) break;
    const auto values = bias.to(DType::f32);
    std::memcpy(packed->bias.data() + at, values.bytes().data(), values.bytes().size());
    at += static_cast<std::size_t>(bias.numel());
  }
  if (!biases.empty() && at != packed->bias.size()) {
    throw ModelError(fmt::format("a linear layer of {} outputs was given biases for {}", n, at));
  }

  const OneDnnThreads single(1);  // callers pack several weights at once
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  try {
    packed->layout = weight_layout(engine, k, n, compute);
  } catch (const dnnl::error& failure) {
    throw ModelError(fmt::format("this machine cannot compute in {} ({}); use f32",
                                 name_of(compute), failure.what()));
  }
  const std::size_t size = packed->layout.get_size();
  packed->bytes.reset(new (std::align_val_t{64}) std::byte[size]);

  const auto padded = static_cast<std::size_t>(granules_of(n) * kColumnGranule);
  packed->bias.resize(padded, 0.0F);

  // The parts one above the other as the checkpoint has them, [n, k] row-major; a single f32 or
  // bf16 part is packed straight from the mapped file.
  const bool quantized = compute == DType::i8;
  Tensor stacked;
  if (weights.size() == 1 && weights[0].dtype() != DType::f16 && !quantized) {
    stacked = weights[0];
  } else {
    stacked = Tensor::zeros(DType::f32, {n, k});
    auto* to = stacked.mutable_bytes().data();
    for (const auto& weight : weights) {
      const auto values = weight.to(DType::f32);
      std::memcpy(to, values.bytes().data(), values.bytes().size());
      to += values.bytes().size();
    }
  }
  if (quantized) {
    auto bytes = Tensor::zeros(DType::i8, {n, k});
    packed->channels =
        quantize_weights(stacked.values<float>(), n, accelerates(DType::i8) ? 127 : 63,
                         bytes.mutable_values<std::int8_t>());
    packed->channels.scales.resize(padded, 0.0F);
    packed->channels.sums.resize(padded, 0);
    stacked = std::move(bytes);
  }
  const auto type = quantized ? Type::s8 : dnnl_type(stacked.dtype());
  dnnl::memory from({dnnl::memory::dims{k, n}, type, Tag::ba}, engine,
                    const_cast<std::byte*>(stacked.bytes().data()));  // oneDNN only reads it
  dnnl::memory to(packed->layout, engine, packed->bytes.get());
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();

  if (n > kColumnGranule) {
    const auto part = weight_layout(engine, k, kColumnGranule, compute);
    if (same_blocking(packed->layout, part)) {
      packed->bytes_per_granule = static_cast<std::int64_t>(part.get_size());
    }
  }
  packed_weight.packed_ = packed;
  return packed_weight;
}

namespace {

/// The worker's compiled product for `key`, made on first use.
Product& product_for(Context::Device& device, Worker& worker, const ProductKey& key,
                     const dnnl::memory::desc& packed) {
  if (const auto found = worker.products.find(key); found != worker.products.end()) {
    return found->second;
  }
  const OneDnnThreads single(1);
  const auto layout = weight_layout(device.engine, key.k, key.n, key.compute);
  const auto desc = describe(device.engine, key, layout);
  if (layout != packed && !same_blocking(packed, layout)) {
    throw ModelError(fmt::format("no product of {} columns fits a packed weight of {}", key.n,
                                 packed.dims()[1]));
  }
  Product product;
  product.primitive = dnnl::matmul(desc);
  product.x = dnnl::memory(desc.src_desc(), device.engine, DNNL_MEMORY_NONE);
  product.weight = dnnl::memory(desc.weights_desc(), device.engine, DNNL_MEMORY_NONE);
  if (key.compute != DType::i8) {
    product.bias = dnnl::memory(desc.bias_desc(), device.engine, DNNL_MEMORY_NONE);
  }
  product.y = dnnl::memory(desc.dst_desc(), device.engine, DNNL_MEMORY_NONE);
  product.scratchpad = dnnl::memory(desc.scratchpad_desc(), device.engine, DNNL_MEMORY_NONE);
  product.scratchpad_size = desc.scratchpad_desc().get_size();
  return worker.products.emplace(key, std::move(product)).first->second;
}

/// Rows of x (in the weight's compute dtype; u8 for int8) against the weight's columns
/// [begin, begin + y.cols), on the calling thread. Where y ends inside the weight, its columns are
/// whole granules.
void multiply(Context& context, ConstMatrix x, const LinearWeight& weight, Epilogue epilogue,
              Matrix y, std::int64_t begin) {
  auto& device = context.device();
  auto& worker = device.worker();
  const auto& packed = weight.packed();
  auto& product = product_for(
      device, worker, {x.rows, y.cols, x.cols, weight.compute(), y.dtype, epilogue}, packed.layout);
  product.x.set_data_handle(const_cast<std::byte*>(x.data));  // oneDNN only reads it
  product.weight.set_data_handle(packed.bytes.get() +
                                 begin / kColumnGranule * packed.bytes_per_granule);
  if (product.bias) {
    product.bias.set_data_handle(const_cast<float*>(packed.bias.data() + begin));
  }
  product.y.set_data_handle(y.data);
  if (product.scratchpad_size > 0) {
    product.scratchpad.set_data_handle(worker.scratch.take_bytes(product.scratchpad_size));
  }
  execute(product, worker.stream);
}

/// A dense block of scratch for `columns` of y, as wide as the product that fills it must be.
Matrix block_for(Arena& scratch, const LinearWeight& weight, DType dtype, std::int64_t rows,
                 std::int64_t columns) {
  const bool divided = weight.packed().bytes_per_granule > 0 && columns < weight.out_features();
  const std::int64_t wide = divided ? granules_of(columns) * kColumnGranule : columns;
  auto* bytes = scratch.take_bytes(static_cast<std::size_t>(rows * wide) * size_of(dtype));
  return {bytes, dtype, rows, wide, wide};
}

/// Whether this epilogue of bf16 layers is applied by rows here: oneDNN's own gelu takes a tenth of
/// the product's time, the polynomial that bf16 needs a fiftieth.
bool finishes_gelu(const LinearWeight& weight, Epilogue epilogue, const Matrix& y) {
  return epilogue == Epilogue::gelu && weight.compute() == DType::bf16 && y.dtype == DType::bf16;
}

/// The columns [begin, begin + y.cols) into a wider y, by way of a dense block that is still in
/// cache when it is finished and copied.
void multiply_columns(Context& context, ConstMatrix x, const LinearWeight& weight,
                      Epilogue epilogue, Matrix y, std::int64_t begin) {
  const bool add = epilogue == Epilogue::add, gelu = finishes_gelu(weight, epilogue, y);
  const DType dtype = add || gelu ? DType::f32 : y.dtype;
  const auto block = block_for(context.device().worker().scratch, weight, dtype, y.rows, y.cols);
  multiply(context, x, weight, add || gelu ? Epilogue::none : epilogue, block, begin);
  for (std::int64_t row = 0; row < y.rows; ++row) {
    const auto* values = reinterpret_cast<const float*>(block.row(row));
    if (add) {
      add_row(values, y, row);
    } else if (gelu) {
      gelu_row(values, y, row);
    } else {
      std::memcpy(y.row(row), block.row(row), static_cast<std::size_t>(y.cols) * size_of(y.dtype));
    }
  }
}

/// All columns, a block at a time.
void multiply_blocks(Context& context, ConstMatrix x, const LinearWeight& weight, Epilogue epilogue,
                     Matrix y) {
  constexpr std::int64_t kBlock = 384;
  const std::int64_t step = weight.packed().bytes_per_granule > 0 ? kBlock : y.cols;
  for (std::int64_t at = 0; at < y.cols; at += step) {
    context.device().worker().scratch.reset();
    multiply_columns(context, x, weight, epilogue, y.cols_from(at, std::min(step, y.cols - at)),
                     at);
  }
}

/// int8: the rows are quantized, multiplied a block of columns at a time while the sums stay in
/// cache, and brought back with scales, bias and epilogue.
void multiply_quantized(Context& context, ConstMatrix x, const LinearWeight& weight,
                        Epilogue epilogue, Matrix y, std::int64_t begin) {
  constexpr std::int64_t kBlock = 768;
  auto& scratch = context.device().worker().scratch;
  const QuantizedRows rows{scratch.take<std::uint8_t>(x.rows * x.cols).data(),
                           scratch.take<float>(x.rows).data(),
                           scratch.take<std::int32_t>(x.rows).data()};
  quantize_rows(x, scratch.take<float>(x.cols + 64).data(), rows);
  const ConstMatrix values{reinterpret_cast<const std::byte*>(rows.values), DType::u8, x.rows,
                           x.cols, x.cols};
  const auto& packed = weight.packed();
  const std::int64_t step = packed.bytes_per_granule > 0 ? kBlock : y.cols;
  auto block = block_for(scratch, weight, DType::i32, y.rows, std::min(step, y.cols));
  for (std::int64_t at = 0; at < y.cols; at += step) {
    const std::int64_t columns = std::min(step, y.cols - at);
    if (columns < step && y.cols > step) {
      block.cols = block.stride = granules_of(columns) * kColumnGranule;
    }
    multiply(context, values, weight, Epilogue::none, block, begin + at);
    dequantize_rows({reinterpret_cast<const std::int32_t*>(block.data), block.stride}, rows,
                    packed.channels, packed.bias.data(), begin + at, epilogue,
                    y.cols_from(at, columns));
  }
}

}  // namespace

void linear(Context& context, ConstMatrix x, const LinearWeight& weight, Epilogue epilogue,
            Matrix y) {
  const bool quantized = weight.compute() == DType::i8;
  if (x.cols != weight.in_features() || y.cols != weight.out_features() || x.rows != y.rows ||
      (x.dtype != weight.compute() && !quantized) || x.stride != x.cols || y.stride != y.cols) {
    throw ArgumentError(
        fmt::format("a linear layer {} -> {} in {} was given x [{}, {}] of {} and y [{}, {}]",
                    weight.in_features(), weight.out_features(), name_of(weight.compute()), x.rows,
                    x.cols, name_of(x.dtype), y.rows, y.cols));
  }
  if (x.rows == 0) return;
  const auto timed = [&](std::int64_t rows, std::int64_t columns) {
    const auto m = static_cast<double>(rows), n = static_cast<double>(columns);
    const auto k = static_cast<double>(weight.in_features());
    const double bytes = m * k * static_cast<double>(size_of(x.dtype)) +
                         m * n * static_cast<double>(size_of(y.dtype)) +
                         n * k * static_cast<double>(size_of(weight.compute()));
    return Timed(context,
                 {.kind = OperationKey::Kind::linear,
                  .k = weight.in_features(),
                  .n = weight.out_features(),
                  .epilogue = epilogue},
                 2 * m * n * k, bytes);
  };
  const auto all_columns = [&](ConstMatrix rows, Matrix to) {
    const auto time = timed(rows.rows, to.cols);
    context.device().worker().scratch.reset();
    if (quantized) {
      multiply_quantized(context, rows, weight, epilogue, to, 0);
    } else if (finishes_gelu(weight, epilogue, to)) {
      multiply_blocks(context, rows, weight, epilogue, to);
    } else {
      multiply(context, rows, weight, epilogue, to, 0);
    }
  };
  if (in_parallel()) {
    all_columns(x, y);
    return;
  }
  context.device().prepare();
  const std::int64_t tile = max_tile_rows(x.rows);
  if (tile < x.rows) {
    for_row_tiles(x.rows, [&](std::int64_t begin, std::int64_t count, int) {
      all_columns(x.rows_from(begin, count), y.rows_from(begin, count));
    });
    return;
  }
  const std::int64_t granules = granules_of(y.cols);
  const std::int64_t parts =
      weight.packed().bytes_per_granule == 0 ? 1 : std::min<std::int64_t>(num_threads(), granules);
  if (parts == 1) {
    all_columns(x, y);
    return;
  }
  parallel_tasks(context, parts, [&](std::int64_t part) {
    context.device().worker().scratch.reset();
    const std::int64_t begin = granules * part / parts * kColumnGranule;
    const std::int64_t end = std::min(granules * (part + 1) / parts * kColumnGranule, y.cols);
    const auto columns = y.cols_from(begin, end - begin);
    const auto time = timed(columns.rows, columns.cols);
    if (quantized) {
      multiply_quantized(context, x, weight, epilogue, columns, begin);
    } else {
      multiply_columns(context, x, weight, epilogue, columns, begin);
    }
  });
}

}  // namespace cloze::ops
