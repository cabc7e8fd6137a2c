/// \file
/// A file that appears whole or not at all: the one way in which Cloze writes files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "core/io/descriptor.h"
#include "core/io/files.h"
#include "core/io/temporaries.h"

namespace cloze {

/// Writes to a temporary file beside the target; `commit` syncs it and renames it into place.
/// Without a commit (an exception on the way) the temporary is removed and the target stays as it
/// was.
///
/// * Symbolic links are followed: the file that they lead to is replaced, not the link. Another
///   name of that file (a hard link) keeps the old content.
/// * An existing file's mode and access control list are kept, and its owner where the system
///   allows that. A new file has the mode that the umask gives.
/// * A file that may not be written is not replaced either (core/io/file_attributes.h).
/// * The temporary's name is one that nobody else uses, whatever a killed process left behind, and
///   is listed for `remove_temporaries`.
/// * `commit` returns when the bytes and the name are on the disk.
/// * What is no regular file (a device such as /dev/null, a FIFO) is opened and written directly.
///   /dev/stdout, /dev/fd/N and /proc/self/fd/N mean the open descriptor itself.
///
/// Every member throws IoError, which names the file and the cause; ClosedPipe (cloze/output.h)
/// when it is a pipe that nobody reads.
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

  /// Writes the first `bytes` of an open file, of this `name` for messages: without a copy where
  /// the file system can share them. The only content of the file: nothing is written besides.
  void write_all_of(int source, std::int64_t bytes, const std::filesystem::path& name);

  /// Overwrites bytes at `offset`. Not where `seekable()` is false.
  void write_at(std::int64_t offset, std::span<const std::byte> bytes);

  /// Whether `write_at` works: not on a pipe, a terminal or a descriptor of the caller's.
  [[nodiscard]] bool seekable() const { return seekable_; }

  /// Whether it is written in place: a device, a FIFO or an open descriptor.
  [[nodiscard]] bool direct() const { return temporary_.empty(); }

  /// Gives the file its name; nothing may be written afterwards. Throws, too, where a mapped file has
  /// been cut short (cloze/memory_faults.h).
  void commit();

  /// Gives several files their names as one. Readers begin with the last of them, so that one is
  /// taken away first and put in place last: even a kill leaves no mix of old and new files.
  static void commit(std::span<AtomicFile* const> files);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  void open_directly();
  void open_temporary(unsigned mode);
  void sync();
  [[noreturn]] void fail(int cause) const;
  [[noreturn]] void fail(const std::string& why) const;

  std::filesystem::path path_;       ///< as the caller named it
  std::filesystem::path target_;     ///< where its links lead
  std::filesystem::path temporary_;  ///< empty when written directly, or renamed
  Temporary listed_;
  Descriptor file_;
  bool seekable_ = true;
};

}  // namespace cloze
