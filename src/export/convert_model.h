/// \file
/// Any checkpoint that Cloze reads → a Hugging Face directory that transformers loads without a
/// missing or an unexpected tensor.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cloze/tensor.h"

namespace cloze {

struct ConvertOptions {
  std::optional<DType> dtype;  ///< f32, f16 or bf16; absent: as the tensors are stored
  std::int64_t max_shard_bytes = 5'000'000'000;
};

struct ConvertedModel {
  std::string architecture;  ///< transformers' class for it: "BertForPreTraining"
  std::int64_t tensors = 0;
  std::int64_t bytes = 0;
  bool tokenizer = false;             ///< whether there was one to write
  std::vector<std::string> left_out;  ///< tensors that this architecture does not have
};

/// Reads the model in `source` and writes `config.json`, the weights as safetensors, the
/// tokenizer's files, and sentence-transformers' modules where there are some, to `destination`
/// (made if need be). Tensors get transformers' names; the architecture is the one that takes all
/// of them. Throws as reading and writing do, and ArgumentError when both are one directory.
ConvertedModel convert_model(const std::filesystem::path& source,
                             const std::filesystem::path& destination,
                             const ConvertOptions& options = {});

}  // namespace cloze
