#include "core/io/input_file.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloze/error.h"
#include "core/strings.h"

namespace cloze {

// O_NONBLOCK: opening a FIFO that nobody writes to does not wait.
InputFile::InputFile(std::filesystem::path path)
    : path_(std::move(path)), file_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (!file_) fail(errno);
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) fail(errno);
  if (S_ISDIR(status.st_mode)) fail("it is a directory");
  if (!S_ISREG(status.st_mode)) fail("it is not a regular file");
  size_ = status.st_size;
}

void InputFile::require_size(std::int64_t size) const {
  if (size_ == size) return;
  throw IoError(fmt::format("{} has changed: it had {} bytes when it was first read and has {}",
                            excerpt_of_path(path_), size, size_));
}

void InputFile::read(std::int64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const auto got = ::pread(file_.get(), bytes.data(), bytes.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(errno);
    if (got == 0) fail("it has become shorter while it is in use");
    offset += got;
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

std::string InputFile::read(std::int64_t offset, std::size_t count) const {
  std::string text(count, '\0');
  read(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

std::string InputFile::text() const {
  if (size_ > 0) return read(0, static_cast<std::size_t>(size_));
  // Made up by the system: as long as it goes on, but not without end.
  constexpr std::size_t kChunk = std::size_t{1} << 16;
  constexpr std::size_t kMost = std::size_t{1} << 28;
  std::string text;
  for (;;) {
    const auto have = text.size();
    text.resize(have + kChunk);
    const auto got = read_some(file_.get(), std::as_writable_bytes(std::span(text)).subspan(have));
    if (got < 0) fail(errno);
    text.resize(have + static_cast<std::size_t>(got));
    if (got == 0) return text;
    if (text.size() > kMost) fail("it does not end");
  }
}

void InputFile::fail(std::string_view cause) const {
  throw IoError(fmt::format("cannot read {}: {}", excerpt_of_path(path_), cause));
}

void InputFile::fail(int cause) const { fail(std::generic_category().message(cause)); }

}  // namespace cloze
