// The processor's memory and contexts.
#include "ops/cpu/cpu_device.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

#include "core/arena.h"
#include "core/parallel.h"
#include "ops/cpu/machine/fastest_dtype.h"
#include "ops/cpu/state.h"

namespace cloze::ops {

const Device& cpu() {
  static const CpuDevice device;
  return device;
}

bool CpuDevice::accelerates(DType compute) const { return ops::accelerates(compute); }
DType CpuDevice::fastest_dtype() const { return ops::fastest_dtype(); }

std::shared_ptr<std::byte> CpuDevice::allocate(std::size_t size) const {
  // Small arrays, such as a layer norm's, would begin a page each and then share the same sets of the
  // cache.
  constexpr std::size_t kLarge = std::size_t{1} << 16;
  constexpr std::align_val_t kAlignment{64};
  if (size >= kLarge) return map_memory(size);
  auto* bytes = static_cast<std::byte*>(::operator new(size, kAlignment));
  std::fill_n(bytes, size, std::byte{0});
  return {bytes, [](std::byte* memory) { ::operator delete(memory, kAlignment); }};
}

void CpuDevice::copy_in(std::span<const std::byte> from, std::byte* to) const {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
}

void CpuDevice::copy_out(const std::byte* from, std::span<std::byte> to) const {
  if (!to.empty()) std::memcpy(to.data(), from, to.size());
}

void CpuDevice::fill_zero(std::span<std::byte> bytes) const {
  constexpr std::int64_t kGrain = std::int64_t{4} << 20;
  const auto size = static_cast<std::int64_t>(bytes.size());
  parallel_for((size + kGrain - 1) / kGrain, 1, [&](std::int64_t i) {
    const auto begin = bytes.begin() + i * kGrain;
    std::fill(begin, begin + std::min(kGrain, size - i * kGrain), std::byte{0});
  });
}

std::unique_ptr<Context::State> CpuDevice::make_state() const {
  return std::make_unique<CpuState>();
}

CpuState::CpuState() { prepare(); }

void CpuState::begin() {
  prepare();
  profiling = false;
}

void CpuState::prepare() {
  const auto wanted = static_cast<std::size_t>(num_threads());
  while (workers_.size() < wanted) workers_.push_back(std::make_unique<Worker>());
}

Worker& CpuState::worker() { return *workers_.at(static_cast<std::size_t>(worker_index())); }

// Every operation asks for its worker, and a device's contexts are of its own making.
CpuState& state_of(Context& context) {
  return static_cast<CpuState&>(context.state());  // NOLINT(*-static-cast-downcast)
}

Worker& worker_of(Context& context) { return state_of(context).worker(); }

void parallel_tasks(Context& context, std::int64_t count, FunctionRef<void(std::int64_t)> body) {
  if (!in_parallel()) state_of(context).prepare();
  parallel_for(count, 1, body);
}

}  // namespace cloze::ops
