#include "formats/torch/torch_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/json.h"
#include "formats/torch/pickle.h"
#include "formats/zip_directory.h"

namespace cloze {
namespace {

using Kind = PickleValue::Kind;
using Tensors = std::map<std::string, StoredTensor, std::less<>>;

constexpr std::string_view kZip = "PK\x03\x04";
constexpr std::string_view kUntyped = "torch.storage.UntypedStorage";

/// The names that storages have for the types that Cloze has.
constexpr std::array<std::pair<std::string_view, DType>, 10> kStorages{
    {{"FloatStorage", DType::f32},
     {"HalfStorage", DType::f16},
     {"BFloat16Storage", DType::bf16},
     {"DoubleStorage", DType::f64},
     {"CharStorage", DType::i8},
     {"ByteStorage", DType::u8},
     {"ShortStorage", DType::i16},
     {"IntStorage", DType::i32},
     {"LongStorage", DType::i64},
     {"BoolStorage", DType::boolean}}};

constexpr std::string_view kRebuild = "torch._utils._rebuild_tensor";
constexpr std::string_view kRebuild2 = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kRebuild3 = "torch._utils._rebuild_tensor_v3";
constexpr std::string_view kParameter = "torch._utils._rebuild_parameter";

/// What a file of tensors names: how a tensor is put together, and what its bytes are. dtypes are
/// let pass here so that the tensor's name can be told with them.
bool allowed_global(std::string_view global) {
  if (global == kRebuild || global == kRebuild2 || global == kRebuild3 || global == kParameter ||
      global == kUntyped) {
    return true;
  }
  for (const std::string_view module : {"torch.cuda.", "torch."}) {
    if (!global.starts_with(module)) continue;
    const auto name = global.substr(module.size());
    if (name.find('.') != std::string_view::npos) return false;
    const bool dtype = name.starts_with("float") || name.starts_with("uint") ||
                       name.starts_with("int") || name.starts_with("complex") ||
                       name.starts_with("bfloat") || name == "bool";
    return dtype || name.ends_with("Storage");
  }
  return false;
}

/// Builds the tensors that a pickle describes. How a storage is found in the file depends on the
/// file's form.
class Builder {
 public:
  Builder(std::string origin, std::string file_name)
      : origin_(std::move(origin)), file_name_(std::move(file_name)) {}
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;
  virtual ~Builder() = default;

  /// Every tensor of the dictionary that the pickle is.
  Tensors tensors(const PickleValue& root) {
    const auto& state = state_of(root);
    Tensors tensors;
    for (std::size_t i = 0; i + 1 < state.items.size(); i += 2) {
      const auto& key = *state.items[i];
      const auto* value = state.items[i + 1];
      if (!value->is(Kind::call)) continue;  // an epoch, a version: no weights
      if (!key.is(Kind::text)) fail("a tensor is named by something that is no string");
      name_ = key.text;
      if (!tensors.emplace(key.text, tensor(*value)).second) fail_tensor("is there twice");
    }
    return tensors;
  }

  /// Throws unless the pickle is a dictionary of tensors whose types Cloze has.
  void check_types(const PickleValue& root) {
    const auto& state = state_of(root);
    for (std::size_t i = 0; i + 1 < state.items.size(); i += 2) {
      name_ = state.items[i]->text;
      const auto* call = state.items[i + 1];
      if (call->text == kParameter && !call->items.empty()) call = call->items[0];
      if ((call->text == kRebuild || call->text == kRebuild2) && !call->items.empty()) {
        static_cast<void>(dtype_of_storage(storage_id(*call->items[0]).type));
      }
    }
  }

 protected:
  /// What a persistent id says of a storage.
  struct StorageId {
    std::string_view type;  ///< "FloatStorage"
    std::string_view key;
    std::int64_t elements = 0;
    std::int64_t first = 0;  ///< of a view into another storage
  };

  [[nodiscard]] virtual std::shared_ptr<const Storage> storage(const StorageId& id,
                                                               DType dtype) = 0;

  [[nodiscard]] const std::string& origin() const { return origin_; }

  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{}: {}", origin_, what));
  }
  [[noreturn]] void fail_tensor(const std::string& what) const {
    fail(fmt::format("tensor {} {}", in_quotes(name_), what));
  }

 private:
  static bool has_tensors(const PickleValue& dict) {
    for (std::size_t i = 1; i < dict.items.size(); i += 2) {
      if (dict.items[i]->is(Kind::call)) return true;
    }
    return false;
  }

