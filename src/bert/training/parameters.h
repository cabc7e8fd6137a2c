/// \file
/// The parameters of a model that is being trained: f32 values and their gradients, each kind in
/// one block of memory, under the names of the Hugging Face checkpoint.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bert/layout.h"
#include "bert/weights.h"
#include "cloze/checkpoint.h"
#include "cloze/tensor.h"
#include "ops/device.h"
#include "ops/transfer.h"

namespace cloze::internal {

/// One parameter; the spans look into its `Parameters`, in the device's memory.
struct Parameter {
  std::string name;
  Shape shape;
  std::span<float> value;
  std::span<float> gradient;
  /// The values in bf16, where products are computed in it; or empty. Whoever changes the values
  /// changes these too.
  std::span<BFloat16> rounded = {};
  /// Whether weight decay applies: to all but biases and layer norms (google-research/bert's
  /// `exclude_from_weight_decay`).
  bool decay = true;
  /// What the learning rate is multiplied by; 0: the parameter is frozen.
  double rate = 1;
};

/// All parameters of a model, in the order in which they were declared. Values and gradients are
/// two flat blocks of the same layout, in which every parameter that does not adjoin another begins
/// at a multiple of 16 elements (64 bytes); the elements between parameters are zero and stay so.
class Parameters {
 public:
  /// Values and gradients zero, in the memory of `device`, which must outlive them. Without
  /// `gradients` there is no memory for them, and their spans are empty: for models that are
  /// differentiated by their inputs alone. Throws ArgumentError for a name given twice.
  explicit Parameters(std::span<const ParameterShape> shapes, bool gradients = true,
                      const ops::Device& device = ops::cpu());

  /// Reads every value from `source`. Throws as WeightSource::take does, and ModelError naming a
  /// tensor that has numbers that are infinite or NaN.
  void load(WeightSource& source);

  [[nodiscard]] std::span<Parameter> all() { return parameters_; }
  [[nodiscard]] std::span<const Parameter> all() const { return parameters_; }
  [[nodiscard]] bool contains(std::string_view name) const;
  /// Throws ModelError naming the parameter when there is none.
  [[nodiscard]] Parameter& at(std::string_view name);
  [[nodiscard]] const Parameter& at(std::string_view name) const;

  /// Elements of all parameters, the gaps of alignment not counted.
  [[nodiscard]] std::int64_t count() const { return count_; }

  [[nodiscard]] const ops::Device& device() const { return device_; }

  /// The whole blocks, gaps included.
  [[nodiscard]] std::span<float> values() { return values_.values(); }
  [[nodiscard]] std::span<float> gradients() { return gradients_.values(); }

  /// Sets every gradient to zero. Backward passes only ever add.
  void zero_gradients();

  /// The name of a parameter with a value that is infinite or NaN; empty: there is none.
  [[nodiscard]] std::string not_finite() const;

  /// A parameter's values for the host: a view that is valid as long as this object, or a copy from
  /// the device.
  [[nodiscard]] Tensor tensor(std::string_view name) const;
  /// The same of all, by name, for `save_checkpoint`.
  [[nodiscard]] TensorMap tensors() const;

 private:
  const ops::Device& device_;
  ops::Block<float> values_;
  ops::Block<float> gradients_;
  std::vector<Parameter> parameters_;
  std::unordered_map<std::string, std::size_t> index_;
  std::int64_t count_ = 0;
};

}  // namespace cloze::internal
