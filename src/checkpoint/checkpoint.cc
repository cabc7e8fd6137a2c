#include "cloze/checkpoint.h"

#include <array>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "checkpoint/json.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/shard_index.h"
#include "cloze/error.h"
#include "core/mapped_file.h"

namespace cloze {

struct Checkpoint::Contents {
  struct Entry {
    TensorInfo info;
    std::size_t file;  // index of `files`
    std::span<const std::byte> bytes;
  };

  std::filesystem::path path;
  std::vector<std::shared_ptr<const MappedFile>> files;
  std::map<std::string, Entry, std::less<>> tensors;
  std::map<std::string, std::string> metadata;

  void add_file(const std::filesystem::path& file);
  void add_shards(const std::filesystem::path& index_path);
  [[nodiscard]] const Entry& at(std::string_view name) const;
};

namespace {

namespace fs = std::filesystem;

constexpr auto kWeights = "model.safetensors";
constexpr auto kIndex = "model.safetensors.index.json";

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// Says what to do about a directory without safetensors, by what it has instead.
[[noreturn]] void fail_without_weights(const fs::path& directory) {
  const auto found = [&directory](std::string_view name) { return is_there(directory / name); };
  for (const auto* name : {"pytorch_model.bin", "pytorch_model.bin.index.json"}) {
    if (found(name)) {
      throw FormatError(fmt::format(
          "{} has its weights as {} only, and Cloze reads safetensors; save them as such once: "
          "python -c \"import torch, safetensors.torch as s; s.save_file({{k: v.clone() for k, v "
          "in torch.load('pytorch_model.bin', map_location='cpu', weights_only=True).items()}}, "
          "'model.safetensors', {{'format': 'pt'}})\"",
          directory.string(), name));
    }
  }
  for (const auto* name : {"bert_model.ckpt.index", "model.ckpt.index", "tf_model.h5"}) {
    if (found(name)) {
      throw FormatError(fmt::format(
          "{} holds a TensorFlow checkpoint ({}), and Cloze reads safetensors; convert it with "
          "transformers 4 (python -m transformers.models.bert."
          "convert_bert_original_tf_checkpoint_to_pytorch) and save_pretrained, or take the same "
          "model from the Hugging Face Hub",
          directory.string(), name));
    }
  }
  if (found("flax_model.msgpack")) {
    throw FormatError(fmt::format(
        "{} has its weights as flax_model.msgpack only, and Cloze reads safetensors; load it with "
        "transformers (from_flax=True) and save_pretrained",
        directory.string()));
  }
  throw IoError(fmt::format("{} has neither {} nor {}; a model directory needs one of them",
                            directory.string(), kWeights, kIndex));
}

}  // namespace

void Checkpoint::Contents::add_file(const fs::path& file) {
  files.push_back(MappedFile::open(file));
  const auto bytes = files.back()->bytes();
  auto header = read_safetensors_header(bytes, file.string());
  for (auto& tensor : header.tensors) {
    Entry entry{.info = {.dtype = tensor.dtype,
                         .shape = std::move(tensor.shape),
                         .file = file.filename().string()},
                .file = files.size() - 1,
                .bytes = bytes.subspan(tensor.begin, tensor.end - tensor.begin)};
    const auto [place, added] = tensors.emplace(std::move(tensor.name), std::move(entry));
    if (!added) {
      throw FormatError(fmt::format("{}: tensor {} is in {} already", file.string(),
                                    in_quotes(place->first), place->second.info.file));
    }
  }
  if (files.size() == 1) metadata = std::move(header.metadata);
}

void Checkpoint::Contents::add_shards(const fs::path& index_path) {
  const auto origin = index_path.string();
  const auto weight_map = read_shard_index(MappedFile::open(index_path)->text(), origin);
  std::map<std::string, std::size_t> shards;  // and how many tensors the index says each has
  for (const auto& [name, shard] : weight_map) ++shards[shard];
  for (const auto& [shard, count] : shards) {
    const auto file = index_path.parent_path() / shard;
    if (!is_there(file)) {
      throw IoError(
          fmt::format("{} names the shard {}, which is not there; download the model again", origin,
                      in_quotes(shard)));
    }
    add_file(file);
  }
  for (const auto& [name, shard] : weight_map) {
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.info.file != shard) {
      throw FormatError(
          fmt::format("{} places tensor {} in {}, which does not have it: index and shards are of "
                      "different models, or the file was changed",
                      origin, in_quotes(name), in_quotes(shard)));
    }
  }
  if (tensors.size() != weight_map.size()) {
    for (const auto& [name, entry] : tensors) {
      if (weight_map.contains(name)) continue;
      throw FormatError(
          fmt::format("{} does not list tensor {} of {}: index and shards are of different models, "
                      "or the file was changed",
                      origin, in_quotes(name), in_quotes(entry.info.file)));
    }
  }
}

const Checkpoint::Contents::Entry& Checkpoint::Contents::at(std::string_view name) const {
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    throw ModelError(fmt::format("{} has no tensor {}", path.string(), in_quotes(name)));
  }
  return found->second;
}

Checkpoint::Checkpoint(std::shared_ptr<const Contents> contents) : contents_(std::move(contents)) {}

Checkpoint Checkpoint::open(const fs::path& path) {
  auto contents = std::make_shared<Contents>();
  contents->path = path;
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) {
    throw IoError(
        fmt::format("cannot open {}: {}; expected a model directory or a safetensors file",
                    path.string(), error ? error.message() : "no such file or directory"));
  }
  if (fs::is_directory(status)) {
    if (is_there(path / kWeights)) {
      contents->add_file(path / kWeights);
    } else if (is_there(path / kIndex)) {
      contents->add_shards(path / kIndex);
    } else {
      fail_without_weights(path);
    }
  } else if (path.extension() == ".json") {
    contents->add_shards(path);
  } else {
    contents->add_file(path);
  }
  return Checkpoint(std::move(contents));
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  names.reserve(contents_->tensors.size());
  for (const auto& [name, entry] : contents_->tensors) names.push_back(name);
  return names;
}

bool Checkpoint::contains(std::string_view name) const {
  return contents_->tensors.find(name) != contents_->tensors.end();
}

const TensorInfo& Checkpoint::info(std::string_view name) const { return contents_->at(name).info; }

Tensor Checkpoint::tensor(std::string_view name) const {
  const auto& entry = contents_->at(name);
  return Tensor::view(entry.info.dtype, entry.info.shape, entry.bytes,
                      contents_->files[entry.file]);
}

void Checkpoint::release(std::string_view name) const {
  const auto& entry = contents_->at(name);
  contents_->files[entry.file]->release(entry.bytes);
}

const std::map<std::string, std::string>& Checkpoint::metadata() const {
  return contents_->metadata;
}

const fs::path& Checkpoint::path() const { return contents_->path; }

}  // namespace cloze
