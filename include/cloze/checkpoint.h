/// \file
/// A checkpoint: names and their tensors, of safetensors, PyTorch's or TensorFlow's files. Reading
/// maps the files; nothing is copied until used. docs/checkpoints.md has the formats.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/tensor.h"

#pragma GCC visibility push(default)
namespace cloze {

/// Where one tensor lies, as the file states it and as the reader has checked it.
struct TensorInfo {
  DType dtype = DType::f32;
  Shape shape;
  std::string file;  ///< name of the file that holds it
};

/// Read access to the tensors of a model directory or file. Immutable, safe to share by threads.
class Checkpoint {
 public:
  /// Opens `path`: a file of weights, an index of shards (`*.json`), a TensorFlow checkpoint's
  /// `*.index`, or a directory with one of these, the first that is there of `model.safetensors`,
  /// `model.safetensors.index.json`, `pytorch_model.bin`, `pytorch_model.bin.index.json`,
  /// `bert_model.ckpt.index` (or another TensorFlow checkpoint). What a file is, its bytes tell.
  ///
  /// Names are those in the files; TensorFlow's variables have the names that transformers gives
  /// them, kernels are transposed, and an optimizer's variables left out. Of a PyTorch file nothing
  /// is run: what is not tensors and plain containers is refused.
  ///
  /// Every header is checked here, so that a tensor that is listed lies inside its file. Throws
  /// IoError (missing, unreadable) and FormatError (which file, which tensor, what).
  [[nodiscard]] static Checkpoint open(const std::filesystem::path& path);

  /// Names in sorted order.
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] bool contains(std::string_view name) const;
  /// Throws ModelError naming the tensor when it is absent.
  [[nodiscard]] const TensorInfo& info(std::string_view name) const;

  /// The tensor as a view of the mapped file (perhaps not aligned to its element), or a copy where
  /// it does not lie there row by row. Throws FormatError when the format has checksums (PyTorch's
  /// zip form, TensorFlow) and this tensor's does not hold, which is looked at once.
  [[nodiscard]] Tensor tensor(std::string_view name) const;

  /// Drops the tensor's pages from resident memory; its views stay valid and read them again.
  void release(std::string_view name) const;

  /// Throws IoError where one of the files has been cut short or written to since it was opened, so
  /// that what tensors show may be another model's (cloze/memory_faults.h). `tensor` looks too.
  void require_unchanged() const;

  /// `__metadata__` of the (first) file: "format" is "pt" in files that transformers writes.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const;

  /// What the checkpoint was opened from, for messages.
  [[nodiscard]] const std::filesystem::path& path() const;

 private:
  struct [[gnu::visibility("hidden")]] Contents;
  explicit Checkpoint(std::shared_ptr<const Contents> contents);
  std::shared_ptr<const Contents> contents_;
};

/// Tensors by name.
using TensorMap = std::map<std::string, Tensor, std::less<>>;

/// Writes a safetensors file, byte for byte as the reference writer does: data begins at a multiple
/// of 8 bytes, tensors lie by falling alignment of their dtype, then by name; `{"format": "pt"}` is
/// the metadata unless other is given. Written to a temporary beside `path`, synced and renamed, so
/// that a reader never sees half a file. Throws IoError, and ArgumentError for a name that is not
/// UTF-8.
void save_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                      const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

/// Writes `model.safetensors` in `directory` (made if need be), or, when the tensors take more than
/// `max_shard_bytes`, shards `model-00001-of-00002.safetensors` ... with
/// `model.safetensors.index.json`, divided and named as transformers does. Weights that were saved
/// there before are replaced as a whole: an error leaves them as they were, and no kill leaves a
/// mix of old and new. Views of them stay valid. Throws as save_safetensors does.
void save_checkpoint(const std::filesystem::path& directory, const TensorMap& tensors,
                     std::int64_t max_shard_bytes = 5'000'000'000);

/// The files that a model directory is made of, by their names: configuration, weights, tokenizer
/// and modules, in the directory and those right below it. What else lies there is none of them.
[[nodiscard]] std::vector<std::filesystem::path> model_files(
    const std::filesystem::path& directory);

}  // namespace cloze

#pragma GCC visibility pop
