#include "bert/context_pool.h"

#include <utility>

namespace cloze::internal {

ContextPool::Lease::Lease(ContextPool& pool) : pool_(pool), context_(pool.take()) {
  if (!context_) context_ = std::make_unique<ops::Context>(pool.device_);
  context_->begin();
}

ContextPool::Lease::~Lease() { pool_.give_back(std::move(context_)); }

ContextPool::~ContextPool() {
  for (auto& place : idle_) delete place.load();
}

std::unique_ptr<ops::Context> ContextPool::take() noexcept {
  for (auto& place : idle_) {
    if (place.load(std::memory_order_relaxed) == nullptr) continue;
    if (auto* context = place.exchange(nullptr)) return std::unique_ptr<ops::Context>(context);
  }
  return nullptr;
}

void ContextPool::give_back(std::unique_ptr<ops::Context> context) noexcept {
  // No more than compute at once are worth keeping. What a time with more threads left in later
  // places goes.
  const auto most = static_cast<std::size_t>(num_threads());
  for (std::size_t i = 0; i < kMost; ++i) {
    auto& place = idle_[i];
    if (i >= most) {
      if (place.load(std::memory_order_relaxed) != nullptr) delete place.exchange(nullptr);
    } else if (context) {
      ops::Context* empty = nullptr;
      if (place.compare_exchange_strong(empty, context.get())) context.release();
    }
  }
}

}  // namespace cloze::internal
