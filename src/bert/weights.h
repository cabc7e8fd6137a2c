/// \file
/// Where a model's parameters come from: a checkpoint, whatever its habits of naming, or a random
/// initialisation. The names asked for are those that transformers writes.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "bert/layout.h"
#include "checkpoint/model_names.h"
#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "ops/linear.h"
#include "ops/norm.h"

namespace cloze::internal {

/// A source of tensors by name. Reads each tensor once, when the model is built; several threads
/// may take different tensors at once.
class WeightSource {
 public:
  WeightSource() = default;
  WeightSource(const WeightSource&) = delete;
  WeightSource(WeightSource&&) = default;
  WeightSource& operator=(const WeightSource&) = delete;
  WeightSource& operator=(WeightSource&&) = default;
  virtual ~WeightSource() = default;

  [[nodiscard]] virtual bool contains(const std::string& name) const = 0;

  /// The tensor, f32, f16 or bf16 and aligned. Throws ModelError when it is absent or not of
  /// `shape`, naming it and both shapes; a dimension of -1 takes what is there.
  [[nodiscard]] virtual Tensor take(const std::string& name, const Shape& shape) = 0;

  /// Says that the tensor's bytes are not needed any more. Throws IoError where they were those of
  /// a file that has been changed meanwhile.
  virtual void release(const std::string& name) = 0;

  /// What tells, as long as a model lives, that tables which it reads in place are still those that
  /// were taken: a function that throws IoError otherwise. Empty where nothing can change them.
  [[nodiscard]] virtual std::function<void()> watch() const { return {}; }
  /// Where the weights come from, for messages.
  [[nodiscard]] virtual std::string origin() const { return "the model"; }

  /// The linear layers, packed for `device` as one product, their outputs one after another. Throws
  /// ModelError as `take`.
  [[nodiscard]] ops::LinearWeight linear(const ops::Device& device,
                                         std::initializer_list<LinearShape> parts, DType compute);
  [[nodiscard]] ops::NormParameters layer_norm(const ops::Device& device, const NormShape& norm,
                                               double epsilon);
};

/// A checkpoint's tensors, whatever its writer called them (see ModelNames). DistilBERT, which has
/// no segment embeddings, gets zeros for them: a sum that they leave as it is.
class CheckpointWeights final : public WeightSource {
 public:
  explicit CheckpointWeights(Checkpoint checkpoint);
  [[nodiscard]] bool contains(const std::string& name) const override;
  [[nodiscard]] Tensor take(const std::string& name, const Shape& shape) override;
  void release(const std::string& name) override;
  [[nodiscard]] std::function<void()> watch() const override;
  [[nodiscard]] std::string origin() const override;

 private:
  Checkpoint checkpoint_;
  ModelNames names_;
};

/// BERT's initialisation: weights normal with deviation `initializer_range`, biases zero, layer
/// norms one and zero. A tensor is a function of the seed and its name. There is every tensor but a
/// decoder of its own where the configuration ties it to the word embeddings.
class RandomWeights final : public WeightSource {
 public:
  RandomWeights(const BertConfig& config, std::uint64_t seed);
  [[nodiscard]] bool contains(const std::string& name) const override;
  [[nodiscard]] Tensor take(const std::string& name, const Shape& shape) override;
  void release(const std::string& name) override;

 private:
  float deviation_;
  bool tied_;
  std::uint64_t seed_;
};

}  // namespace cloze::internal
