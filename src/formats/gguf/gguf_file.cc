#include "formats/gguf/gguf_file.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/strings.h"
#include "core/utf8.h"

namespace cloze {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint64_t kMostAlignment = std::uint64_t{1} << 20;
constexpr std::uint32_t kMostDimensions = 4;
constexpr std::uint64_t kMostElements = std::uint64_t{1} << 48;

/// Types of values, by the file's numbers.
enum class ValueType : std::uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  string,
  array,
  u64,
  i64,
  f64
};

class Parser {
 public:
  Parser(std::span<const std::byte> bytes, const std::string& origin) : bytes_(bytes) {
    file_.origin = origin;
  }

  GgufFile parse() {
    if (!is_gguf({reinterpret_cast<const char*>(bytes_.data()), bytes_.size()})) {
      throw FormatError(
          fmt::format("{}: it does not begin with \"GGUF\": this is no GGUF file", file_.origin));
    }
    at_ = kMagic.size();
    const auto version = read<std::uint32_t>();
    if (version != 2 && version != 3) {
      const bool swapped = version != 0 && (version & 0xFFFFU) == 0;
      throw FormatError(
          swapped
              ? fmt::format("{}: the file is big-endian, which Cloze does not read", file_.origin)
              : fmt::format("{}: GGUF version {} is not known: versions 2 and 3 are", file_.origin,
                            version));
    }
    const auto tensors = read<std::uint64_t>();
    const auto values = read<std::uint64_t>();
    // Each takes so many bytes at the least: no more can be in the file.
    constexpr std::uint64_t smallest_value = 8 + 4 + 1, smallest_tensor = 8 + 4 + 4 + 8;
    if (values > left() / smallest_value) fail(fmt::format("{} values cannot be", values));
    if (tensors > left() / smallest_tensor) fail(fmt::format("{} tensors cannot be", tensors));
    for (std::uint64_t i = 0; i < values; ++i) read_pair();
    std::vector<Entry> entries;
    for (std::uint64_t i = 0; i < tensors; ++i) entries.push_back(read_entry());
    place(entries);
    return std::move(file_);
  }

 private:
  /// A tensor as listed: its bytes are found when all are known.
  struct Entry {
    std::string name;
    GgufTensor tensor;
    std::uint64_t size = 0, offset = 0;
  };

  [[nodiscard]] std::uint64_t left() const { return bytes_.size() - at_; }

  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{}: {} at byte {}: the file is damaged or cut short",
                                  file_.origin, what, at_));
  }

  template <class T>
  T read() {
    if (left() < sizeof(T)) fail("the header ends");
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  std::string read_string() {
    const auto size = read<std::uint64_t>();
    if (size > left()) fail(fmt::format("a text of {} bytes cannot be", size));
    std::string text(reinterpret_cast<const char*>(bytes_.data() + at_), size);
    at_ += size;
    return text;
  }

  /// A number of the type; nothing for types that are none.
  std::optional<GgufValue> read_number(ValueType type) {
    switch (type) {
      case ValueType::u8:
        return std::int64_t{read<std::uint8_t>()};
      case ValueType::i8:
        return std::int64_t{read<std::int8_t>()};
      case ValueType::u16:
        return std::int64_t{read<std::uint16_t>()};
      case ValueType::i16:
        return std::int64_t{read<std::int16_t>()};
      case ValueType::u32:
        return std::int64_t{read<std::uint32_t>()};
      case ValueType::i32:
        return std::int64_t{read<std::int32_t>()};
      case ValueType::i64:
        return read<std::int64_t>();
      case ValueType::u64: {
        const auto value = read<std::uint64_t>();
        if (value > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
          fail(fmt::format("the number {} cannot be", value));
        }
        return static_cast<std::int64_t>(value);
      }
      case ValueType::f32:
        return double{read<float>()};
      case ValueType::f64:
        return read<double>();
      case ValueType::boolean: {
        const auto value = read<std::uint8_t>();
        if (value > 1) fail(fmt::format("{} is neither true nor false", value));
        return value == 1;
      }
      case ValueType::string:
      case ValueType::array:
        break;
    }
    return std::nullopt;
  }

  GgufValue read_array() {
    const auto type = static_cast<ValueType>(read<std::uint32_t>());
    const auto count = read<std::uint64_t>();
    if (type == ValueType::string) {
      if (count > left() / 8) fail(fmt::format("an array of {} texts cannot be", count));
      std::vector<std::string> texts;
      texts.reserve(count);
      for (std::uint64_t i = 0; i < count; ++i) texts.push_back(read_string());
      return texts;
    }
    if (count > left()) fail(fmt::format("an array of {} values cannot be", count));
    std::vector<double> numbers;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto number = read_number(type);
      if (!number) fail("an array of arrays, or of a type that is not known,");
      numbers.push_back(std::visit(
          [](const auto& value) -> double {
            if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>>) {
              return static_cast<double>(value);
            } else {
              return 0;
            }
          },
          *number));
    }
    return numbers;
  }

  void read_pair() {
    auto key = read_string();
    const auto type = static_cast<ValueType>(read<std::uint32_t>());
    GgufValue value;
    if (type == ValueType::string) {
      value = read_string();
    } else if (type == ValueType::array) {
      value = read_array();
    } else if (auto number = read_number(type)) {
      value = *std::move(number);
    } else {
      fail(
          fmt::format("a value of type {}, which is not known,", static_cast<std::uint32_t>(type)));
    }
    const auto name = in_quotes(key);
    if (!file_.values.emplace(std::move(key), std::move(value)).second) {
      fail(fmt::format("the key {} is there twice", name));
    }
  }

  Entry read_entry() {
    Entry entry;
    entry.name = read_string();
    const auto fails = [&](const std::string& what) {
      throw FormatError(fmt::format("{}: tensor {} {}", file_.origin, in_quotes(entry.name), what));
    };
    if (utf8::valid_prefix(entry.name) != entry.name.size()) fails("has a name that is not UTF-8");
    const auto dimensions = read<std::uint32_t>();
    if (dimensions > kMostDimensions) fails(fmt::format("has {} dimensions", dimensions));
    std::uint64_t elements = 1;
    for (std::uint32_t d = 0; d < dimensions; ++d) {
      const auto size = read<std::uint64_t>();
      if (size == 0 || size > kMostElements / elements) fails("has a size that cannot be");
      elements *= size;
      entry.tensor.shape.insert(entry.tensor.shape.begin(), static_cast<std::int64_t>(size));
    }
    const auto number = read<std::uint32_t>();
    entry.offset = read<std::uint64_t>();
    const auto type = ggml_type(number);
    if (!type) {
      fails(fmt::format("is of type {}, which Cloze does not read: it reads {}",
                        name_of_ggml_type(number), names_of_ggml_types()));
    }
    entry.tensor.type = *type;
    const auto [values, bytes] = block_of(*type);
    const auto row = dimensions == 0 ? 1 : static_cast<std::uint64_t>(entry.tensor.shape.back());
    if (row % values != 0) {
      fails(fmt::format("has rows of {}, which are no whole blocks of {}", row, values));
    }
    entry.size = elements / values * bytes;
    return entry;
  }

  void place(std::vector<Entry>& entries) {
    const auto stated = file_.find<std::int64_t>("general.alignment");
    const auto alignment =
        static_cast<std::uint64_t>(stated.value_or(static_cast<std::int64_t>(kDefaultAlignment)));
    if (!std::has_single_bit(alignment) || alignment > kMostAlignment) {
      throw FormatError(
          fmt::format("{}: an alignment of {} cannot be", file_.origin, stated.value_or(0)));
    }
    const auto begin = (at_ + alignment - 1) / alignment * alignment;
    for (auto& entry : entries) {
      const auto name = in_quotes(entry.name);
      const auto room = begin < bytes_.size() ? bytes_.size() - begin : 0;
      if (entry.offset % alignment != 0 || entry.offset > room ||
          entry.size > room - entry.offset) {
        throw FormatError(fmt::format(
            "{}: tensor {} does not lie in the file ({} bytes from byte {} of {}): the file is "
            "damaged or cut short",
            file_.origin, name, entry.size, entry.offset, room));
      }
      entry.tensor.bytes = bytes_.subspan(begin + entry.offset, entry.size);
      if (!file_.tensors.emplace(std::move(entry.name), std::move(entry.tensor)).second) {
        throw FormatError(fmt::format("{}: tensor {} is there twice", file_.origin, name));
      }
    }
  }

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  GgufFile file_;
};

