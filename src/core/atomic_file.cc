#include "core/atomic_file.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "cloze/error.h"

namespace cloze {

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  // The name has the process's id; a number finds a free one beside what a killed run left behind.
  for (int attempt = 0; attempt < 1000 && fd_ < 0; ++attempt) {
    temporary_ = path_.parent_path() /
                 fmt::format(".{}.{}-{}.tmp", path_.filename().string(), ::getpid(), attempt);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd_ < 0 && errno != EEXIST) break;
  }
  if (fd_ < 0) fail(errno);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail(written < 0 ? errno : ENOSPC);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::commit() {
  if (::fsync(fd_) != 0) fail(errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
  // An error of close after a successful fsync has no meaning for the bytes.
  ::close(std::exchange(fd_, -1));
  // The rename itself survives a power cut once the directory is synced. Some file systems refuse
  // to sync a directory; the file is in place all the same.
  const auto parent = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  const int directory = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    ::fsync(directory);
    ::close(directory);
  }
}

void AtomicFile::fail(int cause) const {
  throw IoError(
      fmt::format("cannot write {}: {}", path_.string(), std::generic_category().message(cause)));
}

void make_directory(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (!error && !std::filesystem::is_directory(directory, error)) {
    error = std::make_error_code(std::errc::not_a_directory);
  }
  if (error) {
    throw IoError(fmt::format("cannot make directory {}: {}", directory.string(), error.message()));
  }
}

}  // namespace cloze
