/// \file
/// Which work comes next: one queue, bounded in tokens, fair between requests. Pure logic: it knows
/// no thread and no clock, so that tests can run hours of it in a moment.
///
/// Jobs stand in a ring. A batch takes, from the front, the units of jobs that can be computed
/// together (those of the front job's group), a quantum of tokens from each by turns (deficit round
/// robin, Shreedhar and Varghese 1995), until the budget is full: a job of a thousand texts does not
/// hold up one of a single text. The jobs that were served go to the back, so that groups take turns
/// too. A unit over the budget is a batch of its own.
///
/// A job over the bound waits to be admitted, and is refused after a while. One that alone is over
/// the bound is admitted when the queue is empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "serve/schedule/job.h"

namespace cloze::serve {

/// How a job ended.
enum class JobEnd : std::uint8_t {
  done,
  failed,     ///< Job::failure says why
  refused,    ///< the queue was full for too long
  expired,    ///< its deadline passed
  cancelled,  ///< nobody waits for it
};

class WorkQueue {
 public:
  /// A job that left the queue.
  struct Ended {
    std::shared_ptr<Job> job;
    JobEnd end = JobEnd::done;
  };
  /// Work to do at once; empty where there is none.
  struct Batch {
    std::vector<std::shared_ptr<Job>> jobs;  ///< of each slice, kept alive
    std::vector<Slice> slices;
    std::int64_t tokens = 0;
  };

  /// `most_tokens`: the bound; `patience`: how long a job waits to be admitted.
  WorkQueue(std::int64_t most_tokens, Clock::duration patience)
      : most_tokens_(most_tokens), patience_(patience) {}

  /// Changes the bound, for jobs that come from now on.
  void set_most_tokens(std::int64_t tokens) { most_tokens_ = tokens; }

  /// Adds a job that has until `deadline`. Without a unit it is done with the next finish().
  void add(const std::shared_ptr<Job>& job, TimePoint now, TimePoint deadline);

  /// The next batch of about `budget` tokens. Its jobs count as running until finish().
  [[nodiscard]] Batch next(TimePoint now, std::int64_t budget);

  /// Ends what the batch completed; `failed` are the jobs of it that failed, whose further units are
  /// dropped.
  [[nodiscard]] std::vector<Ended> finish(const Batch& batch, TimePoint now,
                                          const std::vector<Job*>& failed = {});

  /// Ends the jobs that waited too long to be admitted, and those whose deadline passed. What is in
  /// a batch is finished, and dropped then.
  [[nodiscard]] std::vector<Ended> expire(TimePoint now);

  /// Ends a job that nobody waits for. Nothing where it is not here (any more).
  [[nodiscard]] std::optional<Ended> cancel(const Job* job, TimePoint now);

  /// Ends every job.
  [[nodiscard]] std::vector<Ended> clear(TimePoint now);

  [[nodiscard]] std::int64_t queued_tokens() const { return queued_tokens_; }    ///< admitted
  [[nodiscard]] std::int64_t waiting_tokens() const { return waiting_tokens_; }  ///< not admitted
  [[nodiscard]] std::size_t queued_units() const { return queued_units_; }
  [[nodiscard]] std::size_t jobs() const { return entries_.size(); }  ///< running ones included
  [[nodiscard]] bool has_work() const { return !ring_.empty(); }
  /// When the job that has waited longest came; nothing when none waits for a first batch.
  [[nodiscard]] std::optional<TimePoint> oldest() const;

 private:
  struct Entry {
    std::shared_ptr<Job> job;
    TimePoint deadline, refuse_at;
    std::size_t next_unit = 0;
    std::int64_t deficit = 0, tokens_left = 0;
    std::size_t running = 0;  // slices in a batch
    bool admitted = false, dropped = false, started = false;
    std::list<Entry*>::iterator place;  // in ring_, or waiting_ unless admitted
    bool placed = false;                // it is in one of them
  };

  void admit(Entry& entry);
  void admit_waiting();
  bool fits(const Entry& entry) const;
  std::int64_t take(Entry& entry, Batch& batch, TimePoint now, std::int64_t room);
  void leave(Entry& entry);
  std::optional<Ended> drop(Entry& entry, TimePoint now, JobEnd end);
  Ended remove(Entry& entry, TimePoint now, JobEnd end);

  std::int64_t most_tokens_;
  Clock::duration patience_;
  std::unordered_map<const Job*, Entry> entries_;
  std::list<Entry*> ring_, waiting_;
  std::int64_t queued_tokens_ = 0, waiting_tokens_ = 0;
  std::size_t queued_units_ = 0;
};

}  // namespace cloze::serve
