/// \file
/// sentence-transformers' Dense module: a linear layer on sentence vectors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "bert/context_pool.h"
#include "cloze/sentence_settings.h"
#include "cloze/tensor.h"
#include "ops/device.h"
#include "ops/linear.h"

namespace cloze {

/// What such a module's directory holds.
struct DenseParameters {
  Tensor weight;  ///< f32 [out_features, in_features]
  Tensor bias;    ///< f32 [out_features], zeros where the module has none
  ops::Epilogue activation = ops::Epilogue::none;
  bool use_residual = false;  ///< the input is added to the result
  /// f32 [out_features, in_features]: what the input is multiplied by before it is added; empty
  /// where it is added as it is.
  Tensor residual{};
};

/// Reads `config.json` (in_features, out_features, bias, activation_function, use_residual) and the
/// weights (`linear.weight`, `linear.bias`, `residual.weight`) in `directory`. Throws IoError,
/// FormatError, and ModelError for an activation that Cloze does not have, for weights of another
/// shape and for those that are not finite.
[[nodiscard]] DenseParameters read_dense(const std::filesystem::path& directory);

/// The same of a step of a model's settings: a Dense module, or DPR's projection, whose weights are
/// among the model's own. Throws ArgumentError for a step that has no linear layer.
[[nodiscard]] DenseParameters read_linear(const SentenceStep& step);

/// Throws ModelError unless the step's layer, which reads `in_features` values, gets as many.
void require_in_features(const SentenceStep& step, std::int64_t in_features, std::int64_t given);

class Dense {
 public:
  /// Throws as read_dense does.
  [[nodiscard]] static Dense from_pretrained(const std::filesystem::path& directory);
  /// Throws as read_linear does.
  [[nodiscard]] static Dense of_step(const SentenceStep& step);
  explicit Dense(const DenseParameters& parameters);

  [[nodiscard]] std::int64_t in_features() const { return weight_.in_features(); }
  [[nodiscard]] std::int64_t out_features() const { return weight_.out_features(); }

  /// activation(rows · Wᵀ + b), and the residual connection where it has one: [count, in_features] →
  /// [count, out_features], f32. Any number of threads may call it at once.
  [[nodiscard]] Tensor operator()(const Tensor& rows) const;

 private:
  ops::LinearWeight weight_;
  ops::Epilogue activation_ = ops::Epilogue::none;
  bool use_residual_ = false;
  ops::LinearWeight residual_;  // empty: the input itself
  /// Working memory and compiled products, kept from call to call; copies share them.
  std::shared_ptr<internal::ContextPool> contexts_ =
      std::make_shared<internal::ContextPool>(ops::cpu());
};

}  // namespace cloze
