/// \file
/// The only way between the host's memory and a device's. On a device that works in the host's
/// memory nothing is copied.
#pragma once

#include <memory>
#include <span>

#include "cloze/tensor.h"
#include "ops/context.h"
#include "ops/matrix.h"

namespace cloze::ops {

/// Memory of a device for as long as the object lives, zero at first.
template <class T>
class Block {
 public:
  Block() = default;
  Block(const Device& device, std::size_t count);
  /// In the device's memory: not for the host to read.
  [[nodiscard]] std::span<T> values() const { return {values_.get(), count_}; }
  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  std::shared_ptr<T> values_;
  std::size_t count_ = 0;
};

/// The tensor in the device's memory, for parameters that stay there: itself where the device reads
/// the host's memory, else a copy whose bytes the host must not read.
[[nodiscard]] Tensor resident(const Device& device, const Tensor& tensor);

/// A dense matrix [dim 0, all others] of the tensor's values that the context's operations can read:
/// the tensor's memory, which must outlive them, or a copy in working memory.
[[nodiscard]] ConstMatrix to_device(Context& context, const Tensor& tensor);

/// The matrix's values as a new tensor of its dtype.
[[nodiscard]] Tensor to_host(Context& context, ConstMatrix matrix);

/// Values in the device's memory as a tensor of `shape` that the host can read: a view that is valid
/// as long as they are where the device works in the host's memory, else a copy.
[[nodiscard]] Tensor to_host(const Device& device, std::span<const float> values, Shape shape);

/// Copies f32 values of the host over values in the device's memory, of equal count.
void copy_in(const Device& device, std::span<const float> from, std::span<float> to);

/// Sets a dense matrix to zero. Throws ArgumentError for another.
void fill_zero(Context& context, Matrix matrix);

/// A matrix that the host works on between two operations: the device's own memory, or a copy that
/// is written back by `store`. Waits for the device.
class HostMatrix {
 public:
  HostMatrix(Context& context, Matrix matrix);
  /// Dense where it is a copy.
  [[nodiscard]] Matrix matrix() const { return host_; }
  void store();

 private:
  Context& context_;
  Matrix device_, host_;
  Tensor copy_;
};

/// A new f32 tensor that operations fill: in place where the device works in the host's memory.
class Output {
 public:
  Output(Context& context, Shape shape);
  /// For operations to write: [dim 0, all others].
  [[nodiscard]] Matrix matrix() const { return matrix_; }
  [[nodiscard]] std::span<float> values() const;
  /// The tensor, once the operations that write it were started. To be called once.
  [[nodiscard]] Tensor take();

 private:
  Context& context_;
  Tensor tensor_;
  Matrix matrix_;
};

}  // namespace cloze::ops
