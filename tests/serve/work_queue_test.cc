// The order of work, with an engine that computes a token in a microsecond and a clock that nobody
// waits for; and the thread that runs it, with functions in the place of models.
#include "serve/schedule/work_queue.h"

#include <atomic>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/schedule/scheduler.h"

namespace cloze::serve {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class FakeJob : public Job {
 public:
  FakeJob(std::string of_group, std::vector<std::int64_t> units) {
    group = std::move(of_group);
    tokens = std::move(units);
  }
  void compute(std::span<const Slice>, const ProgressCallback&) override {}
};

std::shared_ptr<FakeJob> job(std::vector<std::int64_t> units, const std::string& group = "a") {
  return std::make_shared<FakeJob>(group, std::move(units));
}

constexpr TimePoint kStart{};
constexpr auto kNever = TimePoint::max();

std::vector<JobEnd> ends(const std::vector<WorkQueue::Ended>& ended) {
  std::vector<JobEnd> all;
  for (const auto& each : ended) all.push_back(each.end);
  return all;
}

TEST(WorkQueue, ABatchHoldsUnitsOfSeveralJobs) {
  WorkQueue queue(1000, seconds(1));
  const auto a = job({10, 10}), b = job({10}), other = job({10}, "b");
  for (const auto& each : {a, b, other}) queue.add(each, kStart, kNever);
  EXPECT_EQ(queue.queued_tokens(), 40);
  EXPECT_EQ(queue.queued_units(), 4U);
  const auto batch = queue.next(kStart, 100);
  EXPECT_EQ(batch.tokens, 30);
  ASSERT_EQ(batch.slices.size(), 2U);
  EXPECT_EQ(batch.slices[0].job, a.get());
  EXPECT_EQ(batch.slices[0].end, 2U);
  EXPECT_EQ(queue.finish(batch, kStart).size(), 2U);
  const auto second = queue.next(kStart, 100);
  ASSERT_EQ(second.slices.size(), 1U);
  EXPECT_EQ(second.slices[0].job, other.get());
  EXPECT_THAT(ends(queue.finish(second, kStart)), ::testing::ElementsAre(JobEnd::done));
  EXPECT_TRUE(queue.next(kStart, 100).slices.empty());
  EXPECT_EQ(queue.queued_tokens(), 0);
  EXPECT_EQ(queue.jobs(), 0U);
}

TEST(WorkQueue, KeepsToTheBudgetButNeverStarves) {
  WorkQueue queue(100000, seconds(1));
  const auto large = job({500, 30, 30, 30, 30, 30});
  queue.add(large, kStart, kNever);
  EXPECT_EQ(queue.next(kStart, 100).tokens, 500);  // a batch of its own
  EXPECT_EQ(queue.next(kStart, 100).tokens, 90);
  EXPECT_EQ(queue.next(kStart, 100).tokens, 60);
}

TEST(WorkQueue, AShortRequestDoesNotWaitForALongOne) {
  WorkQueue queue(1'000'000, seconds(1));
  const auto large = job(std::vector<std::int64_t>(2048, 16));
  queue.add(large, kStart, kNever);
  (void)queue.next(kStart, 256);
  const auto small = job({16});
  queue.add(small, kStart, kNever);
  const auto batch = queue.next(kStart, 256);
  ASSERT_EQ(batch.slices.size(), 2U);  // both, side by side
  EXPECT_EQ(batch.tokens, 256);
  EXPECT_THAT(ends(queue.finish(batch, kStart)), ::testing::ElementsAre(JobEnd::done));
}

TEST(WorkQueue, GroupsTakeTurns) {
  WorkQueue queue(1'000'000, seconds(1));
  queue.add(job(std::vector<std::int64_t>(100, 10), "a"), kStart, kNever);
  queue.add(job(std::vector<std::int64_t>(100, 10), "b"), kStart, kNever);
  std::string order;
  for (int i = 0; i < 6; ++i) {
    const auto batch = queue.next(kStart, 40);
    order += batch.slices.front().job->group;
    EXPECT_TRUE(queue.finish(batch, kStart).empty());
  }
  EXPECT_EQ(order, "ababab");
}

TEST(WorkQueue, WaitsThenRefuses) {
  WorkQueue queue(100, milliseconds(2000));
  const auto huge = job({500});
  queue.add(huge, kStart, kNever);  // over the bound, but nothing else is here
  const auto waiting = job({10});
  queue.add(waiting, kStart, kNever);
  EXPECT_EQ(queue.waiting_tokens(), 10);
  EXPECT_TRUE(queue.expire(kStart + milliseconds(1999)).empty());
  const auto ended = queue.expire(kStart + milliseconds(2000));
  EXPECT_THAT(ends(ended), ::testing::ElementsAre(JobEnd::refused));
  const auto patient = job({10});
  queue.add(patient, kStart, kNever);
  const auto batch = queue.next(kStart, 50);
  EXPECT_EQ(queue.waiting_tokens(), 0);  // there is room now
  EXPECT_EQ(queue.queued_tokens(), 10);
  EXPECT_EQ(queue.finish(batch, kStart).size(), 1U);
}

TEST(WorkQueue, DeadlinesAndDepartures) {
  WorkQueue queue(1000, seconds(1));
  const auto late = job({10, 10}), gone = job({10, 10}), stays = job({10});
  queue.add(late, kStart, kStart + milliseconds(50));
  queue.add(gone, kStart, kNever);
  queue.add(stays, kStart, kNever);
  const auto batch = queue.next(kStart, 20);  // the first units
  EXPECT_EQ(batch.tokens, 20);
  const auto cancelled = queue.cancel(gone.get(), kStart);
  EXPECT_TRUE(cancelled && cancelled->end == JobEnd::cancelled);
  EXPECT_FALSE(queue.cancel(gone.get(), kStart));
  EXPECT_THAT(ends(queue.expire(kStart + milliseconds(50))),
              ::testing::ElementsAre(JobEnd::expired));
  EXPECT_TRUE(queue.expire(kStart + milliseconds(51)).empty());
  EXPECT_TRUE(queue.finish(batch, kStart).empty());  // nobody waits for them any more
  EXPECT_EQ(queue.queued_tokens(), 10);
  EXPECT_EQ(queue.next(kStart, 20).slices.front().job, stays.get());
}

TEST(WorkQueue, AFailureEndsItsJobAlone) {
  WorkQueue queue(1000, seconds(1));
  const auto bad = job({10, 10, 10}), good = job({10, 10});
  queue.add(bad, kStart, kNever);
  queue.add(good, kStart, kNever);
  const auto batch = queue.next(kStart, 40);
  EXPECT_THAT(ends(queue.finish(batch, kStart, {bad.get()})), ::testing::Contains(JobEnd::failed));
  const auto rest = queue.next(kStart, 40);
  EXPECT_THAT(ends(queue.finish(rest, kStart)),
              ::testing::ElementsAreArray(std::vector<JobEnd>(rest.slices.size(), JobEnd::done)));
  EXPECT_EQ(queue.jobs(), 0U);
}

// An hour of load in a moment: everything ends, once, and the sums are right.
TEST(WorkQueue, EveryJobEndsOnce) {
  std::mt19937 random(7);
  WorkQueue queue(20000, milliseconds(200));
  std::map<const Job*, int> ended;
  std::vector<std::shared_ptr<Job>> all;
  const auto note = [&](const std::vector<WorkQueue::Ended>& some) {
    for (const auto& each : some) ++ended[each.job.get()];
  };
  auto now = kStart;
  for (int step = 0; step < 5000; ++step) {
    for (auto arrivals = random() % 4; arrivals > 0; --arrivals) {
      std::vector<std::int64_t> units(1 + random() % 20);
      for (auto& each : units) each = 1 + static_cast<std::int64_t>(random() % 300);
      all.push_back(job(units, std::string(1, static_cast<char>('a' + random() % 3))));
      queue.add(all.back(), now, now + milliseconds(random() % 400));
    }
    const auto batch = queue.next(now, 1000);
    now += microseconds(20 * batch.tokens + 10);
    if (random() % 5 == 0 && !all.empty()) {
      if (const auto end = queue.cancel(all[random() % all.size()].get(), now)) note({*end});
    }
    note(queue.expire(now));
    std::vector<Job*> failed;
    if (random() % 50 == 0 && !batch.slices.empty()) failed.push_back(batch.slices.front().job);
    note(queue.finish(batch, now, failed));
    EXPECT_LE(queue.queued_tokens(), 20000);
  }
  note(queue.clear(now));
  EXPECT_EQ(ended.size(), all.size());
  for (const auto& [each, times] : ended) EXPECT_EQ(times, 1);
  EXPECT_EQ(queue.queued_tokens(), 0);
  EXPECT_EQ(queue.waiting_tokens(), 0);
  EXPECT_EQ(queue.queued_units(), 0U);
  EXPECT_EQ(queue.jobs(), 0U);
}

using Numbers = BatchJob<int, int>;

std::shared_ptr<Numbers> squares(std::vector<int> inputs, Numbers::Compute compute) {
  auto made = std::make_shared<Numbers>(std::move(compute));
  made->group = "squares";
  made->tokens.assign(inputs.size(), 1);
  made->inputs = std::move(inputs);
  return made;
}

std::vector<int> square_all(std::span<const int> inputs, const ProgressCallback&) {
  std::vector<int> out;
  for (const int each : inputs) out.push_back(each * each);
  return out;
}

JobEnd run(Scheduler& scheduler, const std::shared_ptr<Job>& work, seconds time = seconds(60)) {
  std::promise<JobEnd> end;
  scheduler.submit(work, Clock::now() + time, [&](JobEnd how) { end.set_value(how); });
  return end.get_future().get();
}

TEST(Scheduler, ComputesAndLearnsItsRate) {
  std::atomic<std::size_t> units = 0;
  Scheduler scheduler({}, [&](std::size_t count, std::int64_t) { units += count; });
  const auto work = squares({1, 2, 3}, &square_all);
  EXPECT_EQ(run(scheduler, work), JobEnd::done);
  EXPECT_THAT(work->outputs, ::testing::ElementsAre(1, 4, 9));
  EXPECT_EQ(units, 3U);
  EXPECT_EQ(scheduler.state().computed_tokens, 3);
  EXPECT_GE(scheduler.retry_after(), 1);
}

TEST(Scheduler, OneBadJobDoesNotHarmTheOthers) {
  std::mutex mutex;
  std::condition_variable changed;
  bool go = false;
  const auto compute = [&](std::span<const int> inputs, const ProgressCallback& progress) {
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return go; });
    }
    for (const int each : inputs) {
      if (each < 0) throw std::runtime_error("a negative number");
    }
    return square_all(inputs, progress);
  };
  Scheduler scheduler({.batch_tokens = 100});
  std::vector<std::shared_ptr<Numbers>> jobs;
  std::vector<std::promise<JobEnd>> promises(4);
  for (const int value : {0, 2, -1, 3}) {  // the first one is computed alone, the others wait
    jobs.push_back(squares({value}, compute));
    scheduler.submit(
        jobs.back(), Clock::now() + seconds(60),
        [&promise = promises[jobs.size() - 1]](JobEnd end) { promise.set_value(end); });
  }
  {
    const std::lock_guard lock(mutex);
    go = true;
  }
  changed.notify_all();
  std::vector<JobEnd> all;
  for (auto& each : promises) all.push_back(each.get_future().get());
  EXPECT_THAT(all,
              ::testing::ElementsAre(JobEnd::done, JobEnd::done, JobEnd::failed, JobEnd::done));
  EXPECT_THAT(jobs[1]->outputs, ::testing::ElementsAre(4));
  EXPECT_THAT(jobs[3]->outputs, ::testing::ElementsAre(9));
  EXPECT_THROW(std::rethrow_exception(jobs[2]->failure), std::runtime_error);
}

