/// \file
/// A file that is read by offset. Texts, tables and JSON are read, not mapped: a file that is cut
/// short while it is mapped ends the process with SIGBUS, and one that is read gives an error.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "core/io/descriptor.h"

namespace cloze {

/// A regular file, open for reading. Threads may read from one at once. Every member throws IoError,
/// which names the file and the cause.
class InputFile {
 public:
  /// Refuses directories, pipes and devices, without waiting for one.
  explicit InputFile(std::filesystem::path path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Bytes that the file had when it was opened. 0 for the files that the system makes up when they
  /// are read (/proc).
  [[nodiscard]] std::int64_t size() const { return size_; }

  /// Throws where that is not `size`: what it was when the file was first read.
  void require_size(std::int64_t size) const;

  /// Fills `bytes` with those from `offset` on. An error where the file ends before: it has become
  /// shorter since it was opened.
  void read(std::int64_t offset, std::span<std::byte> bytes) const;
  [[nodiscard]] std::string read(std::int64_t offset, std::size_t count) const;

  /// All bytes of the file, also of one that the system makes up.
  [[nodiscard]] std::string text() const;

  /// Calls `use(bytes)` for the file's bytes in order, some at a time: memory does not grow with
  /// the file.
  template <class Use>
  void for_each_part(const Use& use) const {
    constexpr std::int64_t kPart = std::int64_t{1} << 20;
    std::string part(static_cast<std::size_t>(std::min(kPart, size_)), '\0');
    const auto bytes = std::as_writable_bytes(std::span(part));
    for (std::int64_t at = 0; at < size_; at += kPart) {
      const auto piece = bytes.first(static_cast<std::size_t>(std::min(kPart, size_ - at)));
      read(at, piece);
      use(std::span<const std::byte>(piece));
    }
  }

 private:
  [[noreturn]] void fail(std::string_view cause) const;
  [[noreturn]] void fail(int cause) const;

  std::filesystem::path path_;
  Descriptor file_;
  std::int64_t size_ = 0;
};

}  // namespace cloze