  [[nodiscard]] const PickleValue& state_of(const PickleValue& root) const {
    if (!root.is(Kind::dict)) {
      fail("holds no dictionary of tensors; save a model's state_dict() instead of the model");
    }
    if (has_tensors(root) || root.items.empty()) return root;
    for (const auto* key : {"state_dict", "model_state_dict", "model"}) {
      const auto* inner = find(root, key);
      if (inner != nullptr && inner->is(Kind::dict) && has_tensors(*inner)) return *inner;
    }
    fail("holds a dictionary without tensors; save a model's state_dict()");
  }

  StoredTensor tensor(const PickleValue& call) {
    const auto& arguments = call.items;
    if (call.text == kParameter) {
      if (arguments.empty() || !arguments[0]->is(Kind::call) || arguments[0]->text == kParameter) {
        fail_tensor("is a parameter without a tensor: the file is damaged");
      }
      return tensor(*arguments[0]);
    }
    if (call.text == kRebuild3 && arguments.size() > 6) {
      fail_tensor(
          fmt::format("is of {}, for which Cloze has no type; convert it to float32, "
                      "float16 or bfloat16",
                      in_quotes(arguments[6]->text)));
    }
    if ((call.text != kRebuild && call.text != kRebuild2) || arguments.size() < 4) {
      fail_tensor("is not put together as tensors are: the file is damaged");
    }
    const auto id = storage_id(*arguments[0]);
    const auto dtype = dtype_of_storage(id.type);
    StoredTensor stored{
        .info = {.dtype = dtype, .shape = integers(*arguments[2]), .file = file_name_},
        .storage = storage(id, dtype)};
    stored.strides = integers(*arguments[3]);
    const auto first = integer(*arguments[1]);
    const auto count = count_elements(stored.info.shape);
    const bool sensible = count && first >= 0 && first <= id.elements &&
                          stored.strides.size() == stored.info.shape.size();
    if (sensible) {
      stored.offset = static_cast<std::size_t>(id.first + first) * size_of(dtype);
      if (is_row_major(stored)) stored.strides.clear();
    }
    if (!sensible || !lies_inside(stored)) {
      fail_tensor(
          fmt::format("of shape {} does not lie inside its storage of {} elements: the file "
                      "is damaged",
                      to_string(stored.info.shape), id.elements));
    }
    // torch.expand repeats elements without storing them; a file could so ask for any memory.
    constexpr std::int64_t kMostRepeated = std::int64_t{1} << 24;
    if (*count > std::max(id.elements, kMostRepeated)) {
      fail_tensor(
          fmt::format("repeats the {} elements of its storage into {}, which no memory need "
                      "hold",
                      id.elements, *count));
    }
    return stored;
  }

  static bool is_row_major(const StoredTensor& tensor) {
    std::int64_t expected = 1;
    for (auto d = tensor.strides.size(); d-- > 0;) {
      const auto size = tensor.info.shape[d];
      if (size == 0) return true;
      if (size != 1 && tensor.strides[d] != expected) return false;
      expected *= size;
    }
    return true;
  }

  /// ("storage", type, key, location, elements), and in old files (key, first, elements) of a view.
  [[nodiscard]] StorageId storage_id(const PickleValue& value) const {
    const auto* id = value.is(Kind::persistent) ? value.items[0] : nullptr;
    const bool good = id != nullptr && id->is(Kind::tuple) && id->items.size() >= 5 &&
                      id->items[0]->is(Kind::text) && id->items[0]->text == "storage" &&
                      id->items[1]->is(Kind::global) && id->items[2]->is(Kind::text) &&
                      id->items[4]->is(Kind::integer) && id->items[4]->integer >= 0;
    if (!good) fail_tensor("has no storage as torch.save describes one: the file is damaged");
    const std::string_view type = id->items[1]->text;
    StorageId found{.type = type.substr(type.rfind('.') + 1),
                    .key = id->items[2]->text,
                    .elements = id->items[4]->integer};
    if (id->items.size() > 5 && id->items[5]->is(Kind::tuple) && id->items[5]->items.size() == 3) {
      const auto& first = *id->items[5]->items[1];
      constexpr std::int64_t kMost = std::int64_t{1} << 56;
      if (!first.is(Kind::integer) || first.integer < 0 || first.integer > kMost) {
        fail_tensor("is a view of a storage from nowhere: the file is damaged");
      }
      found.first = first.integer;
    }
    return found;
  }

  [[nodiscard]] DType dtype_of_storage(std::string_view type) const {
    for (const auto& [name, dtype] : kStorages) {
      if (name == type) return dtype;
    }
    fail_tensor(
        fmt::format("is kept in a torch.{}, for which Cloze has no type; convert it to "
                    "float32, float16 or bfloat16",
                    type));
  }

  [[nodiscard]] std::int64_t integer(const PickleValue& value) const {
    if (!value.is(Kind::integer)) fail_tensor("has an offset that is no number");
    return value.integer;
  }

