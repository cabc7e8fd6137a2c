#include "cloze/checkpoint.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "checkpoint/find_weights.h"
#include "checkpoint/google_names.h"
#include "cloze/error.h"
#include "core/io/files.h"
#include "core/io/mapped_file.h"
#include "core/json.h"
#include "formats/safetensors.h"
#include "formats/shard_index.h"
#include "formats/stored_tensor.h"
#include "formats/tensorflow/tensor_bundle.h"
#include "formats/torch/torch_file.h"

namespace cloze {

struct Checkpoint::Contents {
  std::filesystem::path path;
  std::map<std::string, StoredTensor, std::less<>> tensors;
  std::map<std::string, std::string> metadata;
  std::vector<std::shared_ptr<const MappedFile>> files;
  bool any_file = false;

  void add_file(const std::filesystem::path& file);
  void add_shards(const std::filesystem::path& index_path);
  void add_bundle(const std::filesystem::path& index);
  void add(std::string name, StoredTensor tensor, const std::filesystem::path& file);
  [[nodiscard]] const StoredTensor& at(std::string_view name) const;
};

namespace {

namespace fs = std::filesystem;

}  // namespace

void Checkpoint::Contents::add(std::string name, StoredTensor tensor, const fs::path& file) {
  const auto [place, added] = tensors.emplace(std::move(name), std::move(tensor));
  const auto& in = place->second.storage->file();
  if (added && std::find(files.begin(), files.end(), in) == files.end()) files.push_back(in);
  if (added) return;
  throw FormatError(fmt::format("{}: tensor {} is in {} already", file.string(),
                                in_quotes(place->first), place->second.info.file));
}

void Checkpoint::Contents::add_file(const fs::path& file) {
  const auto mapped = MappedFile::open(file);
  const auto origin = file.string(), file_name = file.filename().string();
  if (is_torch_file(mapped->text())) {
    for (auto& [name, tensor] : read_torch_file(mapped, origin, file_name)) {
      add(name, std::move(tensor), file);
    }
  } else {
    const auto bytes = mapped->bytes();
    auto header = read_safetensors_header(bytes, origin);
    for (auto& tensor : header.tensors) {
      add(std::move(tensor.name),
          {.info = {.dtype = tensor.dtype, .shape = std::move(tensor.shape), .file = file_name},
           .storage = std::make_shared<const Storage>(
               mapped, bytes.subspan(tensor.begin, tensor.end - tensor.begin), std::nullopt,
               origin)},
          file);
    }
    if (!any_file) metadata = std::move(header.metadata);
  }
  any_file = true;
}

void Checkpoint::Contents::add_bundle(const fs::path& index) {
  for (auto& [variable, tensor] : read_bundle(index)) {
    auto [kind, name] = translate_google_name(variable);
    if (kind == GoogleVariable::Kind::slot) continue;
    if (auto& shape = tensor.info.shape;
        kind == GoogleVariable::Kind::kernel && shape.size() == 2) {
      tensor.strides = {1, shape[1]};
      std::swap(shape[0], shape[1]);
    }
    add(std::move(name), std::move(tensor), index);
  }
}

void Checkpoint::Contents::add_shards(const fs::path& index_path) {
  const auto origin = index_path.string();
  const auto weight_map = read_shard_index(files::read_text(index_path), origin);
  std::map<std::string, std::size_t> shards;  // and how many tensors the index says each has
  for (const auto& [name, shard] : weight_map) ++shards[shard];
  for (const auto& [shard, count] : shards) {
    const auto file = index_path.parent_path() / shard;
    if (!files::exists(file)) {
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

const StoredTensor& Checkpoint::Contents::at(std::string_view name) const {
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
    throw IoError(fmt::format("cannot open {}: {}; expected a model directory or a file of weights",
                              excerpt_of_path(path),
                              error ? error.message() : "no such file or directory"));
  }
  const auto file = fs::is_directory(status) ? require_weights(path) : path;
  if (file.extension() == ".json") {
    contents->add_shards(file);
  } else if (is_bundle_index(file)) {
    contents->add_bundle(file);
  } else {
    contents->add_file(file);
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
  const auto& stored = contents_->at(name);
  stored.storage->file()->require_unchanged();
  return read(stored);
}

void Checkpoint::require_unchanged() const {
  for (const auto& file : contents_->files) file->require_unchanged();
}

void Checkpoint::release(std::string_view name) const { cloze::release(contents_->at(name)); }

const std::map<std::string, std::string>& Checkpoint::metadata() const {
  return contents_->metadata;
}

const fs::path& Checkpoint::path() const { return contents_->path; }

}  // namespace cloze
