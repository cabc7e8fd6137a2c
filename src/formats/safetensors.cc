#include "formats/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <tuple>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/json.h"

namespace cloze {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors are little-endian, and tensors are read in place");

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;  // the reference reader's limit

constexpr std::array<std::pair<std::string_view, DType>, 10> kDTypes{{{"F32", DType::f32},
                                                                      {"F16", DType::f16},
                                                                      {"BF16", DType::bf16},
                                                                      {"F64", DType::f64},
                                                                      {"I8", DType::i8},
                                                                      {"U8", DType::u8},
                                                                      {"I16", DType::i16},
                                                                      {"I32", DType::i32},
                                                                      {"I64", DType::i64},
                                                                      {"BOOL", DType::boolean}}};

// Types that the format has and Cloze does not.
constexpr std::array<std::string_view, 12> kForeignDTypes{
    "U16",     "U32",         "U64",         "F4",      "F6_E2M3", "F6_E3M2",
    "F8_E4M3", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E5M2", "F8_E8M0", "C64"};

/// Receives the header's JSON piece by piece (nlohmann's SAX interface) and fills a
/// SafetensorsHeader, refusing whatever has another form than
/// {"__metadata__": {"k": "v"}, "name": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}.
class HeaderReader {
 public:
  HeaderReader(const std::string& origin, SafetensorsHeader& header)
      : origin_(&origin), header_(&header) {}

  bool start_object(std::size_t /*elements*/) {
    if (at_ == At::start) {
      at_ = At::names;
    } else if (at_ == At::name) {
      at_ = in_metadata_ ? At::metadata : At::fields;
      has_dtype_ = has_shape_ = has_offsets_ = false;
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool key(std::string& key) {
    if (at_ == At::names) {
      if (!seen_.insert(key).second) fail(fmt::format("the name {} occurs twice", in_quotes(key)));
      in_metadata_ = key == "__metadata__";
      if (!in_metadata_) header_->tensors.push_back({.name = key, .shape = {}});
      at_ = At::name;
    } else if (at_ == At::metadata) {
      metadata_key_ = key;
      if (header_->metadata.contains(key)) {
        fail(fmt::format("the key {} occurs twice in __metadata__", in_quotes(key)));
      }
    } else {
      if (key == "dtype") {
        begin_field(has_dtype_, At::dtype, key);
      } else if (key == "shape") {
        begin_field(has_shape_, At::shape, key);
      } else if (key == "data_offsets") {
        begin_field(has_offsets_, At::offsets, key);
      } else {
        fail(fmt::format("{} has an unknown field {}", subject(), in_quotes(key)));
      }
    }
    return true;
  }

  bool string(std::string& value) {
    if (at_ == At::metadata && metadata_key_) {
      header_->metadata.emplace(std::move(*metadata_key_), std::move(value));
      metadata_key_.reset();
    } else if (at_ == At::dtype) {
      tensor().dtype = dtype(value);
      at_ = At::fields;
    } else {
      unexpected("a string");
    }
    return true;
  }

  bool start_array(std::size_t /*elements*/) {
    if ((at_ != At::shape && at_ != At::offsets) || in_array_) unexpected("an array");
    in_array_ = true;
    numbers_.clear();
    return true;
  }

  bool number_unsigned(std::uint64_t value) {
    if (!in_array_) unexpected("a number");
    numbers_.push_back(value);
    return true;
  }

  bool end_array() {
    if (at_ == At::shape) {
      auto& shape = tensor().shape;
      for (const auto size : numbers_) {
        if (size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
          fail(fmt::format("{} has a dimension of {}, which no memory holds", subject(), size));
        }
        shape.push_back(static_cast<std::int64_t>(size));
      }
    } else {
      if (numbers_.size() != 2) {
        fail(fmt::format("{} has {} data_offsets instead of 2", subject(), numbers_.size()));
      }
      tensor().begin = numbers_[0];
      tensor().end = numbers_[1];
    }
    in_array_ = false;
    at_ = At::fields;
    return true;
  }

  bool end_object() {
    if (at_ == At::names) {
      at_ = At::end;
      return true;
    }
    if (at_ == At::fields) {
      const auto* missing = !has_dtype_     ? "dtype"
                            : !has_shape_   ? "shape"
                            : !has_offsets_ ? "data_offsets"
                                            : nullptr;
      if (missing != nullptr) fail(fmt::format("{} has no {}", subject(), missing));
    }
    at_ = At::names;
    return true;
  }

  bool number_integer(std::int64_t value) { unexpected(fmt::format("the number {}", value)); }
  bool number_float(double /*value*/, const std::string& text) {
    unexpected(fmt::format("the number {}", text.substr(0, 40)));
  }
  bool null() { unexpected("null"); }
  bool boolean(bool /*value*/) { unexpected("a boolean"); }
  bool binary(nlohmann::json::binary_t& /*value*/) { unexpected("binary data"); }

  bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                   const nlohmann::json::exception& error) {
    const auto* syntax = dynamic_cast<const nlohmann::json::parse_error*>(&error);
    fail(fmt::format("the header is not valid JSON: {}",
                     syntax != nullptr
                         ? describe_json_error(error.what(), syntax->byte + kLengthBytes)
                         : describe_json_error(error.what())));
  }

 private:
  enum class At : std::uint8_t { start, names, name, metadata, fields, dtype, shape, offsets, end };

  SafetensorsEntry& tensor() { return header_->tensors.back(); }

  [[nodiscard]] std::string subject() const {
    return in_metadata_ ? "__metadata__" : "tensor " + in_quotes(header_->tensors.back().name);
  }

  void begin_field(bool& seen, At field, const std::string& name) {
    if (seen) fail(fmt::format("{} has two fields {}", subject(), name));
    seen = true;
    at_ = field;
  }

  [[nodiscard]] DType dtype(const std::string& name) const {
    const auto* const found = std::find_if(kDTypes.begin(), kDTypes.end(),
                                           [&](const auto& entry) { return entry.first == name; });
    if (found != kDTypes.end()) return found->second;
    if (std::find(kForeignDTypes.begin(), kForeignDTypes.end(), name) != kForeignDTypes.end()) {
      fail(fmt::format(
          "{} has dtype {}, for which Cloze has no type; convert it to F32, F16 or BF16 (or I64)",
          subject(), name));
    }
    fail(
        fmt::format("{} has dtype {}, which the format does not have", subject(), in_quotes(name)));
  }

  [[noreturn]] void unexpected(const std::string& found) const {
    switch (at_) {
      case At::start:
      case At::end:
        fail(fmt::format("the header must be a JSON object, found {}", found));
      case At::names:
      case At::name:
      case At::fields:
        fail(fmt::format("{} must be an object, found {}", subject(), found));
      case At::metadata:
        fail(fmt::format("{} of __metadata__ must be a string, found {}",
                         in_quotes(metadata_key_.value_or("")), found));
      case At::dtype:
        fail(fmt::format("the dtype of {} must be a string, found {}", subject(), found));
      case At::shape:
      case At::offsets:
        fail(fmt::format("the {} of {} must be an array of non-negative integers, found {}",
                         at_ == At::shape ? "shape" : "data_offsets", subject(), found));
    }
    fail("the header has an unknown form");
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{}: {}", *origin_, what));
  }

  const std::string* origin_;
  SafetensorsHeader* header_;
  At at_ = At::start;
  bool in_metadata_ = false, in_array_ = false;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  std::vector<std::uint64_t> numbers_;
  std::optional<std::string> metadata_key_;
  std::unordered_set<std::string> seen_;
};

/// What a file that is not safetensors is instead, from its first bytes; empty if unknown. These
/// are what people meet: a clone without Git LFS, a saved error page, a renamed file.
std::string_view mistaken_for(std::string_view file) {
  const auto begins = [file](std::string_view magic) {
    return file.substr(0, magic.size()) == magic;
  };
  if (begins("version https://git-lfs")) {
    return "it is a Git LFS pointer, not the weights; run `git lfs pull`, or download the file";
  }
  if (begins("<!") || begins("<html") || begins("<?xml")) {
    return "it is a web page, not the weights; download the file again";
  }
  if (begins("PK\x03\x04") || begins("\x80\x02")) {
    return "it is a PyTorch pickle, not safetensors; save the model again as safetensors";
  }
  if (begins("\x89HDF")) return "it is an HDF5 file (TensorFlow), not safetensors";
  return "";
}

/// Bytes of one tensor; nothing when the product does not fit.
std::optional<std::uint64_t> byte_size(const SafetensorsEntry& tensor) {
  // The bound that Tensor sets on a shape, so that a view of it can always be made.
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 16;
  std::int64_t count = 1;
  for (const auto size : tensor.shape) {
    if (size > 0 && count > kMost / size) return std::nullopt;
    count *= size;
  }
  return static_cast<std::uint64_t>(count) * size_of(tensor.dtype);
}

}  // namespace

SafetensorsHeader read_safetensors_header(std::span<const std::byte> file,
                                          const std::string& origin) {
  const auto fail = [&origin](const std::string& what) {
    throw FormatError(fmt::format("{}: {}", origin, what));
  };
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  // Another format's first bytes make a length that fails one of the checks below.
  const auto fail_as_other = [&](const std::string& what) {
    const auto other = mistaken_for(text);
    fail(other.empty() ? what : std::string(other));
  };
  if (file.size() < kLengthBytes) {
    fail(fmt::format("{} bytes are too few for safetensors: the file is truncated", file.size()));
  }
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > kLongestHeader) {
    fail_as_other(
        fmt::format("states a header of {} bytes, over the format's limit of {}: it is not "
                    "safetensors, or damaged",
                    length, kLongestHeader));
  }
  const std::uint64_t data = kLengthBytes + length;
  if (data > file.size()) {
    fail_as_other(
        fmt::format("states a header of {} bytes, but only {} follow: the file is truncated",
                    length, file.size() - kLengthBytes));
  }
  const auto json = text.substr(kLengthBytes, length);
  if (json.empty() || json.front() != '{') {
    fail_as_other("the header at byte 8 does not begin with '{'");
  }

  refuse_zero_bytes(json, origin + ": the header", kLengthBytes);

  SafetensorsHeader header;
  HeaderReader reader(origin, header);
  nlohmann::json::sax_parse(json, &reader);

  std::sort(header.tensors.begin(), header.tensors.end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  const std::uint64_t available = file.size() - data;
  std::uint64_t position = 0;
  for (auto& tensor : header.tensors) {
    const auto name = [&tensor] { return in_quotes(tensor.name); };
    if (tensor.end < tensor.begin) {
      fail(fmt::format("tensor {} ends at byte {} of the data, before its begin at {}", name(),
                       tensor.end, tensor.begin));
    }
    if (tensor.end > available) {
      fail(
          fmt::format("tensor {} ends at byte {} of the data, but the file has only {}: it is "
                      "truncated",
                      name(), tensor.end, available));
    }
    if (tensor.begin != position) {
      fail(
          fmt::format("tensor {} begins at byte {} of the data, but the tensor before ends at {}: "
                      "{}",
                      name(), tensor.begin, position,
                      tensor.begin < position ? "they overlap" : "there is a hole"));
    }
    const auto size = byte_size(tensor);
    if (!size) {
      fail(fmt::format("tensor {} of shape {} is larger than any memory", name(),
                       to_string(tensor.shape)));
    }
    if (*size != tensor.end - tensor.begin) {
      fail(
          fmt::format("tensor {}: dtype {} and shape {} make {} bytes, but its data_offsets span "
                      "{}",
                      name(), safetensors_name(tensor.dtype), to_string(tensor.shape), *size,
                      tensor.end - tensor.begin));
    }
    position = tensor.end;
    tensor.begin += data;
    tensor.end += data;
  }
  if (position != available) {
    fail(
        fmt::format("{} bytes follow the last tensor, which no tensor owns", available - position));
  }
  return header;
}

std::string_view safetensors_name(DType dtype) {
  const auto* const found = std::find_if(kDTypes.begin(), kDTypes.end(),
                                         [&](const auto& entry) { return entry.second == dtype; });
  if (found == kDTypes.end()) throw ArgumentError("not a dtype");
  return found->first;
}

}  // namespace cloze
