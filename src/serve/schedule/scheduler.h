/// \file
/// The one engine of a server: a thread that computes batches of the work queue, one after another,
/// with all threads of the process.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "serve/schedule/job.h"
#include "serve/schedule/work_queue.h"

namespace cloze::serve {

struct SchedulerOptions {
  /// Tokens of a batch; 0: as many as take `batch_time` at the measured rate.
  std::int64_t batch_tokens = 0;
  std::chrono::milliseconds batch_time{100};
  /// Tokens that are queued; 0: as many as take `queue_time` at the measured rate.
  std::int64_t queue_tokens = 0;
  std::chrono::seconds queue_time{60};
  std::chrono::milliseconds patience{2000};  ///< how long a job waits to be admitted
};

/// What a scheduler has done and has to do.
struct SchedulerState {
  std::int64_t queued_tokens = 0, waiting_tokens = 0, batch_tokens = 0, queue_tokens = 0;
  std::size_t queued_units = 0, jobs = 0;
  double oldest_seconds = 0, busy_seconds = 0;
  double tokens_per_second = 0;  ///< measured lately
  std::int64_t computed_tokens = 0, cancelled_tokens = 0;
};

/// Told of each batch.
using OnBatch = std::function<void(std::size_t units, std::int64_t tokens)>;

class Scheduler {
 public:
  /// Called once for each job, on any thread but never within submit() or cancel() by the same one.
  using OnEnd = std::function<void(JobEnd end)>;

  explicit Scheduler(const SchedulerOptions& options, OnBatch on_batch = {});
  /// Ends what is left, as cancelled.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  Scheduler(Scheduler&&) = delete;
  Scheduler& operator=(Scheduler&&) = delete;

  /// Hands a job over, to be computed before `deadline`. `on_end` gets told, however it ends.
  void submit(const std::shared_ptr<Job>& job, TimePoint deadline, OnEnd on_end);

  /// Nobody waits for the job: its waiting units vanish, and its running batch ends early where no
  /// other job is in it. Then `on_end` is not called any more.
  void cancel(const Job* job);

  /// Ends the jobs that waited too long. To be called now and then.
  void expire();

  [[nodiscard]] SchedulerState state() const;
  /// Seconds after which a refused client may try again: at least 1.
  [[nodiscard]] std::int64_t retry_after() const;

 private:
  void run();
  std::vector<Job*> compute(const WorkQueue::Batch& batch);
  void learn(std::int64_t tokens, Clock::duration took);
  [[nodiscard]] std::int64_t budget() const;
  [[nodiscard]] std::int64_t bound() const;
  using Ends = std::vector<std::pair<OnEnd, JobEnd>>;
  void collect(const std::vector<WorkQueue::Ended>& ended, Ends& ends);
  static void tell(const Ends& ends);

  SchedulerOptions options_;
  OnBatch on_batch_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  WorkQueue queue_;
  std::unordered_map<const Job*, OnEnd> waiting_;
  bool stopping_ = false;
  double rate_tokens_ = 0, rate_seconds_ = 0;  // of the batches lately, the last ones most
  double busy_seconds_ = 0;
  std::int64_t computed_tokens_ = 0, cancelled_tokens_ = 0;
  std::thread engine_;
};

}  // namespace cloze::serve
