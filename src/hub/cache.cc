#include "hub/cache.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloze/error.h"
#include "core/clock.h"
#include "core/io/atomic_file.h"
#include "core/io/files.h"
#include "core/strings.h"
#include "hub/checksum.h"
#include "hub/http.h"

namespace cloze::hub {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const std::error_code& error) {
  throw IoError(
      fmt::format("cannot write {} of the Hub's cache: {}; HF_HUB_CACHE chooses another "
                  "place",
                  path.string(), error.message()));
}

std::error_code last_error() { return {errno, std::generic_category()}; }

/// The process that holds a lock on the open file, as Linux tells; empty where it does not.
std::string holder_of(int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return {};
  std::istringstream lines(files::text_if_readable("/proc/locks").value_or(""));
  // "1: FLOCK  ADVISORY  WRITE 4242 08:01:131 0 EOF": the process, and device and inode of the file.
  std::string number, kind, rule, access, process, file;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    words >> number >> kind >> rule >> access >> process >> file;
    if (kind == "FLOCK" && file.ends_with(fmt::format(":{}", status.st_ino))) return process;
  }
  return {};
}

std::string waiting_for(const fs::path& path, int descriptor) {
  const auto process = holder_of(descriptor);
  return fmt::format(
      "waiting for {}, which downloads the same file and holds {}; if it hangs or is stopped, end "
      "it{}",
      process.empty() ? "another process" : fmt::format("process {}", process),
      excerpt_of_path(path), process.empty() ? "" : fmt::format(" (kill {})", process));
}

void write_text(const fs::path& path, const std::string& text) {
  files::make_directory(path.parent_path());
  files::write_text(path, text);
}

}  // namespace

FileLock::FileLock(const fs::path& path, const std::atomic<bool>* cancelled,
                   const NoticeCallback& notice) {
  make_directory(path.parent_path());
  const auto begin = Clock::now();
  bool told = !notice;
  for (;;) {
    // The mode is huggingface_hub's: users who share a cache can wait for each other.
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0664);
    if (descriptor_ < 0) fail(path, last_error());
    while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      const auto error = last_error();
      // A file system without locks: what follows is right without, it may only be done twice.
      if (error != std::errc::operation_would_block && error != std::errc::interrupted) return;
      if (cancelled != nullptr && cancelled->load(std::memory_order_relaxed)) {
        ::close(descriptor_);
        throw http::Cancelled();
      }
      if (!told && seconds_since(begin) > 1) {
        notice(waiting_for(path, descriptor_));
        told = true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    // Whoever held it may have removed the file: then this is a lock on nothing.
    struct stat held {
    }, there{};
    if (::fstat(descriptor_, &held) == 0 && ::stat(path.c_str(), &there) == 0 &&
        held.st_ino == there.st_ino && held.st_dev == there.st_dev) {
      return;
    }
    ::close(descriptor_);
  }
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);  // and unlocked with it
}

ModelCache::ModelCache(fs::path cache, const std::string& name)
    : cache_(std::move(cache)), folder_("models--") {
  for (const char c : name) folder_ += c == '/' ? std::string("--") : std::string(1, c);
  root_ = cache_ / folder_;
}

fs::path ModelCache::blob(const std::string& etag) const { return root_ / "blobs" / etag; }

fs::path ModelCache::lock(const std::string& etag) const {
  return cache_ / ".locks" / folder_ / (etag + ".lock");
}

fs::path ModelCache::snapshot(const std::string& commit) const {
  return root_ / "snapshots" / commit;
}

fs::path ModelCache::incomplete(const std::string& etag) const {
  return root_ / "blobs" / (etag + ".incomplete");
}

void ModelCache::make_directories() const {
  for (const auto& directory : {root_ / "blobs", root_ / "refs", root_ / "snapshots"}) {
    std::error_code error;
    fs::create_directories(directory, error);
    if (error) fail(directory, error);
    if (::access(directory.c_str(), W_OK) != 0) fail(directory, last_error());
  }
}

