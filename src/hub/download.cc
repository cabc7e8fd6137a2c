#include "hub/download.h"

#include <cerrno>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloze/error.h"
#include "core/io/descriptor.h"
#include "core/io/files.h"
#include "core/json.h"
#include "hub/checksum.h"

namespace cloze::hub {
namespace {

namespace fs = std::filesystem;

/// `ETAG.incomplete`: what has arrived so far. It stays when this goes, for the next to go on with.
class Incomplete {
 public:
  explicit Incomplete(fs::path path)
      : path_(std::move(path)),
        descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666)) {
    if (!descriptor_) fail(errno);
    struct stat status {};
    if (::fstat(descriptor_.get(), &status) != 0) fail(errno);
    size_ = status.st_size;
    if (::lseek(descriptor_.get(), 0, SEEK_END) < 0) fail(errno);
  }
  Incomplete(const Incomplete&) = delete;
  Incomplete& operator=(const Incomplete&) = delete;
  Incomplete(Incomplete&&) = delete;
  Incomplete& operator=(Incomplete&&) = delete;
  ~Incomplete() = default;

  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] const fs::path& path() const { return path_; }

  void clear() {
    if (::ftruncate(descriptor_.get(), 0) != 0 || ::lseek(descriptor_.get(), 0, SEEK_SET) < 0)
      fail(errno);
    size_ = 0;
  }

  void write(std::span<const std::byte> bytes) {
    if (const int error = write_fully(descriptor_.get(), bytes)) fail(error);
    size_ += static_cast<std::int64_t>(bytes.size());
  }

  void become(const fs::path& blob) {
    if (::fsync(descriptor_.get()) != 0 || ::rename(path_.c_str(), blob.c_str()) != 0) fail(errno);
    files::sync_directory(blob.parent_path());
  }

 private:
  [[noreturn]] void fail(int cause) const {
    throw IoError(
        fmt::format("cannot write {} of the Hub's cache: {}; HF_HUB_CACHE chooses "
                    "another place",
                    path_.string(), std::generic_category().message(cause)));
  }
  fs::path path_;
  Descriptor descriptor_;
  std::int64_t size_ = 0;
};

/// Whether the cache has the blob, of the size that the Hub says.
bool has_blob(const fs::path& blob, const RemoteFile& file) {
  const auto size = files::size(blob);
  return size && (!file.size || *file.size == *size);
}

}  // namespace

std::int64_t fetch_blob(Client& client, const ModelCache& cache, const std::string& commit,
                        const RemoteFile& file, const Advance& advance,
                        const NoticeCallback& notice, const std::atomic<bool>* cancelled) {
  const auto blob = cache.blob(file.etag);
  const auto report_there = [&] { advance(file.size.value_or(0)); };
  if (has_blob(blob, file)) {
    report_there();
    return 0;
  }
  const FileLock lock(cache.lock(file.etag), cancelled, notice);
  if (has_blob(blob, file)) {  // somebody else was at it
    report_there();
    return 0;
  }

  Incomplete incomplete(cache.incomplete(file.etag));
  std::int64_t received = 0;
  const auto clear = [&] {
    advance(-incomplete.size());
    incomplete.clear();
  };
  advance(incomplete.size());
  const Client::Receiver receiver{.restart = clear, .write = [&](std::span<const std::byte> bytes) {
                                    const auto count = static_cast<std::int64_t>(bytes.size());
                                    if (file.size && incomplete.size() + count > *file.size) {
                                      clear();
                                      throw FormatError(fmt::format(
                                          "{}: the server sends more than the {} bytes that the "
                                          "file has",
                                          excerpt(file.name), *file.size));
                                    }
                                    incomplete.write(bytes);
                                    received += count;
                                    advance(count);
                                  }};

  std::int64_t before = 0;
  constexpr std::int64_t kWorthwhile = std::int64_t{1} << 20;
  const auto progressed = [&] { return received - before >= kWorthwhile; };
  for (bool again = false;; again = true) {
    if (file.size && incomplete.size() > *file.size) clear();
    client.patiently(
        [&] {
          before = received;
          if (file.size && incomplete.size() == *file.size) return;
          client.download(commit, file.name, incomplete.size(), receiver);
          if (file.size && incomplete.size() < *file.size) {
            throw TemporaryError(fmt::format("{}: {} of {} bytes came before the connection ended",
                                             excerpt(file.name), incomplete.size(), *file.size));
          }
        },
        progressed);
    const auto found = checksum_of(incomplete.path(), file.etag);
    if (found == file.etag) break;
    // What was left behind may have been damaged; what came in one go should be right.
    clear();
    if (again) {
      std::error_code ignored;
      fs::remove(incomplete.path(), ignored);
      throw FormatError(
          fmt::format("{}: the checksum of what came is {}, and the Hub says {}, twice: it is "
                      "damaged on its way (a proxy?) or on the server",
                      excerpt(file.name), found, file.etag));
    }
  }
  incomplete.become(blob);
  return received;
}

}  // namespace cloze::hub
