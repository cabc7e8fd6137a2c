/// \file
/// A model's parameters as the operations of training see them: views of the values in the dtype
/// that products are computed in, and of the gradients.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "bert/layout.h"
#include "bert/training/parameters.h"
#include "bert/training/trainable_layer.h"

namespace cloze::internal {

/// Views stay valid as long as this object, whose parameters they look into.
class TrainingWeights {
 public:
  /// In the memory of `device`. Without `gradients`, views of them have no data. Throws ModelError
  /// where the device does not compute in `compute` (f32, bf16).
  TrainingWeights(std::span<const ParameterShape> shapes, DType compute, bool gradients,
                  const ops::Device& device);

  [[nodiscard]] Parameters& parameters() { return parameters_; }
  [[nodiscard]] DType compute() const { return compute_; }

  /// Rounds the values to `compute` again, after something else than an Optimizer changed them.
  void refresh();

  /// A linear layer. Several: their adjoining parameters as one layer, the outputs one after
  /// another.
  [[nodiscard]] nn::TrainableLinear linear(std::initializer_list<LinearShape> parts);
  /// The same with a weight in f32, whatever is computed in.
  [[nodiscard]] nn::TrainableLinear linear_f32(const LinearShape& shape);
  [[nodiscard]] nn::TrainableNorm norm(const NormShape& shape, double epsilon);

  /// A matrix parameter's values in `compute`, in f32, and its gradient.
  [[nodiscard]] ops::ConstMatrix matrix(const std::string& name);
  [[nodiscard]] ops::ConstMatrix matrix_f32(const std::string& name);
  [[nodiscard]] ops::Matrix gradient(const std::string& name);

 private:
  Parameters parameters_;
  DType compute_;
  /// The whole block of values in bf16, of which the matrices that were asked for are filled; empty
  /// for f32.
  ops::Block<BFloat16> rounded_;
};

}  // namespace cloze::internal
