/// \file
/// The golden models of this folder (make_goldens.py says what is in one) and how outputs are held
/// against them.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/batch.h"
#include "cloze/checkpoint.h"
#include "cloze/tensor.h"
#include "places.h"

namespace cloze::testing {

/// Every golden directory, so that a lost one fails a test instead of shrinking the suite.
inline constexpr std::array golden_names = {
    "pretraining",
    "pretraining_tanh",
    "bare_odd",
    "bare_no_pooler",
    "sharded",
    "masked_lm_untied",
    "masked_lm_untied_one_bias",
    "masked_lm_tied_stored_bf16",
    "masked_lm_tied_but_different",
    "next_sentence_f16",
    "sequence_3_labels",
    "sequence_regression",
    "token_5_layers",
    "question_legacy_names",
    "choice",
};

inline std::filesystem::path golden_directory(std::string_view name) {
  return std::filesystem::path(kSourceDir) / "tests" / "goldens" / name;
}

/// Elements of `tensor`, whatever the alignment of its bytes.
template <class T>
std::vector<T> elements(const Tensor& tensor) {
  if (tensor.dtype() != dtype_of<T>) throw std::logic_error("a golden of another dtype");
  std::vector<T> values(static_cast<std::size_t>(tensor.numel()));
  if (!values.empty()) std::memcpy(values.data(), tensor.bytes().data(), tensor.bytes().size());
  return values;
}

/// A packed batch and the outputs that transformers computed for it.
class Golden {
 public:
  explicit Golden(const std::filesystem::path& file) : file_(Checkpoint::open(file)) {
    batch_.input_ids = ints("input_ids");
    batch_.token_type_ids = ints("token_type_ids");
    batch_.position_ids = ints("position_ids");
    batch_.cu_seqlens = ints("cu_seqlens");
  }
  static Golden named(std::string_view name) {
    return Golden(golden_directory(name) / "golden.safetensors");
  }

  [[nodiscard]] const Batch& batch() const { return batch_; }
  [[nodiscard]] bool contains(std::string_view name) const { return file_.contains(name); }
  [[nodiscard]] Tensor tensor(std::string_view name) const { return file_.tensor(name); }
  [[nodiscard]] std::vector<std::int32_t> ints(std::string_view name) const {
    return elements<std::int32_t>(file_.tensor(name));
  }
  [[nodiscard]] Tensor hidden_state(std::size_t index) const {
    return tensor("hidden_states." + std::to_string(index));
  }
  [[nodiscard]] Tensor attention(std::size_t index) const {
    return tensor("attentions." + std::to_string(index));
  }

 private:
  Checkpoint file_;
  Batch batch_;
};

/// Sequence `index` of `batch` as a batch of its own.
inline Batch alone(const Batch& batch, std::int64_t index) {
  const auto begin = batch.cu_seqlens[static_cast<std::size_t>(index)];
  const auto length = batch.length(index);
  const auto part = [&](const std::vector<std::int32_t>& all) {
    return std::vector<std::int32_t>(all.begin() + begin, all.begin() + begin + length);
  };
  return {.input_ids = part(batch.input_ids),
          .token_type_ids = part(batch.token_type_ids),
          .position_ids = part(batch.position_ids),
          .cu_seqlens = {0, static_cast<std::int32_t>(length)}};
}

/// Largest absolute difference; infinity when a shape differs or a value is not a number, so that
/// a comparison with a tolerance fails.
inline double max_abs_difference(const Tensor& got, const Tensor& expected) {
  constexpr auto infinity = std::numeric_limits<double>::infinity();
  if (got.shape() != expected.shape()) return infinity;
  const auto a = elements<float>(got);
  const auto b = elements<float>(expected);
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto difference = std::abs(static_cast<double>(a[i]) - b[i]);
    if (!(difference <= largest)) largest = std::isnan(difference) ? infinity : difference;
  }
  return largest;
}

/// Mean over the rows of two [rows, width] tensors of the cosine between them; NaN when the shapes
/// differ.
inline double mean_cosine(const Tensor& got, const Tensor& expected) {
  if (got.shape() != expected.shape() || got.shape().size() != 2) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const auto a = elements<float>(got);
  const auto b = elements<float>(expected);
  const auto width = static_cast<std::size_t>(got.dim(1));
  double sum = 0;
  for (std::size_t row = 0; row < a.size(); row += width) {
    double ab = 0, aa = 0, bb = 0;
    for (std::size_t i = row; i < row + width; ++i) {
      ab += static_cast<double>(a[i]) * b[i];
      aa += static_cast<double>(a[i]) * a[i];
      bb += static_cast<double>(b[i]) * b[i];
    }
    sum += ab / std::sqrt(aa * bb);
  }
  return sum / static_cast<double>(got.dim(0));
}

}  // namespace cloze::testing
