/// \file
/// A file mapped into memory for reading.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

namespace cloze {

class MappedFile {
 public:
  /// Maps the whole file, private and read-only. Throws IoError naming the file and the cause
  /// (missing, a directory, no permission). An empty file maps to no bytes.
  [[nodiscard]] static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }
  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(data_), size_};
  }

  /// Tells the system that these pages of the mapping are not needed now: they stay readable, and
  /// leave the process's resident memory. `part` must lie inside `bytes()`.
  void release(std::span<const std::byte> part) const;

 private:
  MappedFile() = default;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace cloze
