/// \file
/// The names that google-research/bert gives its variables, and what transformers calls them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cloze {

/// What becomes of a variable of a TensorFlow checkpoint.
struct GoogleVariable {
  enum class Kind : std::uint8_t {
    weight,  ///< a tensor of the model or of a head
    kernel,  ///< the same, stored [inputs, outputs]: to be transposed
    slot,    ///< the optimizer's, or a counter: no part of the model
    other,   ///< anything else; `name` is the variable's own
  };
  Kind kind = Kind::other;
  std::string name;  ///< in transformers: "bert.encoder.layer.0.output.dense.weight"
};

/// `bert/encoder/layer_0/output/dense/kernel`, with or without a device's ":0", and the heads of
/// google-research/bert: `cls/predictions`, `cls/seq_relationship`, `cls/squad` (run_squad.py) and
/// `output_weights` (run_classifier.py).
[[nodiscard]] GoogleVariable translate_google_name(std::string_view variable);

}  // namespace cloze
