/// \file
/// TensorFlow's checkpoints: a tensor bundle (tensorflow/core/util/tensor_bundle), which is a table
/// NAME.index of names and places, in leveldb's format, and the bytes, NAME.data-00000-of-00001.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "formats/stored_tensor.h"

namespace cloze {

/// The index of the checkpoint in a directory: `bert_model.ckpt.index`; else the one that the file
/// `checkpoint` names as the latest; else the only one there is. Nothing if there is none. Throws
/// FormatError when several could be meant.
[[nodiscard]] std::optional<std::filesystem::path> find_bundle(
    const std::filesystem::path& directory);

/// Whether `path` is an index by its name: NAME.index.
[[nodiscard]] bool is_bundle_index(const std::filesystem::path& path);

/// The tensors by TensorFlow's names; those of strings, which are no weights, are left out. Every
/// place is checked; the tensors' checksums are verified when their bytes are first read. Throws
/// IoError and FormatError, naming file and tensor.
[[nodiscard]] std::map<std::string, StoredTensor, std::less<>> read_bundle(
    const std::filesystem::path& index);

}  // namespace cloze
