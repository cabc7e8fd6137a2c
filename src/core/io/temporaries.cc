#include "core/io/temporaries.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cloze/output.h"

namespace cloze {
namespace {

/// A place of the table. `owner` is the process whose temporary it is: a child that was forked has
/// the table too, and is not to remove its parent's.
struct Slot {
  static constexpr pid_t kFree = 0, kTaken = -1;
  std::atomic<pid_t> owner{kFree};
  std::array<char, PATH_MAX> path{};
};

constexpr int kSlots = 32;

// A signal's handler can reach nothing but a global.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
constinit std::array<Slot, kSlots> slots;

/// Removes a file, or a directory with what is in it. Calls nothing that a handler may not call.
void remove_in_handler(int folder, const char* path, int depth) {
  constexpr int kDeepest = 4;  // a model's directory has one level below it
  if (::unlinkat(folder, path, 0) == 0 || depth == kDeepest) return;
  if (errno != EISDIR && errno != EPERM) return;
  const int opened = ::openat(folder, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (opened < 0) return;
  // As getdents64 fills it in, which needs no memory that has to be allocated: of each entry the
  // length is a 16-bit number at 16, and the name begins at 19.
  constexpr long kLength = 16, kName = 19;
  std::array<char, 2048> buffer{};
  for (;;) {
    const auto got = ::syscall(SYS_getdents64, opened, buffer.data(), buffer.size());
    if (got <= 0) break;
    for (long at = 0; at < got;) {
      const char* const entry = buffer.data() + at;
      const char* const name = entry + kName;
      std::uint16_t length = 0;
      std::memcpy(&length, entry + kLength, sizeof length);
      at += length;
      if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0) continue;
      remove_in_handler(opened, name, depth + 1);
    }
  }
  ::close(opened);
  ::unlinkat(folder, path, AT_REMOVEDIR);
}

}  // namespace

std::filesystem::path temporary_name(const std::filesystem::path& target, int number) {
  constexpr std::size_t kLongestName = 200;
  const auto name = target.filename().string().substr(0, kLongestName);
  return target.parent_path() / fmt::format(".{}.{}-{}.tmp", name, ::getpid(), number);
}

Temporary::Temporary(const std::filesystem::path& path) {
  const auto& text = path.native();
  if (text.size() >= PATH_MAX) return;
  for (int i = 0; i < kSlots; ++i) {
    auto& slot = slots.at(static_cast<std::size_t>(i));
    auto expected = Slot::kFree;
    if (!slot.owner.compare_exchange_strong(expected, Slot::kTaken)) continue;
    std::memcpy(slot.path.data(), text.c_str(), text.size() + 1);
    slot.owner = ::getpid();
    slot_ = i;
    return;
  }
}

Temporary::Temporary(Temporary&& other) noexcept : slot_(std::exchange(other.slot_, -1)) {}

Temporary& Temporary::operator=(Temporary&& other) noexcept {
  if (this != &other) {
    reset();
    slot_ = std::exchange(other.slot_, -1);
  }
  return *this;
}

void Temporary::reset() {
  if (slot_ >= 0) slots.at(static_cast<std::size_t>(std::exchange(slot_, -1))).owner = Slot::kFree;
}

SignalsHeld::SignalsHeld() {
  sigset_t held;
  sigemptyset(&held);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&held, signal);
  ::pthread_sigmask(SIG_BLOCK, &held, &before_);
}

SignalsHeld::~SignalsHeld() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void remove_temporaries() noexcept {
  const auto saved = errno;
  const auto self = ::getpid();
  // Backwards: a file inside of a directory was listed after it.
  std::for_each(slots.rbegin(), slots.rend(), [self](const Slot& slot) {
    if (slot.owner == self) remove_in_handler(AT_FDCWD, slot.path.data(), 0);
  });
  errno = saved;
}

}  // namespace cloze
