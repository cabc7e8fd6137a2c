#include "core/parallel.h"

#include <algorithm>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/threads/executor.h"
#include "core/threads/process_executor.h"
#include "core/threads/thread_role.h"

namespace cloze {

int num_threads() {
  const auto& role = thread_role();
  if (role.threads > 0) return role.threads;
  return role.own != nullptr ? role.own->executor()->threads() : process_threads();
}

bool in_parallel() { return thread_role().in_parallel; }

int worker_index() { return thread_role().worker; }

Computation::Computation() {
  auto& role = thread_role();
  if (role.in_parallel || role.computation != nullptr) return;
  executor_ = role.own != nullptr ? role.own->executor() : process_executor();
  slot_ = &executor_->enter();
  role.computation = this;
  role.threads = executor_->threads();
}

Computation::~Computation() {
  if (slot_ == nullptr) return;
  auto& role = thread_role();
  role.computation = nullptr;
  role.threads = 0;
  executor_->leave(*slot_);
}

void parallel_for(std::int64_t count, std::int64_t grain, FunctionRef<void(std::int64_t)> body) {
  const auto here = [&] {
    for (std::int64_t i = 0; i < count; ++i) body(i);
  };
  auto& role = thread_role();
  if (count <= grain || role.in_parallel) return here();
  const Computation mine;
  const auto& computation = *role.computation;
  if (role.threads == 1) return here();
  computation.executor_->run(*computation.slot_, count, grain, body);
}

OwnThreads::OwnThreads(int count) : outer_(thread_role().own) {
  if (count < 1 || count > kMostThreads) {
    throw ArgumentError(fmt::format("{} is not a number of threads: 1 to {}", count, kMostThreads));
  }
  executor_ = std::make_shared<Executor>(count);
  executor_->start_workers();
  thread_role().own = this;
}

OwnThreads::~OwnThreads() { thread_role().own = outer_; }

ThreadStatus OwnThreads::status() const { return executor_->status(); }

void OwnThreads::renew() {
  for (auto* each = this; each != nullptr; each = each->outer_) {
    leave_behind(each->executor_);
    each->executor_ = std::make_shared<Executor>(each->executor_->threads());
  }
}

}  // namespace cloze