  [[nodiscard]] std::vector<std::int64_t> integers(const PickleValue& value) const {
    std::vector<std::int64_t> numbers;
    for (const auto* item : value.items) {
      if (!item->is(Kind::integer)) fail_tensor("has a shape that is not of numbers");
      numbers.push_back(item->integer);
    }
    constexpr std::size_t kMostDimensions = 64;  // torch's own limit
    if (!value.is(Kind::tuple) || numbers.size() > kMostDimensions) {
      fail_tensor("has a shape that is none: the file is damaged");
    }
    return numbers;
  }

  std::string origin_, file_name_;
  std::string name_;  // of the tensor that is being built
};

/// NAME/data.pkl, NAME/byteorder, NAME/data/0, NAME/data/1, ...
class ZipBuilder final : public Builder {
 public:
  ZipBuilder(std::shared_ptr<const MappedFile> file, const std::string& origin,
             const std::string& file_name)
      : Builder(origin, file_name),
        file_(std::move(file)),
        entries_(read_zip_directory(file_->bytes(), origin)) {
    constexpr std::string_view kPickle = "/data.pkl";
    for (const auto& [name, entry] : entries_) {
      if (!name.ends_with(kPickle)) continue;
      if (!prefix_.empty()) fail("has two pickles, and torch.save writes one");
      prefix_ = name.substr(0, name.size() - kPickle.size() + 1);
    }
    if (prefix_.empty()) fail("is a zip archive without data.pkl: torch.save did not write it");
    if (entries_.contains(prefix_ + "constants.pkl")) {
      fail("is a TorchScript program, not weights; save the model's state_dict()");
    }
    // torch.serialization.set_crc32_options(False) leaves all of them zero.
    checked_ = std::any_of(entries_.begin(), entries_.end(),
                           [](const auto& entry) { return entry.second.crc32 != 0; });
    if (const auto order = entries_.find(prefix_ + "byteorder"); order != entries_.end()) {
      const auto bytes = storage_of(order->first, order->second)->bytes();
      if (std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()) != "little") {
        fail("has its numbers in big-endian order, which Cloze does not read");
      }
    }
  }

  Tensors read() {
    const auto name = prefix_ + "data.pkl";
    const auto bytes = storage_of(name, entries_.at(name))->bytes();
    const Pickle pickle(bytes, origin(), allowed_global);
    return tensors(pickle.value());
  }

 protected:
  std::shared_ptr<const Storage> storage(const StorageId& id, DType dtype) override {
    auto& storage = storages_[std::string(id.key)];
    if (!storage) {
      const auto name = fmt::format("{}data/{}", prefix_, id.key);
      const auto entry = entries_.find(name);
      if (entry == entries_.end()) {
        fail_tensor(
            fmt::format("has its bytes in {}, which is not in the archive", in_quotes(name)));
      }
      storage = storage_of(name, entry->second);
    }
    if (static_cast<std::uint64_t>(id.elements) > storage->size() / size_of(dtype) ||
        static_cast<std::uint64_t>(id.elements) * size_of(dtype) != storage->size()) {
      fail_tensor(
          fmt::format("has a storage of {} elements of {}, but {} bytes: the file is damaged",
                      id.elements, name_of(dtype), storage->size()));
    }
    return storage;
  }

 private:
  [[nodiscard]] std::shared_ptr<const Storage> storage_of(const std::string& name,
                                                          const ZipEntry& entry) const {
    std::optional<Checksum> checksum;
    if (checked_) checksum = Checksum{.kind = Checksum::Kind::crc32, .value = entry.crc32};
    return std::make_shared<const Storage>(file_, file_->bytes().subspan(entry.offset, entry.size),
                                           checksum, fmt::format("{}: {}", origin(), name));
  }

  std::shared_ptr<const MappedFile> file_;
  std::map<std::string, ZipEntry> entries_;
  std::string prefix_;  // with its slash
  bool checked_ = true;
  std::map<std::string, std::shared_ptr<const Storage>> storages_;
};

/// Pickles of a magic number, of a version, of the system's properties, of the object and of the
/// storages' keys; then each storage, its number of elements (8 bytes) before it.
class LegacyBuilder final : public Builder {
 public:
  LegacyBuilder(std::shared_ptr<const MappedFile> file, const std::string& origin,
                const std::string& file_name)
      : Builder(origin, file_name), file_(std::move(file)) {}

