/// \file
/// All that Cloze asks of oneDNN, in types of its own: onednn.cc is the only file that includes
/// oneDNN's headers, and the only one that another version of it concerns.
///
/// oneDNN's exceptions end here. What it cannot do on this machine is a ModelError, anything else
/// that it refuses an Error; both say which product was wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "cloze/tensor.h"
#include "ops/activation.h"
#include "ops/cpu/machine/cpu_features.h"
#include "ops/matrix.h"

namespace cloze::ops {

/// The instructions that oneDNN may use: fewer than the processor has where ONEDNN_MAX_CPU_ISA says
/// so.
[[nodiscard]] CpuFeatures library_features();

/// "oneDNN 2.6.3 with AMX": its version, and the last of the instruction sets that it may use.
[[nodiscard]] std::string library_name();

/// What an instruction set of oneDNN's contains, by its number (dnnl_cpu_isa_t). The numbers are
/// sets of bits, and a newer instruction set has the bits of those that it extends, so that one
/// which is not known today counts with all of them.
[[nodiscard]] CpuFeatures features_of_isa(unsigned isa);

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

constexpr std::int64_t kColumnGranule = 64;  ///< oneDNN's widest block of output columns

/// Columns in whole granules.
[[nodiscard]] constexpr std::int64_t granules_of(std::int64_t columns) {
  return (columns + kColumnGranule - 1) / kColumnGranule;
}

/// How many rows oneDNN must be given for each row's sum to be made in the same order: a multiple of
/// `block`, or fewer than a block in a multiple of `tile`. 1 where any number is right.
struct RowGranules {
  std::int64_t block = 1, tile = 1;
};
[[nodiscard]] RowGranules row_granules(DType compute);

/// A weight [k, n] in the layout that oneDNN picks for it, which is the same for every number of
/// rows. Immutable.
class PackedMatrix {
 public:
  /// Packs the transpose of `from` [n, k], as torch.nn.Linear stores weights, for products in
  /// `compute`: from f32 or bf16 for f32 and bf16, from i8 for i8. Throws ModelError where the
  /// machine cannot compute in it.
  PackedMatrix(const ConstMatrix& from, DType compute);
  PackedMatrix(const PackedMatrix&) = delete;
  PackedMatrix& operator=(const PackedMatrix&) = delete;
  PackedMatrix(PackedMatrix&&) noexcept;
  PackedMatrix& operator=(PackedMatrix&&) noexcept;
  ~PackedMatrix();

  /// Whether whole granules of columns are weights of their own.
  [[nodiscard]] bool divisible() const;
  /// Where the columns from `begin` on start, which is 0 or, where divisible, whole granules.
  [[nodiscard]] const std::byte* columns_from(std::int64_t begin) const;

  struct Impl;
  [[nodiscard]] const Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<const Impl> impl_;
};

/// What distinguishes one compiled product y [m, n] = epilogue(x [m, k]·w [k, n] + bias) from
/// another. Strides are those of x, w and y as they lie.
struct ProductKey {
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t x_stride = 0, w_stride = 0, y_stride = 0;
  DType compute = DType::f32;  ///< f32, bf16, or i8: u8·s8 summed up in i32
  DType y_dtype = DType::f32;
  Epilogue epilogue = Epilogue::none;
  bool x_transposed = false, w_transposed = false;
  bool packed = false;  ///< w is a PackedMatrix or columns of one
  bool biased = false;
  friend bool operator==(const ProductKey&, const ProductKey&) = default;
};

struct ProductKeyHash {
  std::size_t operator()(const ProductKey& key) const;
};

struct ProductOperands {
  const std::byte* x = nullptr;
  const std::byte* w = nullptr;
  const float* bias = nullptr;  ///< [n]
  std::byte* y = nullptr;
};

/// Compiled products that a thread keeps. Uneven lengths bring ever new shapes; compiling takes
/// 0.1 ms.
constexpr std::size_t kMostProducts = 16384;

/// The matrix products of one thread: compiled once for a shape, and kept while they are used.
class Products {
 public:
  /// Keeps at most `capacity` products, those that were used last.
  explicit Products(std::size_t capacity = kMostProducts);
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;
  ~Products();

  /// Multiplies on the calling thread. `packed`, where the key says so, is the weight whose columns
  /// operands.w are.
  void run(const ProductKey& key, const ProductOperands& operands,
           const PackedMatrix* packed = nullptr);

  /// Compiled products that are kept, and the most that ever are.
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t capacity() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A product [m, k]·[k, n] of zeros as oneDNN does it by itself, its own packing and threads.
class LoneProduct {
 public:
  LoneProduct(std::int64_t m, std::int64_t n, std::int64_t k, DType compute);
  LoneProduct(const LoneProduct&) = delete;
  LoneProduct& operator=(const LoneProduct&) = delete;
  LoneProduct(LoneProduct&&) noexcept;
  LoneProduct& operator=(LoneProduct&&) noexcept;
  ~LoneProduct();

  void run() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cloze::ops
