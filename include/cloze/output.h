/// \file
/// Where results are written: standard output, or a file that appears complete or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "cloze/error.h"

namespace cloze {

/// Nobody reads the other end of the pipe any more (`| head`): a reason to stop, not a failure.
class ClosedPipe : public IoError {
 public:
  using IoError::IoError;
};

/// Buffered bytes to a descriptor. Every failure is an IoError (a full disk too), never lost.
class Output {
 public:
  [[nodiscard]] static Output standard_output();

  /// A file at `path`, written under a temporary name beside it until `finish`. Throws IoError when
  /// that cannot be made.
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

  /// Overwrites `bytes` at `offset` of a file: a header whose counts were not known before.
  void write_at(std::int64_t offset, std::span<const std::byte> bytes);

  /// Flushes; gives a file its name. Nothing may be written afterwards.
  void finish();

  /// Bytes written so far, the buffer's included.
  [[nodiscard]] std::int64_t size() const { return size_; }

 private:
  Output(int descriptor, std::filesystem::path path, std::filesystem::path temporary);
  [[noreturn]] void fail(int error) const;
  void write_out(const char* data, std::size_t count);

  int descriptor_;
  std::filesystem::path path_;       // empty for standard output
  std::filesystem::path temporary_;  // empty once finished
  std::string buffer_;
  std::int64_t size_ = 0;
};

}  // namespace cloze
