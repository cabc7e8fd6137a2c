#include "cloze/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace cloze {
namespace {

constexpr std::size_t buffer_size = std::size_t{1} << 16;

}  // namespace

Output Output::standard_output() { return {STDOUT_FILENO, {}, {}}; }

Output Output::file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    throw IoError(fmt::format("cannot write {}: it is a directory", path.string()));
  }
  std::filesystem::path temporary(fmt::format("{}.partial-{}", path.string(), ::getpid()));
  const int descriptor = ::open(temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    throw IoError(fmt::format("cannot write {}: {}", path.string(), std::strerror(errno)));
  }
  return {descriptor, path, std::move(temporary)};
}

Output::Output(int descriptor, std::filesystem::path path, std::filesystem::path temporary)
    : descriptor_(descriptor), path_(std::move(path)), temporary_(std::move(temporary)) {}

Output::Output(Output&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      buffer_(std::exchange(other.buffer_, {})),
      size_(other.size_) {}

Output::~Output() {
  if (descriptor_ < 0) return;
  if (path_.empty()) {
    try {
      flush();  // another error is on its way: what was computed before it is still worth having
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
    }
    return;
  }
  ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void Output::fail(int error) const {
  const auto name = path_.empty() ? std::string("standard output") : path_.string();
  if (error == EPIPE) throw ClosedPipe(fmt::format("{} is closed", name));
  throw IoError(fmt::format("cannot write {}: {}", name, std::strerror(error)));
}

void Output::write_out(const char* data, std::size_t count) {
  while (count > 0) {
    const auto written = ::write(descriptor_, data, count);
    if (written < 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      buffer_.clear();
      fail(error);
    }
    data += written;
    count -= static_cast<std::size_t>(written);
  }
}

void Output::write(std::string_view text) {
  size_ += static_cast<std::int64_t>(text.size());
  if (text.size() >= buffer_size) {
    flush();
    write_out(text.data(), text.size());
    return;
  }
  buffer_.append(text);
  if (buffer_.size() >= buffer_size) flush();
}

void Output::write(std::span<const std::byte> bytes) {
  write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void Output::flush() {
  write_out(buffer_.data(), buffer_.size());
  buffer_.clear();
}

void Output::write_at(std::int64_t offset, std::span<const std::byte> bytes) {
  flush();
  while (!bytes.empty()) {
    const auto written = ::pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail(errno);
    }
    offset += written;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void Output::finish() {
  flush();
  if (path_.empty()) return;
  if (::close(std::exchange(descriptor_, -1)) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    fail(error);
  }
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    fail(error);
  }
  temporary_.clear();
}

}  // namespace cloze
