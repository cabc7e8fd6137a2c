#include "checkpoint/find_weights.h"

#include <array>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cloze/error.h"
#include "core/io/files.h"
#include "formats/tensorflow/tensor_bundle.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kFiles{
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
    "pytorch_model.bin.index.json"};

}  // namespace

std::optional<fs::path> find_weights(const fs::path& directory) {
  for (const auto& name : kFiles) {
    if (auto file = directory / name; files::exists(file)) return file;
  }
  return find_bundle(directory);
}

fs::path require_weights(const fs::path& directory) {
  if (auto found = find_weights(directory)) return *std::move(found);
  for (const auto& [name, source] :
       {std::pair{"tf_model.h5", "from_tf"}, {"flax_model.msgpack", "from_flax"}}) {
    if (!files::exists(directory / name)) continue;
    throw FormatError(fmt::format(
        "{} has its weights as {} only, which Cloze does not read; load it with transformers 4 "
        "({}=True) and save_pretrained",
        directory.string(), name, source));
  }
  throw IoError(fmt::format(
      "{} has no weights; a model directory needs one of {}, or a TensorFlow checkpoint "
      "(bert_model.ckpt.index and its data)",
      directory.string(), fmt::join(kFiles, ", ")));
}

}  // namespace cloze
