#include "core/io/atomic_file.h"

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloze/error.h"
#include "cloze/memory_faults.h"
#include "cloze/output.h"
#include "core/numbers.h"
#include "core/strings.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

/// N of /dev/fd/N and /proc/self/fd/N: the number of an open descriptor of this process.
std::optional<int> descriptor_of(const fs::path& path) {
  const auto folder = path.parent_path();
  if (folder != "/proc/self/fd" && folder != "/dev/fd") return std::nullopt;
  const auto number = whole_number<int>(path.filename().string());
  return number && *number >= 0 ? number : std::nullopt;
}

/// The name that the links of `path` lead to: of a file, or of one that is not there yet. Stops at
/// the name of a descriptor, whose link tells what it was opened as. Empty for links that lead
/// round in a circle.
fs::path follow_links(fs::path path) {
  constexpr int kMostLinks = 40;  // as Linux has it
  for (int links = 0; links < kMostLinks; ++links) {
    if (descriptor_of(path)) return path;
    std::error_code error;
    const auto link = fs::read_symlink(path, error);
    if (error) return path;
    path = link.is_absolute() ? link : path.parent_path() / link;
  }
  return {};
}

}  // namespace

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)), target_(follow_links(path_)) {
  if (target_.empty()) fail(path_.empty() ? ENOENT : ELOOP);
  if (const auto descriptor = descriptor_of(target_)) {
    file_ = Descriptor(::fcntl(*descriptor, F_DUPFD_CLOEXEC, 0));
    if (!file_) fail(errno);
    struct stat status {};
    if (::fstat(file_.get(), &status) != 0) fail(errno);
    // Where the descriptor's own writes go in a regular file is not for this class to say.
    seekable_ = !S_ISREG(status.st_mode) && ::lseek(file_.get(), 0, SEEK_CUR) >= 0;
    return;
  }
  struct stat status {};
  if (::stat(target_.c_str(), &status) != 0) {
    if (errno != ENOENT) fail(errno);
    open_temporary();
  } else if (S_ISDIR(status.st_mode)) {
    fail(EISDIR);
  } else if (!S_ISREG(status.st_mode)) {
    file_ = Descriptor(::open(target_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
    if (!file_) fail(errno);
    seekable_ = ::lseek(file_.get(), 0, SEEK_CUR) >= 0;
  } else {
    open_temporary();
    // The owner first: changing it takes away set-user-ID bits of the mode.
    struct stat made {};
    const bool owned = ::fstat(file_.get(), &made) == 0 &&
                       ((made.st_uid == status.st_uid && made.st_gid == status.st_gid) ||
                        ::fchown(file_.get(), status.st_uid, status.st_gid) == 0);
    // Bits that give rights to the owner or group mean something else for another one.
    const mode_t kept = owned ? 07777U : 0777U;
    if (::fchmod(file_.get(), status.st_mode & kept) != 0) {
      const int cause = errno;
      ::unlink(temporary_.c_str());  // a constructor that throws has no destructor
      fail(cause);
    }
  }
}

void AtomicFile::open_temporary() {
  // The process's id and a number make a name that is free unless a killed process of that id left
  // it behind: then the next number is. A long name is cut so that the temporary's fits.
  constexpr std::size_t kLongestName = 200;
  constexpr int kAttempts = 1000;
  const auto name = target_.filename().string().substr(0, kLongestName);
  for (int attempt = 0; attempt < kAttempts && !file_; ++attempt) {
    temporary_ = target_.parent_path() / fmt::format(".{}.{}-{}.tmp", name, ::getpid(), attempt);
    file_ = Descriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!file_ && errno != EEXIST) break;
  }
  if (!file_) {
    temporary_.clear();
    fail(errno);
  }
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  if (const int error = write_fully(file_.get(), bytes)) fail(error);
}

void AtomicFile::write_at(std::int64_t offset, std::span<const std::byte> bytes) {
  if (!seekable_) fail(ESPIPE);
  const auto write = [&](std::span<const std::byte> rest) -> std::int64_t {
    const auto written = ::pwrite(file_.get(), rest.data(), rest.size(), offset);
    if (written > 0) offset += written;
    return written;
  };
  if (const int error = write_fully(bytes, write)) fail(error);
}

void AtomicFile::commit() {
  require_no_cut_file();  // what was read from it may be in these bytes
  if (temporary_.empty()) {
    if (::close(file_.release()) != 0) fail(errno);
    return;
  }
  if (::fsync(file_.get()) != 0) fail(errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail(errno);
  temporary_.clear();
  file_.reset();  // an error of close after a successful fsync has no meaning for the bytes
  files::sync_directory(target_.parent_path());  // then the rename survives a power cut, too
}

void AtomicFile::fail(int cause) const {
  if (cause == EPIPE) throw ClosedPipe(fmt::format("{} is closed", path_.string()));
  throw IoError(fmt::format("cannot write {}: {}", excerpt_of_path(path_),
                            cause == EISDIR   ? "it is a directory"
                            : cause == ESPIPE ? "a pipe cannot be written out of order: name a file"
                                              : std::generic_category().message(cause)));
}

}  // namespace cloze
