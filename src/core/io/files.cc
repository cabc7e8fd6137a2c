#include "core/io/files.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "cloze/error.h"
#include "core/io/atomic_file.h"
#include "core/io/descriptor.h"
#include "core/io/input_file.h"
#include "core/strings.h"

namespace cloze::files {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(std::string_view what, const fs::path& path, const std::error_code& error) {
  throw IoError(fmt::format("cannot {} {}: {}", what, excerpt_of_path(path), error.message()));
}

}  // namespace

bool exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

bool is_directory(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool is_regular(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::optional<std::int64_t> size(const fs::path& path) {
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  if (error) return std::nullopt;
  return static_cast<std::int64_t>(bytes);
}

std::string read_text(const fs::path& path) { return InputFile(path).text(); }

std::optional<std::string> text_if_readable(const fs::path& path) {
  try {
    return read_text(path);
  } catch (const IoError&) {
    return std::nullopt;
  }
}

void write_text(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void copy(const fs::path& from, const fs::path& to) {
  const Descriptor source(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!source || ::fstat(source.get(), &status) != 0) {
    fail("read", from, std::error_code(errno, std::generic_category()));
  }
  if (!S_ISREG(status.st_mode)) {
    throw IoError(fmt::format("cannot read {}: it is not a regular file", excerpt_of_path(from)));
  }
  AtomicFile file(to);
  file.write_all_of(source.get(), status.st_size, from);
  file.commit();
}

bool same_file(const fs::path& a, const fs::path& b) {
  struct stat first {
  }, second{};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
         S_ISREG(first.st_mode) && first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

void make_directory(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (!error && !fs::is_directory(directory, error)) {
    error = std::make_error_code(std::errc::not_a_directory);
  }
  if (error) fail("make directory", directory, error);
}

void remove(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) fail("remove", path, error);
}

void remove_tree(const fs::path& directory) {
  std::error_code error;
  fs::remove_all(directory, error);
  if (error) fail("remove", directory, error);
}

void sync_directory(const fs::path& directory) {
  const auto name = directory.empty() ? fs::path(".") : directory;
  const Descriptor opened(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || ::fsync(opened.get()) == 0) return;
  if (errno != EIO && errno != ENOSPC && errno != EDQUOT) return;
  fail("write", name, std::error_code(errno, std::generic_category()));
}

std::vector<fs::path> list(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    found.push_back(entry->path());
  }
  if (error) fail("list", directory, error);
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<fs::path> list_recursively(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code unknown;  // a link that leads nowhere is no regular file
    if (entry->is_regular_file(unknown)) found.push_back(entry->path());
  }
  if (error) fail("list", directory, error);
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace cloze::files
