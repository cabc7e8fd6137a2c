/// \file
/// The cache on disk, as huggingface_hub lays it out:
///
///     CACHE/models--owner--name/blobs/ETAG               a file's content
///     CACHE/models--owner--name/snapshots/COMMIT/FILE    a relative link to its blob
///     CACHE/models--owner--name/refs/REVISION            the commit that a branch or tag was
///     CACHE/models--owner--name/.cloze/COMMIT            Cloze's own: which files make it whole
///     CACHE/.locks/models--owner--name/ETAG.lock         held (flock) while a blob is written
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cloze/hub.h"
#include "hub/names.h"

namespace cloze::hub {

/// An exclusive lock on a file, shared with the `filelock` of Python. Released when it goes.
class FileLock {
 public:
  /// Waits for it; http::Cancelled ends the wait once `cancelled` is true. `notice`, where it is not
  /// empty, is told once when it takes more than a second, and who holds the lock. Throws IoError.
  FileLock(const std::filesystem::path& path, const std::atomic<bool>* cancelled,
           const NoticeCallback& notice = {});
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  FileLock(FileLock&&) = delete;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  int descriptor_ = -1;
};

/// The part of the cache that belongs to one model. Members throw IoError, which says where.
class ModelCache {
 public:
  ModelCache(std::filesystem::path cache, const std::string& name);

  [[nodiscard]] std::filesystem::path blob(const std::string& etag) const;
  [[nodiscard]] std::filesystem::path lock(const std::string& etag) const;
  [[nodiscard]] std::filesystem::path snapshot(const std::string& commit) const;
  [[nodiscard]] std::filesystem::path incomplete(const std::string& etag) const;

  /// Makes the directories that downloads are written into.
  void make_directories() const;

  /// The commit of a revision: itself if it is one, else what `refs` says; nothing if it does not.
  [[nodiscard]] std::optional<std::string> commit_of(const std::string& revision) const;
  /// Notes that the branch or tag `revision` is `commit` now.
  void set_commit(const std::string& revision, const std::string& commit) const;

  /// Whether the snapshot has the file (with its blob).
  [[nodiscard]] bool has(const std::string& commit, const std::string& file) const;
  /// Computes the checksum of a file of the snapshot; removes the file and returns true if it is
  /// not what the blob's name says.
  [[nodiscard]] bool drop_damaged(const std::string& commit, const std::string& file) const;
  /// Puts the file into the snapshot: a link to the blob; where the file system has no links, a
  /// copy.
  void link(const std::string& commit, const std::string& file, const std::string& etag) const;

  /// The files that Cloze found to make the snapshot whole; nothing if it never fetched it whole.
  [[nodiscard]] std::optional<std::vector<std::string>> whole(const std::string& commit) const;
  void set_whole(const std::string& commit, const std::vector<std::string>& files) const;

  /// Throws IoError when the file system of the cache has less than `bytes` free.
  void require_space(std::int64_t bytes) const;

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }

 private:
  std::filesystem::path cache_;
  std::string folder_;          // "models--owner--name"
  std::filesystem::path root_;  // cache_ / folder_
};

}  // namespace cloze::hub