  Tensors read() {
    const auto magic = next();
    constexpr std::string_view kMagic("\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19", 10);
    if (!magic.value().is(Kind::big_integer) || magic.value().text != kMagic) {
      fail("is a pickle, but not one that torch.save wrote");
    }
    if (const auto version = next(); version.value().integer != 1001) {
      fail(fmt::format("is of version {} of PyTorch's format, and there is 1001",
                       version.value().integer));
    }
    const auto system = next();
    const auto* little = find(system.value(), "little_endian");
    if (little == nullptr || !little->is(Kind::boolean) || little->integer == 0) {
      fail("has its numbers in big-endian order, which Cloze does not read");
    }
    const auto object = next();
    const auto keys = next();
    if (!keys.value().is(Kind::list)) fail("does not list its storages: it is damaged");
    for (const auto* key : keys.value().items) {
      if (!key->is(Kind::text)) fail("names a storage by something that is no string");
      pending_.push_back(key->text);
    }
    // Where a storage lies depends on those before it, whose types only the object tells.
    check_types(object.value());
    collect_types(object.value());
    locate();
    return tensors(object.value());
  }

 protected:
  std::shared_ptr<const Storage> storage(const StorageId& id, DType dtype) override {
    const auto found = storages_.find(id.key);
    if (found == storages_.end()) {
      fail_tensor(fmt::format("has its bytes in storage {}, which the file does not have",
                              in_quotes(id.key)));
    }
    if (static_cast<std::uint64_t>(id.elements) > found->second->size() / size_of(dtype)) {
      fail_tensor(
          fmt::format("has a storage of {} elements of {}, but {} bytes: the file is damaged",
                      id.elements, name_of(dtype), found->second->size()));
    }
    return found->second;
  }

 private:
  Pickle next() {
    Pickle pickle(file_->bytes().subspan(position_), origin(), allowed_global);
    position_ += pickle.size();
    return pickle;
  }

  /// The element sizes of all storages that the object names, wherever in it they are.
  void collect_types(const PickleValue& root) {
    std::vector<const PickleValue*> open{&root};
    std::map<const PickleValue*, bool> seen;
    while (!open.empty()) {
      const auto* value = open.back();
      open.pop_back();
      if (value->items.empty() || !seen.emplace(value, true).second) continue;
      open.insert(open.end(), value->items.begin(), value->items.end());
      if (!value->is(Kind::persistent)) continue;
      const auto& id = *value->items[0];
      if (id.items.size() < 3 || !id.items[1]->is(Kind::global)) continue;
      const std::string_view type = id.items[1]->text;
      for (const auto& [name, dtype] : kStorages) {
        if (type.ends_with(name) && type[type.size() - name.size() - 1] == '.') {
          sizes_[id.items[2]->text] = size_of(dtype);
        }
      }
    }
  }

  void locate() {
    const auto bytes = file_->bytes();
    for (const auto& key : pending_) {
      const auto size = sizes_.find(key);
      if (size == sizes_.end()) {
        fail(fmt::format("has a storage {} of no type that Cloze has", in_quotes(key)));
      }
      std::uint64_t elements = 0;
      const auto left = bytes.size() - position_;
      if (left >= sizeof elements) {
        std::memcpy(&elements, bytes.data() + position_, sizeof elements);
      }
      if (left < sizeof elements || elements > (left - sizeof elements) / size->second) {
        fail(fmt::format("storage {} reaches past the end: the file is truncated", in_quotes(key)));
      }
      position_ += sizeof elements;
      storages_[key] = std::make_shared<const Storage>(
          file_, bytes.subspan(position_, elements * size->second), std::nullopt,
          fmt::format("{}: storage {}", origin(), key));
      position_ += elements * size->second;
    }
    if (position_ != bytes.size()) {
      fail(fmt::format("{} bytes follow the last storage: the file is damaged",
                       bytes.size() - position_));
    }
  }

  std::shared_ptr<const MappedFile> file_;
  std::size_t position_ = 0;
  std::vector<std::string> pending_;
  std::map<std::string, std::size_t, std::less<>> sizes_;
  std::map<std::string, std::shared_ptr<const Storage>, std::less<>> storages_;
};

}  // namespace

bool is_torch_file(std::string_view bytes) {
  if (bytes.starts_with(kZip)) return true;
  // A safetensors file of 640 bytes of header, say, begins like a pickle, with its header after that.
  constexpr std::size_t header = 8;
  const bool safetensors = bytes.size() > header && bytes[header] == '{';
  return bytes.size() > 1 && bytes[0] == '\x80' && bytes[1] <= 5 && !safetensors;
}

Tensors read_torch_file(const std::shared_ptr<const MappedFile>& file, const std::string& origin,
                        const std::string& file_name) {
  if (file->text().starts_with(kZip)) return ZipBuilder(file, origin, file_name).read();
  return LegacyBuilder(file, origin, file_name).read();
}

}  // namespace cloze
