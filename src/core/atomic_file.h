/// \file
/// A file that appears whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace cloze {

/// Writes to a temporary beside `path`; `commit` syncs it and renames it into place. Without a
/// commit (an exception on the way) the temporary is removed and `path` stays as it was. Every
/// member throws IoError, which names the file and the cause.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  AtomicFile(AtomicFile&&) = delete;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void commit();

 private:
  [[noreturn]] void fail(int cause) const;

  std::filesystem::path path_, temporary_;
  int fd_ = -1;
};

/// `create_directories` that throws IoError.
void make_directory(const std::filesystem::path& directory);

}  // namespace cloze
