#include "formats/tensorflow/tensor_bundle.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <leveldb/env.h>
#include <leveldb/iterator.h>
#include <leveldb/options.h>
#include <leveldb/status.h>
#include <leveldb/table.h>
#include <tensor_bundle.pb.h>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/io/mapped_file.h"
#include "core/json.h"
#include "formats/tensorflow/table_layout.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using Tensors = std::map<std::string, StoredTensor, std::less<>>;

constexpr int kString = 7;  // DT_STRING

/// tensorflow/core/framework/types.proto.
constexpr std::array<std::pair<int, DType>, 10> kDTypes{{{1, DType::f32},
                                                         {2, DType::f64},
                                                         {3, DType::i32},
                                                         {4, DType::u8},
                                                         {5, DType::i16},
                                                         {6, DType::i8},
                                                         {9, DType::i64},
                                                         {10, DType::boolean},
                                                         {14, DType::bf16},
                                                         {19, DType::f16}}};

/// leveldb reads its table through this.
class MappedRandomAccess final : public leveldb::RandomAccessFile {
 public:
  explicit MappedRandomAccess(std::span<const std::byte> bytes) : bytes_(bytes) {}

  leveldb::Status Read(std::uint64_t offset, std::size_t size, leveldb::Slice* result,
                       char* /*scratch*/) const override {
    if (offset > bytes_.size() || size > bytes_.size() - offset) {
      return leveldb::Status::Corruption("a block lies outside the file");
    }
    *result = {reinterpret_cast<const char*>(bytes_.data()) + offset, size};
    return leveldb::Status::OK();
  }

 private:
  std::span<const std::byte> bytes_;
};

class IndexReader {
 public:
  explicit IndexReader(const fs::path& index)
      : index_(index), origin_(index.string()), file_(MappedFile::open(index)) {}

  Tensors read() {
    check_table_layout(file_->bytes(), origin_);
    MappedRandomAccess access(file_->bytes());
    leveldb::Options options;
    options.paranoid_checks = true;
    leveldb::Table* opened = nullptr;
    check(leveldb::Table::Open(options, &access, file_->bytes().size(), &opened));
    const std::unique_ptr<leveldb::Table> table(opened);
    leveldb::ReadOptions read_options;
    read_options.verify_checksums = true;
    const std::unique_ptr<leveldb::Iterator> it(table->NewIterator(read_options));
    bool first = true;
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      const auto key = it->key(), value = it->value();
      if (first) {
        if (!key.empty()) fail("does not begin with a header: it is no checkpoint's index");
        read_header({value.data(), value.size()});
        first = false;
        continue;
      }
      add({key.data(), key.size()}, {value.data(), value.size()});
    }
    check(it->status());
    if (first) fail("is empty: it is no checkpoint's index");
    return std::move(tensors_);
  }

 private:
  void read_header(std::string_view bytes) {
    bundle::BundleHeader header;
    if (!header.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      fail("has a header that cannot be read: it is damaged");
    }
    if (header.endianness() != bundle::BundleHeader::LITTLE) {
      fail("has its numbers in big-endian order, which Cloze does not read");
    }
    constexpr int kVersion = 1;  // tensor_bundle's kTensorBundleVersion
    if (header.version().min_consumer() > kVersion) {
      fail(fmt::format("is of version {} of TensorFlow's format, and Cloze reads {}",
                       header.version().min_consumer(), kVersion));
    }
    constexpr int kMostShards = 99'999;  // five digits name them
    if (header.num_shards() < 1 || header.num_shards() > kMostShards) {
      fail(fmt::format("says that it has {} data files: it is damaged", header.num_shards()));
    }
    shards_.resize(static_cast<std::size_t>(header.num_shards()));
  }

  void add(std::string_view name, std::string_view bytes) {
    bundle::BundleEntry entry;
    if (!entry.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      fail_tensor(name, "has an entry that cannot be read: the index is damaged");
    }
    if (entry.dtype() == kString) return;
    if (entry.slices_size() > 0) {
      fail_tensor(name,
                  "is kept in several parts (a partitioned variable), which Cloze does not put "
                  "together; save the checkpoint again without a partitioner");
    }
    StoredTensor tensor;
    tensor.info.dtype = dtype_of(name, entry.dtype());
    for (const auto& dim : entry.shape().dim()) tensor.info.shape.push_back(dim.size());
    const auto count = count_elements(tensor.info.shape);
    if (!count || entry.shape().unknown_rank()) {
      fail_tensor(name, fmt::format("of shape {} is no tensor that memory holds",
                                    to_string(tensor.info.shape)));
    }
    const auto size = static_cast<std::uint64_t>(*count) * size_of(tensor.info.dtype);
    if (entry.size() < 0 || static_cast<std::uint64_t>(entry.size()) != size) {
      fail_tensor(name, fmt::format("of {} and shape {} takes {} bytes, but the index says {}",
                                    name_of(tensor.info.dtype), to_string(tensor.info.shape), size,
                                    entry.size()));
    }
    const auto& [path, file] = shard(name, entry.shard_id());
    const auto all = file->bytes();
    if (entry.offset() < 0 || static_cast<std::uint64_t>(entry.offset()) > all.size() ||
        size > all.size() - static_cast<std::uint64_t>(entry.offset())) {
      fail_tensor(name,
                  fmt::format("reaches past the end of {}: the file is truncated, or index and "
                              "data are of different checkpoints",
                              path.filename().string()));
    }
    tensor.info.file = path.filename().string();
    const auto part = all.subspan(static_cast<std::size_t>(entry.offset()), size);
    tensor.storage = std::make_shared<const Storage>(
        file, part, Checksum{.kind = Checksum::Kind::masked_crc32c, .value = entry.crc32c()},
        fmt::format("{}: tensor {}", path.string(), in_quotes(name)));
    if (!tensors_.emplace(std::string(name), std::move(tensor)).second) {
      fail_tensor(name, "is there twice");
    }
  }

  [[nodiscard]] DType dtype_of(std::string_view name, int number) const {
    for (const auto& [known, dtype] : kDTypes) {
      if (known == number) return dtype;
    }
    fail_tensor(
        name,
        fmt::format("is of TensorFlow's type {} (types.proto), for which Cloze has none", number));
  }

  struct Shard {
    fs::path path;
    std::shared_ptr<const MappedFile> file;
  };

  const Shard& shard(std::string_view name, int id) {
    if (id < 0 || static_cast<std::size_t>(id) >= shards_.size()) {
      fail_tensor(
          name, fmt::format("is in data file {} of {}: the index is damaged", id, shards_.size()));
    }
    auto& shard = shards_[static_cast<std::size_t>(id)];
    if (!shard.file) {
      auto path = index_;
      path.replace_extension(fmt::format(".data-{:05}-of-{:05}", id, shards_.size()));
      shard.file = MappedFile::open(path);
      shard.path = std::move(path);
    }
    return shard;
  }

  void check(const leveldb::Status& status) const {
    if (!status.ok()) fail(fmt::format("is damaged: {}", in_quotes(status.ToString())));
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{} {}", origin_, what));
  }
  [[noreturn]] void fail_tensor(std::string_view name, const std::string& what) const {
    throw FormatError(fmt::format("{}: tensor {} {}", origin_, in_quotes(name), what));
  }

  fs::path index_;
  std::string origin_;
  std::shared_ptr<const MappedFile> file_;
  std::vector<Shard> shards_;
  Tensors tensors_;
};