template <class T>
constexpr std::string_view kTypeName{};
template <>
constexpr std::string_view kTypeName<std::int64_t> = "a whole number";
template <>
constexpr std::string_view kTypeName<double> = "a number";
template <>
constexpr std::string_view kTypeName<bool> = "true or false";
template <>
constexpr std::string_view kTypeName<std::string> = "a text";
template <>
constexpr std::string_view kTypeName<std::vector<std::string>> = "a list of texts";
template <>
constexpr std::string_view kTypeName<std::vector<double>> = "a list of numbers";

}  // namespace

template <class T>
std::optional<T> GgufFile::find(std::string_view key) const {
  const auto at = values.find(key);
  if (at == values.end()) return std::nullopt;
  if (const auto* value = std::get_if<T>(&at->second)) return *value;
  if constexpr (std::is_same_v<T, double>) {
    if (const auto* whole = std::get_if<std::int64_t>(&at->second)) {
      return static_cast<double>(*whole);
    }
  }
  throw FormatError(fmt::format("{}: \"{}\" must be {}", origin, key, kTypeName<T>));
}

template <class T>
T GgufFile::at(std::string_view key) const {
  if (auto value = find<T>(key)) return *std::move(value);
  throw FormatError(fmt::format("{}: there is no \"{}\"", origin, key));
}

template std::optional<std::int64_t> GgufFile::find(std::string_view) const;
template std::optional<double> GgufFile::find(std::string_view) const;
template std::optional<bool> GgufFile::find(std::string_view) const;
template std::optional<std::string> GgufFile::find(std::string_view) const;
template std::optional<std::vector<std::string>> GgufFile::find(std::string_view) const;
template std::optional<std::vector<double>> GgufFile::find(std::string_view) const;
template std::int64_t GgufFile::at(std::string_view) const;
template double GgufFile::at(std::string_view) const;
template bool GgufFile::at(std::string_view) const;
template std::string GgufFile::at(std::string_view) const;
template std::vector<std::string> GgufFile::at(std::string_view) const;
template std::vector<double> GgufFile::at(std::string_view) const;

Tensor GgufFile::tensor(std::string_view name, std::shared_ptr<const void> owner) const {
  const auto at = tensors.find(name);
  if (at == tensors.end()) {
    throw FormatError(fmt::format("{}: there is no tensor \"{}\"", origin, name));
  }
  const auto& [type, shape, bytes] = at->second;
  if (const auto dtype = dtype_of_ggml(type)) {
    return Tensor::view(*dtype, shape, bytes, std::move(owner));
  }
  auto values = Tensor::zeros(DType::f32, shape);
  dequantize(type, bytes, values.mutable_values<float>());
  return values;
}

bool is_gguf(std::string_view bytes) { return bytes.starts_with(kMagic); }

GgufFile parse_gguf(std::span<const std::byte> bytes, const std::string& origin) {
  return Parser(bytes, origin).parse();
}

}  // namespace cloze
