#include "core/io/mapped_file.h"

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloze/error.h"
#include "core/io/descriptor.h"
#include "core/strings.h"

namespace cloze {
namespace {

[[noreturn]] void fail_to_map(const std::filesystem::path& path, std::string_view cause) {
  throw IoError(fmt::format("cannot read {}: {}", excerpt_of_path(path), cause));
}

[[noreturn]] void fail_to_map(const std::filesystem::path& path, int cause) {
  fail_to_map(path, std::generic_category().message(cause));
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // O_NONBLOCK: a pipe is refused below, not waited for.
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) fail_to_map(path, errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) fail_to_map(path, errno);
  if (S_ISDIR(status.st_mode)) fail_to_map(path, "it is a directory");
  if (!S_ISREG(status.st_mode)) fail_to_map(path, "it is not a regular file");
  std::shared_ptr<MappedFile> file(new MappedFile());
  if (status.st_size == 0) return file;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* mapping = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (mapping == MAP_FAILED) fail_to_map(path, errno);
  file->data_ = static_cast<const std::byte*>(mapping);
  file->size_ = size;
  file->path_ = path;
  file->written_ = status.st_mtim;
  file->file_ = std::move(fd);
  file->region_ = std::make_unique<const MappedRegion>(mapping, size, file->path_.c_str());
  return file;
}

void MappedFile::require_unchanged() const {
  if (!file_) return;
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) fail_to_map(path_, errno);
  if (region_->cut() || status.st_size < static_cast<off_t>(size_)) {
    fail_to_map(path_, "it has become shorter while it is in use");
  }
  if (status.st_mtim.tv_sec != written_.tv_sec || status.st_mtim.tv_nsec != written_.tv_nsec) {
    fail_to_map(path_, "it has been written to while it is in use");
  }
}

MappedFile::~MappedFile() {
  region_.reset();
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::release(std::span<const std::byte> part) const {
  if (part.empty()) return;
  // The mapping begins at a page, so offsets into it tell which pages lie wholly inside the part.
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = static_cast<std::size_t>(part.data() - data_);
  const auto first = (begin + page - 1) / page * page;
  const auto last = (begin + part.size()) / page * page;
  if (first < last) ::madvise(const_cast<std::byte*>(data_) + first, last - first, MADV_DONTNEED);
}

}  // namespace cloze