TEST(Scheduler, ExpiresRefusesAndCancels) {
  std::promise<void> begun, go;
  const auto gate = go.get_future().share();
  const auto slow = [&, gate](std::span<const int> inputs, const ProgressCallback& progress) {
    begun.set_value();
    gate.wait();
    return square_all(inputs, progress);
  };
  Scheduler scheduler({.batch_tokens = 1, .queue_tokens = 2, .patience = milliseconds(1)});
  const auto running = squares({1}, slow);
  std::promise<JobEnd> first;
  scheduler.submit(running, Clock::now() + seconds(60), [&](JobEnd end) { first.set_value(end); });
  begun.get_future().wait();
  std::promise<JobEnd> late, refused;
  scheduler.submit(squares({1}, &square_all), Clock::now(),
                   [&](JobEnd end) { late.set_value(end); });
  const auto gone = squares({1}, &square_all);
  scheduler.submit(gone, Clock::now() + seconds(60), [](JobEnd) { FAIL(); });
  scheduler.submit(squares({1, 1, 1}, &square_all), Clock::now() + seconds(60),
                   [&](JobEnd end) { refused.set_value(end); });
  scheduler.cancel(gone.get());
  auto refused_future = refused.get_future();
  while (refused_future.wait_for(milliseconds(5)) != std::future_status::ready) scheduler.expire();
  EXPECT_EQ(late.get_future().get(), JobEnd::expired);
  EXPECT_EQ(refused_future.get(), JobEnd::refused);
  go.set_value();
  EXPECT_EQ(first.get_future().get(), JobEnd::done);
  EXPECT_GE(scheduler.state().cancelled_tokens, 1);
}

TEST(Scheduler, EndsWithWorkLeft) {
  std::promise<void> begun, go;
  std::atomic<int> cancelled = 0;
  const auto slow = [&](std::span<const int> inputs, const ProgressCallback& progress) {
    begun.set_value();
    go.get_future().wait();
    return square_all(inputs, progress);
  };
  const auto count = [&](JobEnd end) { cancelled += end == JobEnd::cancelled ? 1 : 0; };
  auto scheduler = std::make_unique<Scheduler>(SchedulerOptions{.batch_tokens = 1});
  scheduler->submit(squares({1}, slow), Clock::now() + seconds(60), count);
  begun.get_future().wait();
  for (int i = 0; i < 10; ++i) {
    scheduler->submit(squares({1}, &square_all), Clock::now() + seconds(60), count);
  }
  std::thread end([&] { scheduler = nullptr; });
  while (cancelled < 11) std::this_thread::yield();  // also the one that is being computed
  go.set_value();
  end.join();
  EXPECT_EQ(cancelled, 11);
}

}  // namespace
}  // namespace cloze::serve
