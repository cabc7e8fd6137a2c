/// \file
/// Any checkpoint that Cloze reads to a Hugging Face directory that transformers loads without a
/// missing or an unexpected tensor.
///
///     cloze::convert_model("uncased_L-12_H-768_A-12", "bert-base-uncased", {.dtype =
///     cloze::DType::bf16});
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cloze/progress.h"
#include "cloze/tensor.h"

#pragma GCC visibility push(default)
namespace cloze {

/// How a model is written.
struct ConvertOptions {
  std::optional<DType> dtype{};  ///< f32, f16 or bf16; absent: as the tensors are stored
  std::int64_t max_shard_bytes = 5'000'000'000;  ///< larger weights are divided into files
  bool overwrite = false;                        ///< replace the model in a directory that has one
  /// Whether the tokenizer of a GGUF file, which does not say, lowers text; absent: as its
  /// vocabulary looks.
  std::optional<bool> lowercase{};
};

/// What `convert_model` wrote.
struct ConvertedModel {
  std::string architecture;  ///< transformers' class for it: "BertForPreTraining"
  std::int64_t tensors = 0;
  std::int64_t bytes = 0;             ///< of the tensors
  bool tokenizer = false;             ///< whether there was one to write
  std::vector<std::string> left_out;  ///< tensors that this architecture does not have
};

/// Reads the model in `source` (a directory or a name, see hub.h, or a GGUF file) and writes
/// `config.json`, the weights as safetensors, the tokenizer's files, and sentence-transformers'
/// modules where there are some, to `destination` (made if need be). Tensors get transformers'
/// names; the architecture is the one that takes all of them. Quantized tensors of a GGUF file
/// become f32, where `dtype` does not say otherwise.
///
/// The directory is whole or not there: files are made aside and put in place together, and what
/// an error or a kill leaves behind does not load as a model. A directory that is not empty is
/// refused, unless it holds a model and `overwrite` is set: then the files of that model are
/// replaced, and others stay. A training run's directory, and one inside of `source`, is refused in
/// any case.
///
/// `progress` is told of the tensors that are read, and of a download. Throws as reading and
/// writing do, ArgumentError for a directory that is refused or when `dtype` is not a type of
/// weights, and Cancelled, before anything is written.
ConvertedModel convert_model(const std::string& source, const std::filesystem::path& destination,
                             const ConvertOptions& options = {},
                             const ProgressCallback& progress = {});

}  // namespace cloze

#pragma GCC visibility pop
