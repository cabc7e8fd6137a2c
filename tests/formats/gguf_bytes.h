/// \file
/// Writes the bytes of GGUF files for tests.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/tensor.h"

namespace cloze::testing {

/// Collects values and tensors; `bytes` puts the file together.
class GgufBytes {
 public:
  template <class T>
  static std::string raw(T value) {
    std::string bytes(sizeof(T), '\0');
    std::memcpy(bytes.data(), &value, sizeof(T));
    return bytes;
  }
  static std::string text(std::string_view value) {
    return raw(std::uint64_t{value.size()}) + std::string(value);
  }

  GgufBytes& pair(std::string_view key, std::uint32_t type, const std::string& value) {
    values_ += text(key) + raw(type) + value;
    ++count_;
    return *this;
  }
  GgufBytes& number(std::string_view key, std::uint32_t value) { return pair(key, 4, raw(value)); }
  GgufBytes& real(std::string_view key, float value) { return pair(key, 6, raw(value)); }
  GgufBytes& flag(std::string_view key, bool value) {
    return pair(key, 7, std::string(1, value ? '\1' : '\0'));
  }
  GgufBytes& string(std::string_view key, std::string_view value) {
    return pair(key, 8, text(value));
  }
  GgufBytes& strings(std::string_view key, std::span<const std::string> values) {
    auto array = raw(std::uint32_t{8}) + raw(std::uint64_t{values.size()});
    for (const auto& value : values) array += text(value);
    return pair(key, 9, array);
  }

  /// A tensor of ggml's type `type`; `shape` outermost first.
  GgufBytes& tensor(std::string_view name, std::uint32_t type, const Shape& shape,
                    std::string_view data) {
    tensors_ += text(name) + raw(static_cast<std::uint32_t>(shape.size()));
    for (auto size = shape.rbegin(); size != shape.rend(); ++size) {
      tensors_ += raw(static_cast<std::uint64_t>(*size));
    }
    tensors_ += raw(type) + raw(std::uint64_t{data_.size()});
    data_ += data;
    data_.resize((data_.size() + kAlignment - 1) / kAlignment * kAlignment);
    ++tensor_count_;
    return *this;
  }
  /// An f32 tensor.
  GgufBytes& tensor(std::string_view name, const Tensor& tensor) {
    const auto bytes = tensor.bytes();
    return this->tensor(name, 0, tensor.shape(),
                        {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

  [[nodiscard]] std::string bytes(std::uint32_t version = 3) const {
    auto file = "GGUF" + raw(version) + raw(tensor_count_) + raw(count_) + values_ + tensors_;
    file.resize((file.size() + kAlignment - 1) / kAlignment * kAlignment);
    return file + data_;
  }

 private:
  static constexpr std::size_t kAlignment = 32;
  std::string values_, tensors_, data_;
  std::uint64_t count_ = 0, tensor_count_ = 0;
};

}  // namespace cloze::testing