/// `model_checkpoint_path: "model.ckpt-1000"`, the first line of the file `checkpoint` that
/// TensorFlow writes beside its checkpoints. Empty if there is none.
std::string latest_checkpoint(const fs::path& directory) {
  const auto path = directory / "checkpoint";
  if (!files::is_regular(path)) return {};
  const auto content = files::read_text(path);
  constexpr std::string_view kField = "model_checkpoint_path: \"";
  std::string_view text = content;
  if (!text.starts_with(kField)) return {};
  text.remove_prefix(kField.size());
  const auto end = text.find('"');
  // An absolute path is that of the machine it was trained on.
  return end == std::string_view::npos ? "" : fs::path(text.substr(0, end)).filename().string();
}

}  // namespace

bool is_bundle_index(const fs::path& path) { return path.extension() == ".index"; }

std::optional<fs::path> find_bundle(const fs::path& directory) {
  if (auto google = directory / "bert_model.ckpt.index"; files::exists(google)) return google;
  std::vector<fs::path> found;
  if (!files::is_directory(directory)) return std::nullopt;
  for (auto& path : files::list(directory)) {
    if (is_bundle_index(path)) found.push_back(std::move(path));
  }
  if (found.size() == 1) return found[0];
  if (found.empty()) return std::nullopt;
  if (const auto latest = latest_checkpoint(directory); !latest.empty()) {
    const auto index = directory / (latest + ".index");
    if (std::find(found.begin(), found.end(), index) != found.end()) return index;
  }
  throw FormatError(fmt::format(
      "{} has {} TensorFlow checkpoints ({}, {}, ...) and no file `checkpoint` that says "
      "which is meant: move one into a directory of its own",
      directory.string(), found.size(), found[0].filename().string(),
      found[1].filename().string()));
}

Tensors read_bundle(const fs::path& index) { return IndexReader(index).read(); }

}  // namespace cloze
