#include "core/io/mapped_regions.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cloze/error.h"
#include "cloze/memory_faults.h"
#include "core/strings.h"

namespace cloze {
namespace {

/// A place of the table: free where `begin` is 0, being filled in where `size` is 0.
struct Region {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::size_t> size{0};
  std::atomic<const char*> path{nullptr};
  std::atomic<bool> cut{false};
};

struct Table {
  std::array<Region, 256> regions;
  std::array<char, PATH_MAX> cut_path{};  ///< of the first that was cut
  std::atomic<bool> any_cut{false};
  struct sigaction before {};
  std::size_t page = 0;
};

// A signal's handler can reach nothing but a global.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
constinit Table table;

void note_cut(Region& region) {
  region.cut.store(true);
  if (table.any_cut.load()) return;
  const char* path = region.path.load();
  for (std::size_t i = 0; path != nullptr && i + 1 < table.cut_path.size() && path[i] != 0; ++i) {
    table.cut_path[i] = path[i];
  }
  table.any_cut.store(true);
}

/// Zeros where `address` is, if that is in a mapped file.
bool put_zeros_at(std::uintptr_t address) {
  for (auto& region : table.regions) {
    const auto begin = region.begin.load();
    const auto size = region.size.load();
    if (begin == 0 || size == 0 || address < begin || address - begin >= size) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): addresses are kept as numbers, which are atomic
    auto* const page = reinterpret_cast<void*>(address / table.page * table.page);
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    if (::mmap(page, table.page, PROT_READ, kFlags, -1, 0) == MAP_FAILED) return false;
    note_cut(region);
    return true;
  }
  return false;
}

extern "C" void on_bus_error(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  const bool mended =
      info->si_code == BUS_ADRERR && put_zeros_at(reinterpret_cast<std::uintptr_t>(info->si_addr));
  errno = saved;
  if (mended) return;
  const auto& before = table.before;
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(signal, info, context);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal);
  } else {
    ::signal(signal, SIG_DFL);  // the access is tried again, and ends the process
  }
}

}  // namespace

MappedRegion::MappedRegion(const void* begin, std::size_t size, const char* path) {
  for (int i = 0; i < static_cast<int>(table.regions.size()); ++i) {
    auto& region = table.regions[static_cast<std::size_t>(i)];
    std::uintptr_t free = 0;
    if (!region.begin.compare_exchange_strong(free, reinterpret_cast<std::uintptr_t>(begin))) {
      continue;
    }
    region.cut.store(false);
    region.path.store(path);
    region.size.store(size);
    place_ = i;
    return;
  }
}

MappedRegion::~MappedRegion() {
  if (place_ < 0) return;
  auto& region = table.regions[static_cast<std::size_t>(place_)];
  region.size.store(0);
  region.begin.store(0);
}

bool MappedRegion::cut() const {
  return place_ >= 0 && table.regions[static_cast<std::size_t>(place_)].cut.load();
}

void survive_cut_files() {
  table.page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  struct sigaction now {};
  if (::sigaction(SIGBUS, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 &&
      now.sa_sigaction == on_bus_error) {
    return;
  }
  table.before = now;
  ::sigaction(SIGBUS, &action, nullptr);
}

void require_no_cut_file() {
  if (!table.any_cut.load()) return;
  throw IoError(fmt::format("cannot read {}: it has become shorter while it is in use",
                            excerpt_of_path(table.cut_path.data())));
}

}  // namespace cloze
