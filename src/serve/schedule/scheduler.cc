#include "serve/schedule/scheduler.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>

#include "cloze/error.h"

namespace cloze::serve {
namespace {

constexpr std::int64_t kLeastBatch = 256, kMostBatch = 16384;
constexpr std::int64_t kLeastQueue = std::int64_t{1} << 16;
constexpr double kForget = 0.9;  // what a batch leaves of the ones before it

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

Scheduler::Scheduler(const SchedulerOptions& options, OnBatch on_batch)
    : options_(options),
      on_batch_(std::move(on_batch)),
      queue_(options.queue_tokens > 0 ? options.queue_tokens : kLeastQueue, options.patience),
      engine_([this] { run(); }) {}

Scheduler::~Scheduler() {
  Ends ends;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    collect(queue_.clear(Clock::now()), ends);
  }
  work_.notify_all();
  tell(ends);
  engine_.join();
}

void Scheduler::submit(const std::shared_ptr<Job>& job, TimePoint deadline, OnEnd on_end) {
  {
    const std::lock_guard lock(mutex_);
    waiting_[job.get()] = std::move(on_end);
    queue_.add(job, Clock::now(), deadline);
  }
  work_.notify_one();
}

void Scheduler::cancel(const Job* job) {
  const std::lock_guard lock(mutex_);
  if (waiting_.erase(job) == 0) return;
  const auto before = queue_.queued_tokens() + queue_.waiting_tokens();
  if (queue_.cancel(job, Clock::now())) {
    cancelled_tokens_ += before - queue_.queued_tokens() - queue_.waiting_tokens();
  }
}

void Scheduler::expire() {
  Ends ends;
  {
    const std::lock_guard lock(mutex_);
    const auto before = queue_.queued_tokens() + queue_.waiting_tokens();
    collect(queue_.expire(Clock::now()), ends);
    cancelled_tokens_ += before - queue_.queued_tokens() - queue_.waiting_tokens();
  }
  tell(ends);
}

void Scheduler::collect(const std::vector<WorkQueue::Ended>& ended, Ends& ends) {
  for (const auto& [job, end] : ended) {
    const auto found = waiting_.find(job.get());
    if (found == waiting_.end()) continue;  // nobody waits
    ends.emplace_back(std::move(found->second), end);
    waiting_.erase(found);
  }
}

void Scheduler::tell(const Ends& ends) {
  for (const auto& [on_end, end] : ends) on_end(end);
}

std::int64_t Scheduler::budget() const {
  if (options_.batch_tokens > 0) return options_.batch_tokens;
  if (rate_seconds_ <= 0) return kLeastBatch;
  const auto rate = rate_tokens_ / rate_seconds_;
  return std::clamp(static_cast<std::int64_t>(rate * seconds(options_.batch_time)), kLeastBatch,
                    kMostBatch);
}

std::int64_t Scheduler::bound() const {
  if (options_.queue_tokens > 0) return options_.queue_tokens;
  if (rate_seconds_ <= 0) return kLeastQueue;
  const auto rate = rate_tokens_ / rate_seconds_;
  return std::max(static_cast<std::int64_t>(rate * seconds(options_.queue_time)), kLeastQueue);
}

void Scheduler::learn(std::int64_t tokens, Clock::duration took) {
  rate_tokens_ = rate_tokens_ * kForget + static_cast<double>(tokens);
  rate_seconds_ = rate_seconds_ * kForget + std::max(seconds(took), 1e-6);
  busy_seconds_ += seconds(took);
  computed_tokens_ += tokens;
  queue_.set_most_tokens(bound());
}

// Returns the jobs that failed.
std::vector<Job*> Scheduler::compute(const WorkQueue::Batch& batch) {
  const ProgressCallback wanted = [&](const Progress&) {
    const std::lock_guard lock(mutex_);
    return std::any_of(batch.slices.begin(), batch.slices.end(),
                       [&](const Slice& slice) { return waiting_.contains(slice.job); });
  };
  const auto attempt = [&](std::span<const Slice> slices) -> std::exception_ptr {
    try {
      slices.front().job->compute(slices, wanted);
      return nullptr;
    } catch (...) {
      return std::current_exception();
    }
  };
  std::vector<Job*> failed;
  const auto failure = attempt(batch.slices);
  if (!failure) return failed;
  if (!wanted({})) {  // it was ended because all have gone
    for (const auto& slice : batch.slices) failed.push_back(slice.job);
    return failed;
  }
  for (const auto& slice : batch.slices) {
    // Together with others it is not known whose fault it was: each gets a try of its own.
    slice.job->failure = batch.slices.size() > 1 ? attempt({&slice, 1}) : failure;
    if (slice.job->failure) failed.push_back(slice.job);
  }
  return failed;
}

void Scheduler::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [&] { return stopping_ || queue_.has_work(); });
    if (stopping_) return;
    const auto begun = Clock::now();
    const auto batch = queue_.next(begun, budget());
    if (batch.slices.empty()) continue;
    lock.unlock();
    const auto failed = compute(batch);
    const auto ended = Clock::now();
    if (on_batch_) {
      std::size_t units = 0;
      for (const auto& slice : batch.slices) units += slice.end - slice.begin;
      on_batch_(units, batch.tokens);
    }
    lock.lock();
    learn(batch.tokens, ended - begun);
    Ends ends;
    collect(queue_.finish(batch, ended, failed), ends);
    lock.unlock();
    tell(ends);
    lock.lock();
  }
}

SchedulerState Scheduler::state() const {
  const std::lock_guard lock(mutex_);
  const auto oldest = queue_.oldest();
  return {.queued_tokens = queue_.queued_tokens(),
          .waiting_tokens = queue_.waiting_tokens(),
          .batch_tokens = budget(),
          .queue_tokens = bound(),
          .queued_units = queue_.queued_units(),
          .jobs = queue_.jobs(),
          .oldest_seconds = oldest ? seconds(Clock::now() - *oldest) : 0,
          .busy_seconds = busy_seconds_,
          .tokens_per_second = rate_seconds_ > 0 ? rate_tokens_ / rate_seconds_ : 0,
          .computed_tokens = computed_tokens_,
          .cancelled_tokens = cancelled_tokens_};
}

std::int64_t Scheduler::retry_after() const {
  const auto now = state();
  if (now.tokens_per_second <= 0) return 1;
  const auto wait =
      static_cast<double>(now.queued_tokens + now.waiting_tokens) / now.tokens_per_second;
  return std::clamp(static_cast<std::int64_t>(std::ceil(wait)), std::int64_t{1}, std::int64_t{120});
}

}  // namespace cloze::serve
