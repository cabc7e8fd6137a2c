/// \file
/// A file mapped into memory for reading: for weights, which are large and of which a part is used.
/// Anything else is read (core/io/input_file.h), because a mapped file that is cut short while it is
/// in use is harder to survive than one that is read; include/cloze/memory_faults.h tells how.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include <sys/stat.h>

#include "core/io/descriptor.h"
#include "core/io/mapped_regions.h"

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

  /// Throws IoError where the file has been cut short or written to since it was opened: what is read
  /// from the mapping then is not what it was. (Not where another file has taken its name.)
  void require_unchanged() const;

  /// Tells the system that these pages of the mapping are not needed now: they stay readable, and
  /// leave the process's resident memory. `part` must lie inside `bytes()`.
  void release(std::span<const std::byte> part) const;

 private:
  MappedFile() = default;
  std::filesystem::path path_;
  Descriptor file_;
  struct timespec written_ {};
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::unique_ptr<const MappedRegion> region_;
};

}  // namespace cloze
