#include "core/io/output_target.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

#include <linux/magic.h>
#include <sys/vfs.h>

#include "core/numbers.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

/// Whether `folder` holds the names of this process's descriptors.
bool is_descriptors(const fs::path& folder) {
  if (folder == "/proc/self/fd" || folder == "/dev/fd") return true;
  std::error_code error;
  const auto real = fs::canonical(folder, error);
  if (error) return false;
  constexpr std::array<const char*, 2> kOwn{"/proc/self/fd", "/proc/thread-self/fd"};
  return std::any_of(kOwn.begin(), kOwn.end(), [&](const char* own) {
    const auto descriptors = fs::canonical(own, error);
    return !error && descriptors == real;
  });
}

bool is_proc(const fs::path& folder) {
  struct statfs status {};
  return ::statfs(folder.c_str(), &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

}  // namespace

OutputTarget output_target(const fs::path& path) {
  constexpr int kMostLinks = 40;  // as Linux has it
  OutputTarget target{.path = path};
  for (int links = 0; links < kMostLinks; ++links) {
    const auto folder = target.path.has_parent_path() ? target.path.parent_path() : fs::path(".");
    const auto number = whole_number<int>(target.path.filename().string());
    if (number && *number >= 0 && is_descriptors(folder)) target.descriptor = *number;
    target.special = target.descriptor || is_proc(folder);
    if (target.special) return target;
    std::error_code error;
    const auto link = fs::read_symlink(target.path, error);
    if (error) return target;
    target.path = link.is_absolute() ? link : folder / link;
  }
  return {};
}

}  // namespace cloze
