#include "core/io/file_attributes.h"

#include <cerrno>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace cloze {
namespace {

constexpr const char* kAccessControlList = "system.posix_acl_access";

/// Copies the access control list. False where there is one and it cannot be kept.
bool keep_access_control_list(int file, const std::filesystem::path& path) {
  const auto size = ::getxattr(path.c_str(), kAccessControlList, nullptr, 0);
  if (size <= 0) {
    ::fremovexattr(file, kAccessControlList);  // what a new file takes from its directory
    return true;
  }
  std::vector<char> list(static_cast<std::size_t>(size));
  return ::getxattr(path.c_str(), kAccessControlList, list.data(), list.size()) == size &&
         ::fsetxattr(file, kAccessControlList, list.data(), list.size(), 0) == 0;
}

}  // namespace

std::string write_protection(const std::filesystem::path& path, const struct stat& status) {
  constexpr mode_t kAnyWrite = S_IWUSR | S_IWGRP | S_IWOTH;
  if ((status.st_mode & kAnyWrite) == 0) return "it is read-only, as its mode says";
  if (::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0) return "";
  return std::generic_category().message(errno);
}

int keep_attributes(int file, const std::filesystem::path& path, const struct stat& status) {
  struct stat made {};
  if (::fstat(file, &made) != 0) return errno;
  // Owner and group first: changing them takes away set-user-ID bits of the mode. Apart, because a
  // member of the group may keep the group alone.
  constexpr auto kSame = static_cast<uid_t>(-1);
  const bool grouped = made.st_gid == status.st_gid || ::fchown(file, kSame, status.st_gid) == 0;
  const bool owned = made.st_uid == status.st_uid || ::fchown(file, status.st_uid, kSame) == 0;
  const bool listed = keep_access_control_list(file, path);
  mode_t mode = status.st_mode & 07777U;
  if (!owned) mode &= ~static_cast<mode_t>(S_ISUID | S_ISGID);
  // What the group may do is not for another group; and without its list a file gives the group
  // what the list gave to some.
  constexpr mode_t kOthers = S_IRWXO, kGroup = S_IRWXG;
  if (!grouped || !listed) mode &= ~(kGroup | S_ISGID) | (mode & kOthers) << 3U;
  return ::fchmod(file, mode) == 0 ? 0 : errno;
}

}  // namespace cloze