std::optional<std::string> ModelCache::commit_of(const std::string& revision) const {
  if (is_commit(revision)) return revision;
  auto commit = files::text_if_readable(root_ / "refs" / revision);
  if (!commit) return std::nullopt;
  while (commit->ends_with('\n')) commit->pop_back();
  return is_commit(*commit) ? commit : std::nullopt;
}

void ModelCache::set_commit(const std::string& revision, const std::string& commit) const {
  if (is_commit(revision)) return;
  if (files::text_if_readable(root_ / "refs" / revision) == commit) return;
  write_text(root_ / "refs" / revision, commit);
}

bool ModelCache::has(const std::string& commit, const std::string& file) const {
  return files::exists(snapshot(commit) / file);
}

void ModelCache::link(const std::string& commit, const std::string& file,
                      const std::string& etag) const {
  const auto pointer = snapshot(commit) / file;
  make_directory(pointer.parent_path());
  fs::path up;
  for (const auto& part : (fs::path("snapshots") / commit / file).parent_path()) {
    static_cast<void>(part);
    up /= "..";
  }
  const auto target = up / "blobs" / etag;
  std::error_code error;
  if (fs::read_symlink(pointer, error) == target && files::exists(pointer)) return;
  // By way of a name of its own, so that a link that leads nowhere is replaced in one step. Another
  // thread may be linking a file of the same content, or this file: each takes a name that is free.
  const auto name = pointer.filename().string().substr(0, 200);
  fs::path made;
  for (int attempt = 0;; ++attempt) {
    constexpr int kAttempts = 1000;
    made = pointer.parent_path() / fmt::format(".{}.{}-{}.link", name, ::getpid(), attempt);
    fs::create_symlink(target, made, error);
    if (error == std::errc::operation_not_permitted ||
        error == std::errc::operation_not_supported || error == std::errc::function_not_supported) {
      fs::copy_file(blob(etag), made, error);
    }
    if (error != std::errc::file_exists || attempt == kAttempts) break;
  }
  if (error) fail(made, error);
  fs::rename(made, pointer, error);
  if (error) {
    std::error_code ignored;
    fs::remove(made, ignored);
    fail(pointer, error);
  }
}

bool ModelCache::drop_damaged(const std::string& commit, const std::string& file) const {
  const auto pointer = snapshot(commit) / file;
  std::error_code error;
  const auto etag = fs::read_symlink(pointer, error).filename().string();
  if (error || !is_checksum(etag) || checksum_of(pointer, etag) == etag) return false;
  for (const auto& path : {pointer, blob(etag)}) {
    fs::remove(path, error);
    if (error) fail(path, error);
  }
  return true;
}

std::optional<std::vector<std::string>> ModelCache::whole(const std::string& commit) const {
  const auto text = files::text_if_readable(root_ / ".cloze" / commit);
  if (!text) return std::nullopt;
  std::vector<std::string> files;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (!is_safe_path(line) || !has(commit, line)) return std::nullopt;
    files.push_back(line);
  }
  if (files.empty()) return std::nullopt;
  return files;
}

void ModelCache::set_whole(const std::string& commit, const std::vector<std::string>& files) const {
  std::string text;
  for (const auto& file : files) text += file + '\n';
  write_text(root_ / ".cloze" / commit, text);
}

void ModelCache::require_space(std::int64_t bytes) const {
  std::error_code error;
  const auto space = fs::space(root_, error);
  if (error || bytes <= 0 || space.available >= static_cast<std::uintmax_t>(bytes)) return;
  throw IoError(
      fmt::format("the model takes {} MiB and {} has {} MiB free: make room, or set HF_HUB_CACHE "
                  "to another place",
                  (bytes >> 20) + 1, cache_.string(), space.available >> 20U));
}

}  // namespace cloze::hub
