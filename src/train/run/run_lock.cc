#include "train/run/run_lock.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/numbers.h"
#include "core/strings.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kLookAgain{20};
const std::string kName(kLockFile);

[[noreturn]] void fail_to_lock(std::string_view what, const fs::path& path, int cause) {
  throw IoError(fmt::format("cannot {} {}: {}", what, excerpt_of_path(path),
                            std::generic_category().message(cause)));
}

std::string name_of_this_host() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

/// Who has a lock, as its file says it.
struct Holder {
  std::int64_t process = 0;
  std::string host;

  [[nodiscard]] bool on_this_host() const { return host == name_of_this_host(); }
  [[nodiscard]] bool lives() const {
    return ::kill(static_cast<pid_t>(process), 0) == 0 || errno == EPERM;
  }
};

std::string text_of(const Holder& holder) {
  return fmt::format("process {}\nhost {}\n", holder.process, holder.host);
}

/// Nothing for a file that is empty, or no lock of ours.
std::optional<Holder> holder_in(int file) {
  std::array<char, 512> bytes{};
  const auto size = ::pread(file, bytes.data(), bytes.size(), 0);
  const std::string_view text(bytes.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  constexpr std::string_view kProcess = "process ", kHost = "\nhost ";
  const auto host = text.find(kHost);
  if (!text.starts_with(kProcess) || host == std::string_view::npos) return std::nullopt;
  const auto process =
      whole_number<pid_t>(text.substr(kProcess.size(), host - kProcess.size())).value_or(0);
  if (process <= 0) return std::nullopt;
  return Holder{process, std::string(trimmed(text.substr(host + kHost.size())))};
}

/// Whether other hosts may see these files without seeing each other's locks.
bool is_shared_by_hosts(int file) {
  struct statfs status {};
  if (::fstatfs(file, &status) != 0) return false;
  // As linux/magic.h and the file systems themselves have them.
  constexpr std::array<std::uint32_t, 11> kNetwork{
      0x6969,      // NFS
      0x517B,      // SMB
      0xFF534D42,  // CIFS
      0xFE534D42,  // SMB 2
      0x65735546,  // FUSE: sshfs and others
      0x01021997,  // 9P
      0x00C36400,  // Ceph
      0x0BD00BD0,  // Lustre
      0x47504653,  // GPFS
      0x5346414F,  // AFS
      0x19830326,  // BeeGFS
  };
  const auto type = static_cast<std::uint32_t>(status.f_type);
  for (const auto network : kNetwork) {
    if (type == network) return true;
  }
  return false;
}

[[noreturn]] void refuse(const fs::path& directory, const std::optional<Holder>& holder,
                         bool certain) {
  const auto who = holder ? fmt::format("process {} on {}", holder->process, excerpt(holder->host))
                          : std::string("another process");
  const auto where = excerpt_of_path(directory);
  if (certain) {
    throw IoError(
        fmt::format("{} is in use by {}: wait until that run has ended, or give another directory",
                    where, who));
  }
  throw IoError(
      fmt::format("{} is in use by {}, as {} says: if that process runs no more, remove this file",
                  where, who, excerpt_of_path(directory / kLockFile)));
}

/// The same, where the holder may just be about to write its name.
std::optional<Holder> patient_holder_in(int file) {
  constexpr int kTries = 20;
  auto holder = holder_in(file);
  for (int tries = 0; !holder && tries < kTries; ++tries) {
    std::this_thread::sleep_for(kLookAgain);
    holder = holder_in(file);
  }
  return holder;
}

bool is_same(const struct stat& one, const struct stat& other) {
  return one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

/// Directories of a path that are not there, the innermost first.
std::vector<fs::path> missing_directories(fs::path path) {
  std::vector<fs::path> missing;
  if (!path.has_filename()) path = path.parent_path();  // "run/"
  for (; !path.empty() && !files::exists(path); path = path.parent_path()) missing.push_back(path);
  return missing;
}

}  // namespace

RunLock::RunLock(fs::path directory)
    : path_(std::move(directory)), made_(missing_directories(path_)) {
  make_directory(path_);
  directory_ = Descriptor(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_) fail_to_lock("open", path_, errno);
}

RunLock RunLock::take(const fs::path& directory) {
  RunLock lock(directory);
  while (!lock.try_to_take()) {
  }
  return lock;
}

bool RunLock::names(const Descriptor& file) const {
  struct stat opened {
  }, named{};
  return ::fstat(file.get(), &opened) == 0 &&
         ::fstatat(directory_.get(), kName.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         is_same(opened, named);
}

bool RunLock::try_to_take() {
  const auto path = path_ / kLockFile;
  const auto open = [&](int flags) {
    constexpr mode_t kMode = 0666;
    return Descriptor(
        ::openat(directory_.get(), kName.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, kMode));
  };
  auto file = open(O_RDWR | O_CREAT | O_EXCL);
  const bool made = static_cast<bool>(file);
  bool writable = true;
  if (!made && errno == EEXIST) {
    file = open(O_RDWR);
    if (!file && errno == EACCES) {  // of another user
      file = open(O_RDONLY);
      writable = false;
    }
    if (!file && errno == ENOENT) return false;
  }
  if (!file) fail_to_lock("write", path, errno);

  int cause = 0;
  do cause = ::flock(file.get(), LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
  while (cause == EINTR);
  if (cause == EWOULDBLOCK) refuse(path_, patient_holder_in(file.get()), true);
  const bool has_locks = cause == 0;
  // A run that ends removes the file: then this one is the lock of nobody.
  if (!names(file)) return false;
  if (!made) {
    const auto holder = holder_in(file.get());
    const bool unknown =
        holder && !holder->on_this_host() && (!has_locks || is_shared_by_hosts(file.get()));
    if (unknown || (!has_locks && (!holder || holder->lives()))) refuse(path_, holder, false);
  }
  if (!made && (!has_locks || !writable)) {
    // What a killed process has left makes room for a file that only one can make.
    if (::unlinkat(directory_.get(), kName.c_str(), 0) != 0 && errno != ENOENT) {
      fail_to_lock("remove", path, errno);
    }
    return false;
  }
  const auto text = text_of({::getpid(), name_of_this_host()});
  int error = ::ftruncate(file.get(), 0) == 0 ? 0 : errno;
  if (error == 0) error = write_fully(file.get(), std::as_bytes(std::span(text)));
  if (error != 0) {
    ::unlinkat(directory_.get(), kName.c_str(), 0);
    fail_to_lock("write", path, error);
  }
  if (!has_locks) {
    // Another process may have looked at a dead lock before this one removed it, and then have
    // removed the new one.
    std::this_thread::sleep_for(kLookAgain);
    if (!names(file)) return false;
  }
  file_ = std::move(file);
  return true;
}

RunLock::~RunLock() {
  if (!directory_) return;  // moved from
  if (file_ && names(file_)) ::unlinkat(directory_.get(), kName.c_str(), 0);
  struct stat held {
  }, named{};
  if (::fstat(directory_.get(), &held) != 0 || ::stat(path_.c_str(), &named) != 0 ||
      !is_same(held, named)) {
    return;
  }
  std::error_code error;
  for (const auto& directory : made_) {
    if (!fs::remove(directory, error)) return;  // something is in it
  }
}

void RunLock::require_held() {
  struct stat held {
  }, named{};
  if (::fstat(directory_.get(), &held) != 0) fail_to_lock("read", path_, errno);
  if (::stat(path_.c_str(), &named) != 0 || !is_same(held, named)) {
    std::error_code error;
    const auto now = fs::read_symlink(fmt::format("/proc/self/fd/{}", directory_.get()), error);
    if (!error && ::stat(now.c_str(), &named) == 0 && is_same(held, named)) {
      throw IoError(fmt::format(
          "{} was moved to {} while the run went on, so nothing more is saved: resume it there",
          excerpt_of_path(path_), excerpt_of_path(now)));
    }
    throw IoError(fmt::format("{} was removed while the run went on, so nothing more is saved",
                              excerpt_of_path(path_)));
  }
  if (file_ && names(file_)) return;
  file_.reset();
  while (!try_to_take()) {
  }
}

}  // namespace cloze
