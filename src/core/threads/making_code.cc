#include "core/threads/making_code.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>
#include <system_error>

#include <fmt/format.h>
#include <sys/mman.h>

#include "cloze/error.h"
#include "cloze/memory_faults.h"

namespace cloze {
namespace {

// A product has up to twenty kernels, and each takes 256 KiB of addresses. The rest is for oneDNN's
// other memory.
constexpr std::size_t kRoom = std::size_t{16} << 20U;

/// Threads that are at it.
std::atomic<std::size_t>& makers() {
  static constinit std::atomic<std::size_t> count = 0;
  return count;
}

int& code_depth() {
  constinit thread_local int mine = 0;
  return mine;
}

void require_room(std::size_t size) {
  void* const room =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) throw std::bad_alloc();
  const int refused = ::mprotect(room, size, PROT_READ | PROT_WRITE | PROT_EXEC) == 0 ? 0 : errno;
  ::munmap(room, size);
  if (refused == 0) return;
  if (refused == ENOMEM) throw std::bad_alloc();
  throw Error(
      fmt::format("the system does not let this process make code at run time ({}), which matrix "
                  "products need: "
                  "allow it (SELinux's execmem, systemd's MemoryDenyWriteExecute)",
                  std::generic_category().message(refused)));
}

}  // namespace

MakingCode::MakingCode() {
  const auto count = makers().fetch_add(1) + 1;
  try {
    require_room(count * kRoom);
  } catch (...) {
    makers().fetch_sub(1);
    throw;
  }
  ++code_depth();
}

MakingCode::~MakingCode() {
  --code_depth();
  makers().fetch_sub(1);
}

bool is_out_of_memory(const void* address) noexcept {
  constexpr std::uintptr_t kPastNull = std::uintptr_t{1} << 20U;
  return code_depth() > 0 && reinterpret_cast<std::uintptr_t>(address) < kPastNull;
}

}  // namespace cloze
