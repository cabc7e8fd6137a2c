/// \file
/// Where results are written: standard output, or a file that appears complete or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/error.h"

namespace cloze {
class AtomicFile;
}

#pragma GCC visibility push(default)
namespace cloze {

/// Nobody reads the other end of the pipe any more (`| head`): a reason to stop, not a failure.
class ClosedPipe : public IoError {
 public:
  using IoError::IoError;
};

/// Buffered bytes to standard output or a file. Every failure is an IoError (a full disk too),
/// never lost.
class Output {
 public:
  [[nodiscard]] static Output standard_output();

  /// A file at `path`, written under a temporary name beside it until `finish`. Links are followed,
  /// and an existing file's mode is kept; one that is write-protected is not replaced. Devices,
  /// FIFOs and /dev/stdout are written directly. Throws IoError when the file cannot be made.
  [[nodiscard]] static Output file(const std::filesystem::path& path);

  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  Output(Output&& other) noexcept;
  Output& operator=(Output&&) = delete;

  /// Writes what is buffered, as far as possible; removes a file that was not finished.
  ~Output();

  void write(std::string_view text);
  void write(std::span<const std::byte> bytes);

  /// Writes the buffer out now.
  void flush();

  /// Whether `write_at` works: on regular files, not on pipes and standard output.
  [[nodiscard]] bool seekable() const;

  /// Overwrites `bytes` at `offset` of a file: a header whose counts were not known before. Throws
  /// IoError where that is not possible.
  void write_at(std::int64_t offset, std::span<const std::byte> bytes);

  /// Flushes; gives a file its name. Nothing may be written afterwards.
  void finish();

  /// Bytes written so far, the buffer's included.
  [[nodiscard]] std::int64_t size() const { return size_; }

 private:
  explicit Output(std::unique_ptr<AtomicFile> file);
  void write_out(std::string_view text);

  std::unique_ptr<AtomicFile> file_;  // null for standard output
  bool open_ = true;                  // false once finished, or moved from
  std::string buffer_;
  std::int64_t size_ = 0;
};

/// Throws ArgumentError where `output` is one of the files that are read, by any of its names
/// (links lead to it, hard links are it): it would be lost. "-" among the inputs is standard input.
void require_no_input(const std::filesystem::path& output,
                      const std::vector<std::filesystem::path>& inputs);

/// Removes the temporary files and directories of all that this process is writing. The library
/// handles no signals: a program that is ended by one calls this from its handler, where it may be
/// called (it is async-signal-safe), so that nothing stays behind.
void remove_temporaries() noexcept;

}  // namespace cloze

#pragma GCC visibility pop
