/// \file
/// The BERT in a GGUF file to a Hugging Face directory: a part of `convert_model`.
#pragma once

#include <filesystem>

#include "cloze/convert.h"

namespace cloze::internal {

/// Whether the path is a file that begins as a GGUF file does.
[[nodiscard]] bool is_gguf_file(const std::filesystem::path& path);

/// As convert_model. Quantized tensors become f32 unless `options.dtype` says otherwise. A pooling of
/// the file becomes sentence-transformers' modules, with Normalize at the end, which is what
/// llama.cpp does with vectors unless told not to.
ConvertedModel convert_gguf(const std::filesystem::path& file,
                            const std::filesystem::path& destination, const ConvertOptions& options,
                            const ProgressCallback& progress);

}  // namespace cloze::internal
