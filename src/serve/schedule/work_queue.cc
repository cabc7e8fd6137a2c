#include "serve/schedule/work_queue.h"

#include <algorithm>
#include <utility>

namespace cloze::serve {

bool WorkQueue::fits(const Entry& entry) const {
  return queued_tokens_ == 0 || queued_tokens_ + entry.tokens_left <= most_tokens_;
}

void WorkQueue::admit(Entry& entry) {
  entry.admitted = true;
  entry.place = ring_.insert(ring_.end(), &entry);
  entry.placed = true;
  queued_tokens_ += entry.tokens_left;
  queued_units_ += entry.job->tokens.size();
}

void WorkQueue::add(const std::shared_ptr<Job>& job, TimePoint now, TimePoint deadline) {
  job->submitted = now;
  auto& entry = entries_[job.get()];
  entry.job = job;
  entry.deadline = deadline;
  entry.refuse_at = now + patience_;
  entry.tokens_left = job->total_tokens();
  if (waiting_.empty() && fits(entry)) {
    admit(entry);
    return;
  }
  entry.place = waiting_.insert(waiting_.end(), &entry);
  entry.placed = true;
  waiting_tokens_ += entry.tokens_left;
}

void WorkQueue::admit_waiting() {
  while (!waiting_.empty() && fits(*waiting_.front())) {
    auto& entry = *waiting_.front();
    waiting_.pop_front();
    waiting_tokens_ -= entry.tokens_left;
    admit(entry);
  }
}

// The units that the entry may have now: within its deficit and the batch's room.
std::int64_t WorkQueue::take(Entry& entry, Batch& batch, TimePoint now, std::int64_t room) {
  const auto& tokens = entry.job->tokens;
  const auto begin = entry.next_unit;
  std::int64_t taken = 0;
  while (entry.next_unit < tokens.size()) {
    const auto cost = tokens[entry.next_unit];
    const bool alone = batch.slices.empty() && taken == 0;  // however long it is
    if (!alone && (cost > entry.deficit || taken + cost > room)) break;
    taken += cost;
    entry.deficit = std::max<std::int64_t>(0, entry.deficit - cost);
    ++entry.next_unit;
  }
  if (entry.next_unit == begin) return 0;
  entry.tokens_left -= taken;
  queued_tokens_ -= taken;
  queued_units_ -= entry.next_unit - begin;
  if (!std::exchange(entry.started, true)) entry.job->started = now;
  auto* const job = entry.job.get();
  const auto same = std::find_if(batch.slices.begin(), batch.slices.end(),
                                 [&](const Slice& slice) { return slice.job == job; });
  if (same != batch.slices.end()) {
    same->end = entry.next_unit;  // units are taken in order: the slice grows
  } else {
    batch.slices.push_back({job, begin, entry.next_unit});
    batch.jobs.push_back(entry.job);
    ++entry.running;
  }
  batch.tokens += taken;
  return taken;
}

WorkQueue::Batch WorkQueue::next(TimePoint now, std::int64_t budget) {
  Batch batch;
  if (ring_.empty()) return batch;
  const auto quantum = std::max<std::int64_t>(1, budget / 4);
  const auto group = ring_.front()->job->group;
  std::vector<Entry*> mates;
  for (auto* entry : ring_) {
    if (entry->job->group == group) mates.push_back(entry);
  }
  bool full = false;
  while (!full && !mates.empty()) {
    std::vector<Entry*> more;
    for (auto* entry : mates) {
      const auto room = budget - batch.tokens;
      if (!batch.slices.empty() && room <= 0) {
        full = true;
        break;
      }
      entry->deficit += quantum;
      take(*entry, batch, now, room);
      if (entry->next_unit == entry->job->tokens.size()) {
        leave(*entry);
        continue;
      }
      // What hinders it is the batch's room, not its turn: no later turn of this batch helps.
      const auto cost = entry->job->tokens[entry->next_unit];
      if (cost <= budget - batch.tokens) more.push_back(entry);
      ring_.splice(ring_.end(), ring_, entry->place);
    }
    mates = std::move(more);
  }
  admit_waiting();
  return batch;
}

void WorkQueue::leave(Entry& entry) {
  if (!std::exchange(entry.placed, false)) return;
  (entry.admitted ? ring_ : waiting_).erase(entry.place);
  entry.deficit = 0;
}

WorkQueue::Ended WorkQueue::remove(Entry& entry, TimePoint now, JobEnd end) {
  Ended ended{entry.job, end};
  ended.job->ended = now;
  entries_.erase(ended.job.get());
  return ended;
}

// Takes back what the entry has in the queue. It is told of its end at once, but stays known while a
// batch has its units.
std::optional<WorkQueue::Ended> WorkQueue::drop(Entry& entry, TimePoint now, JobEnd end) {
  if (entry.dropped) return std::nullopt;
  leave(entry);
  if (entry.admitted) {
    queued_tokens_ -= entry.tokens_left;
    queued_units_ -= entry.job->tokens.size() - entry.next_unit;
  } else {
    waiting_tokens_ -= entry.tokens_left;
  }
  entry.tokens_left = 0;
  entry.next_unit = entry.job->tokens.size();
  if (entry.running == 0) return remove(entry, now, end);
  entry.dropped = true;
  entry.job->ended = now;
  return Ended{entry.job, end};
}

std::vector<WorkQueue::Ended> WorkQueue::finish(const Batch& batch, TimePoint now,
                                                const std::vector<Job*>& failed) {
  std::vector<Ended> ended;
  for (const auto& slice : batch.slices) {
    const auto found = entries_.find(slice.job);
    if (found == entries_.end()) continue;
    auto& entry = found->second;
    --entry.running;
    const bool bad = std::find(failed.begin(), failed.end(), slice.job) != failed.end();
    if (entry.dropped) {
      if (entry.running == 0) remove(entry, entry.job->ended, JobEnd::done);
    } else if (bad) {
      if (auto end = drop(entry, now, JobEnd::failed)) ended.push_back(*std::move(end));
    } else if (entry.next_unit == entry.job->tokens.size() && entry.running == 0) {
      ended.push_back(remove(entry, now, JobEnd::done));
    }
  }
  admit_waiting();
  return ended;
}

std::vector<WorkQueue::Ended> WorkQueue::expire(TimePoint now) {
  std::vector<Entry*> late, unadmitted;
  for (auto& [job, entry] : entries_) {
    if (entry.dropped) continue;
    if (entry.deadline <= now) {
      late.push_back(&entry);
    } else if (!entry.admitted && entry.refuse_at <= now) {
      unadmitted.push_back(&entry);
    }
  }
  std::vector<Ended> ended;
  const auto drop_all = [&](const std::vector<Entry*>& entries, JobEnd end) {
    for (auto* entry : entries) {
      if (auto each = drop(*entry, now, end)) ended.push_back(*std::move(each));
    }
  };
  drop_all(late, JobEnd::expired);
  drop_all(unadmitted, JobEnd::refused);
  if (!ended.empty()) admit_waiting();
  return ended;
}

std::optional<WorkQueue::Ended> WorkQueue::cancel(const Job* job, TimePoint now) {
  const auto found = entries_.find(job);
  if (found == entries_.end()) return std::nullopt;
  auto ended = drop(found->second, now, JobEnd::cancelled);
  admit_waiting();
  return ended;
}

std::vector<WorkQueue::Ended> WorkQueue::clear(TimePoint now) {
  std::vector<Entry*> all;
  for (auto& [job, entry] : entries_) all.push_back(&entry);
  std::vector<Ended> ended;
  for (auto* entry : all) {
    if (auto each = drop(*entry, now, JobEnd::cancelled)) ended.push_back(*std::move(each));
  }
  return ended;
}

std::optional<TimePoint> WorkQueue::oldest() const {
  std::optional<TimePoint> oldest;
  const auto look = [&](const std::list<Entry*>& entries) {
    for (const auto* entry : entries) {
      if (entry->started) continue;
      if (!oldest || entry->job->submitted < *oldest) oldest = entry->job->submitted;
    }
  };
  look(ring_);
  look(waiting_);
  return oldest;
}

}  // namespace cloze::serve
