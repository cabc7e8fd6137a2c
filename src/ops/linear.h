/// \file
/// Matrix products. `linear` multiplies by a weight that was packed once, as inference does;
/// `multiply` takes any two matrices as they lie, as training does, whose weights change with every
/// step.
///
/// "compute" is the dtype that products are made in; sums are f32 always. A row of `linear` has the
/// same bits in every batch and at any number of threads. `multiply`, which is divided by the
/// number of threads, gives the same bits again at the same number, and may differ in its last bits
/// at another.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "cloze/tensor.h"
#include "ops/activation.h"
#include "ops/context.h"
#include "ops/matrix.h"

namespace cloze::ops {

/// Whether products in `compute` run in hardware on this processor (bf16: AVX512-BF16 or AMX; i8:
/// VNNI or AMX). Of other devices: Device::accelerates.
[[nodiscard]] bool accelerates(DType compute);

/// The weight and bias of a linear layer, packed once for the device's matrix product.
/// Immutable; copies share.
class LinearWeight {
 public:
  LinearWeight() = default;

  /// Packs the weights [out_features_i, in_features] (as torch.nn.Linear stores them; f32, f16 or
  /// bf16) stacked along the outputs, and their biases [out_features_i] (absent: zero), all in the
  /// host's memory, for products of `device` in `compute` (f32, bf16 or i8). Throws ModelError when
  /// the device cannot compute in it.
  [[nodiscard]] static LinearWeight pack(const Device& device, std::span<const Tensor> weights,
                                         std::span<const Tensor> biases, DType compute);
  /// The same for the processor.
  [[nodiscard]] static LinearWeight pack(std::span<const Tensor> weights,
                                         std::span<const Tensor> biases, DType compute);

  [[nodiscard]] std::int64_t in_features() const { return in_features_; }
  [[nodiscard]] std::int64_t out_features() const { return out_features_; }
  [[nodiscard]] DType compute() const { return compute_; }
  [[nodiscard]] bool empty() const { return packed_ == nullptr; }

  /// What the device made of the weight; each device derives its own.
  struct Packed {
    Packed() = default;
    Packed(const Packed&) = delete;
    Packed& operator=(const Packed&) = delete;
    virtual ~Packed() = default;
  };
  [[nodiscard]] const Packed& packed() const { return *packed_; }
  [[nodiscard]] const Device* device() const { return device_; }

 private:
  std::int64_t in_features_ = 0;
  std::int64_t out_features_ = 0;
  DType compute_ = DType::f32;
  const Device* device_ = nullptr;
  std::shared_ptr<const Packed> packed_;
};

/// y [rows, out_features] = epilogue(x [rows, in_features] · Wᵀ + b).
/// x is of the weight's compute dtype (i8: f32 or bf16); y of x's dtype or f32 (`add`: y's values
/// are read too). Throws ArgumentError for operands that do not fit, or a weight that was packed for
/// another device than the context's.
void linear(Context& context, ConstMatrix x, const LinearWeight& weight, Epilogue epilogue,
            Matrix y);

/// One side of a product.
struct Factor {
  ConstMatrix matrix;
  bool transposed = false;
  [[nodiscard]] std::int64_t rows() const { return transposed ? matrix.cols : matrix.rows; }
  [[nodiscard]] std::int64_t cols() const { return transposed ? matrix.rows : matrix.cols; }
};

/// c [m, n] = a [m, k] · b [k, n] + bias [n] (empty: none); a and b of one dtype, f32 or bf16,
/// summed in f32; c of theirs or f32. Any strides. The backward of y = x·Wᵀ is two of these:
/// d_x = d_y·W and d_W += d_yᵀ·x.
void multiply(Context& context, Factor a, Factor b, Matrix c, std::span<const float> bias = {});

/// c += a · b, c in f32.
void multiply_add(Context& context, Factor a, Factor b, Matrix c);

}  // namespace cloze::ops
