#include "core/io/whole_directory.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <functional>
#include <set>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloze/error.h"
#include "cloze/output.h"
#include "core/io/file_attributes.h"
#include "core/io/files.h"
#include "core/io/moves.h"
#include "core/io/output_target.h"
#include "core/numbers.h"
#include "core/strings.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kInside = "cloze-unfinished";

[[noreturn]] void fail_whole(const fs::path& path, const std::string& why) {
  throw IoError(fmt::format("cannot write {}: {}", excerpt_of_path(path), why));
}

[[noreturn]] void fail_whole(const fs::path& path, int cause) {
  fail_whole(path, std::generic_category().message(cause));
}

bool is_temporary_of(std::string_view name, const fs::path& entry) {
  const auto file = entry.filename().string();
  return file.starts_with(fmt::format(".{}.", name)) && file.ends_with(".tmp");
}

/// Whether the process that made a temporary is gone: no process has its id, and none holds the
/// lock, which a container's processes see whatever their ids.
bool is_abandoned(const fs::path& temporary) {
  const auto name = temporary.stem().string();  // ".NAME.PROCESS-NUMBER"
  const auto process = name.substr(name.rfind('.') + 1);
  const auto id = whole_number<pid_t>(process.substr(0, process.find('-')));
  if (!id || *id <= 0 || ::kill(*id, 0) == 0 || errno != ESRCH) return false;
  const Descriptor opened(::open(temporary.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return opened && ::flock(opened.get(), LOCK_EX | LOCK_NB) == 0;
}

void remove_abandoned(const fs::path& folder, std::string_view name) {
  try {
    for (const auto& entry : files::list(folder)) {
      if (is_temporary_of(name, entry) && is_abandoned(entry)) files::remove_tree(entry);
    }
  } catch (const IoError&) {  // NOLINT(bugprone-empty-catch): a folder that may not be listed
  }
}

/// A file that is in the way of a new one, or obsolete: throws where it may not be removed.
struct stat require_replaceable(const fs::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) fail_whole(path, errno);
  if (S_ISDIR(status.st_mode)) fail_whole(path, "it is a directory");
  if (!S_ISREG(status.st_mode)) return status;
  if (const auto why = write_protection(path, status); !why.empty()) fail_whole(path, why);
  return status;
}

/// Links that lead nowhere count.
bool has_name(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

void take_attributes(const fs::path& file, const fs::path& from, const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return;
  const Descriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened) fail_whole(from, errno);
  if (const int cause = keep_attributes(opened.get(), from, status)) fail_whole(from, cause);
}

}  // namespace

bool WholeDirectory::is_temporary(const fs::path& entry) { return is_temporary_of(kInside, entry); }

WholeDirectory::WholeDirectory(const fs::path& target) : target_(output_target(target).path) {
  if (target_.empty()) fail_whole(target, target.empty() ? ENOENT : ELOOP);
  while (!target_.has_filename() || target_.filename() == ".") {  // "model/", "model/."
    if (!target_.has_parent_path() || target_ == target_.parent_path()) break;
    target_ = target_.parent_path();
  }
  std::error_code ignored;
  inside_ = fs::exists(target_, ignored);
  const auto beside = inside_ ? target_ / kInside : target_;
  const auto folder = beside.has_parent_path() ? beside.parent_path() : fs::path(".");
  files::make_directory(folder);
  remove_abandoned(folder, beside.filename().string());
  make_temporary(beside);
  lock_ = Descriptor(::open(temporary_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock_) ::flock(lock_.get(), LOCK_EX | LOCK_NB);  // a file system without locks does without
  if (::mkdir(made().c_str(), 0777) != 0) {
    const int cause = errno;
    ::rmdir(temporary_.c_str());  // a constructor that throws has no destructor
    fail_whole(target_, cause);
  }
}

void WholeDirectory::make_temporary(const fs::path& beside) {
  const SignalsHeld held;  // until it is listed, nobody would remove it
  int failed = -1;
  for (int number = 0; number < kTemporaryNames && failed != 0; ++number) {
    temporary_ = temporary_name(beside, number);
    failed = ::mkdir(temporary_.c_str(), 0777);
    if (failed != 0 && errno != EEXIST) break;
  }
  if (failed != 0) fail_whole(target_, errno);
  listed_ = Temporary(temporary_);
}

WholeDirectory::~WholeDirectory() {
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
}

void WholeDirectory::fill(FunctionRef<void(const fs::path&)> write) const {
  const auto folder = made();
  try {
    write(folder);
  } catch (const ClosedPipe&) {
    throw;
  } catch (const IoError& error) {
    std::string text = error.what();
    if (const auto at = text.find(folder.native()); at != std::string::npos) {
      text.replace(at, folder.native().size(), target_.native());
    }
    throw IoError(text);
  }
}

void WholeDirectory::commit(const std::vector<std::string>& keys,
                            const std::vector<std::string>& obsolete) {
  if (inside_) {
    replace(keys, obsolete);
  } else {
    const SignalsHeld held;
    if (::rename(made().c_str(), target_.c_str()) != 0) fail_whole(target_, errno);
    ::rmdir(temporary_.c_str());
    files::sync_directory(target_.parent_path());
  }
}

void WholeDirectory::replace(const std::vector<std::string>& keys,
                             const std::vector<std::string>& obsolete) {
  std::vector<fs::path> coming, going;
  for (const auto& file : files::list_recursively(made())) {
    coming.push_back(file.lexically_relative(made()));
  }
  // Everything that can be refused is refused before anything is moved.
  for (const auto& name : coming) {
    if (!has_name(target_ / name)) continue;
    take_attributes(made() / name, target_ / name, require_replaceable(target_ / name));
    going.push_back(name);
  }
  for (const auto& name : obsolete) {
    if (std::find(coming.begin(), coming.end(), name) != coming.end()) continue;
    if (!has_name(target_ / name)) continue;
    static_cast<void>(require_replaceable(target_ / name));
    going.emplace_back(name);
  }
  const auto is_key = [&](const fs::path& name) {
    return std::find(keys.begin(), keys.end(), name) != keys.end();
  };
  std::stable_partition(going.begin(), going.end(), is_key);
  std::stable_partition(coming.begin(), coming.end(), std::not_fn(is_key));
  if (coming.size() == 1 && going == coming) going.clear();  // replaced in one step

  std::set<fs::path> folders{target_};
  {
    Moves moves;
    listed_.reset();  // what is set aside is not for a signal to remove
    moves.make_directory(temporary_ / "old");
    for (std::size_t i = 0; i < going.size(); ++i) {
      moves.move(target_ / going[i], temporary_ / "old" / std::to_string(i), target_ / going[i]);
    }
    for (const auto& name : coming) {
      auto folder = target_;
      for (const auto& part : name.parent_path()) {
        folder /= part;
        moves.make_directory(folder);
      }
      folders.insert(folder);
      moves.move(made() / name, target_ / name, target_ / name);
    }
    moves.keep();
    listed_ = Temporary(temporary_);
  }
  for (const auto& folder : folders) files::sync_directory(folder);
}

}  // namespace cloze
