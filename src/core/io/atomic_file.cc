#include "core/io/atomic_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloze/error.h"
#include "cloze/memory_faults.h"
#include "cloze/output.h"
#include "core/io/file_attributes.h"
#include "core/io/moves.h"
#include "core/io/output_target.h"
#include "core/strings.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

/// ::fsync, again after a signal. What cannot be synced (a pipe, a terminal) needs it not.
int sync_descriptor(int file) {
  for (;;) {
    if (::fsync(file) == 0 || errno == EINVAL || errno == ENOTSUP || errno == EROFS) return 0;
    if (errno != EINTR) return errno;
  }
}

int open_for_writing(const fs::path& path, int flags, unsigned mode = 0) {
  for (;;) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | flags, mode);
    if (file >= 0 || errno != EINTR) return file;
  }
}

}  // namespace

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  const auto target = output_target(path_);
  target_ = target.path;
  if (target_.empty()) fail(path_.empty() ? ENOENT : ELOOP);
  if (target.descriptor) {
    file_ = Descriptor(::fcntl(*target.descriptor, F_DUPFD_CLOEXEC, 0));
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
    open_temporary(0666);
    return;
  }
  if (S_ISDIR(status.st_mode)) fail(EISDIR);
  if (target.special || !S_ISREG(status.st_mode)) {
    open_directly();
    return;
  }
  if (const auto why = write_protection(target_, status); !why.empty()) fail(why);
  open_temporary(0600);  // nobody else may open it before it has the mode that it is to have
  if (const int cause = keep_attributes(file_.get(), target_, status)) {
    ::unlink(temporary_.c_str());  // a constructor that throws has no destructor
    fail(cause);
  }
}

void AtomicFile::open_directly() {
  file_ = Descriptor(open_for_writing(target_, O_NOCTTY));
  if (!file_) fail(errno);
  seekable_ = ::lseek(file_.get(), 0, SEEK_CUR) >= 0;
}

void AtomicFile::open_temporary(unsigned mode) {
  const SignalsHeld held;  // until it is listed, nobody would remove it
  for (int number = 0; number < kTemporaryNames && !file_; ++number) {
    temporary_ = temporary_name(target_, number);
    file_ = Descriptor(open_for_writing(temporary_, O_CREAT | O_EXCL, mode));
    if (!file_ && errno != EEXIST) break;
  }
  if (!file_) {
    temporary_.clear();
    fail(errno);
  }
  listed_ = Temporary(temporary_);
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  if (const int error = write_fully(file_.get(), bytes)) fail(error);
}

void AtomicFile::write_all_of(int source, std::int64_t bytes, const fs::path& name) {
  if (!direct() && ::ioctl(file_.get(), FICLONE, source) == 0) return;
  std::int64_t done = 0;
  const auto rest = [&] { return static_cast<std::size_t>(bytes - done); };
  while (done < bytes) {
    loff_t from = done;
    const auto copied = ::copy_file_range(source, &from, file_.get(), nullptr, rest(), 0);
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)) fail(errno);
    if (copied <= 0) break;  // reading and writing work where this does not, or tell why
    done += copied;
  }
  std::vector<std::byte> buffer(std::min(rest(), std::size_t{1} << 20));
  while (done < bytes) {
    const auto part = std::span(buffer).first(std::min(rest(), buffer.size()));
    const auto got = ::pread(source, part.data(), part.size(), done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      throw IoError(fmt::format("cannot read {}: {}", excerpt_of_path(name),
                                got == 0 ? "it has become shorter while it was copied"
                                         : std::generic_category().message(errno)));
    }
    write(std::span<const std::byte>(part).first(static_cast<std::size_t>(got)));
    done += got;
  }
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
  const std::array files{this};
  commit(files);
}

void AtomicFile::sync() {
  if (const int cause = sync_descriptor(file_.get())) fail(cause);
  // Some file systems tell of a lack of room no earlier than here.
  if (::close(file_.release()) != 0 && errno != EINTR) fail(errno);
}

void AtomicFile::commit(std::span<AtomicFile* const> files) {
  require_no_cut_file();  // what was read from it may be in these bytes
  for (auto* file : files) file->sync();
  Moves moves;
  std::vector<fs::path> aside;
  const auto put_aside = [&](AtomicFile& file) {
    if (file.direct() || !files::exists(file.target_)) return;
    aside.push_back(file.temporary_.parent_path() / (file.temporary_.stem().string() + "-old.tmp"));
    moves.move(file.target_, aside.back(), file.path_);
  };
  if (files.size() > 1) {  // the last first; a single one is replaced in one step
    std::for_each(files.rbegin(), files.rend(), [&](AtomicFile* file) { put_aside(*file); });
  }
  for (auto* file : files) {
    if (!file->direct()) moves.move(file->temporary_, file->target_, file->path_);
  }
  moves.keep();
  for (const auto& old : aside) ::unlink(old.c_str());
  for (auto* file : files) {
    if (file->direct()) continue;
    file->temporary_.clear();
    file->listed_.reset();
    files::sync_directory(file->target_.parent_path());  // then the name survives a power cut
  }
}

void AtomicFile::fail(int cause) const {
  if (cause == EPIPE) throw ClosedPipe(fmt::format("{} is closed", excerpt_of_path(path_)));
  fail(cause == EISDIR   ? "it is a directory"
       : cause == ESPIPE ? "a pipe cannot be written out of order: name a file"
                         : std::generic_category().message(cause));
}

void AtomicFile::fail(const std::string& why) const {
  throw IoError(fmt::format("cannot write {}: {}", excerpt_of_path(path_), why));
}

}  // namespace cloze
