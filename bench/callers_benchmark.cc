#include "bench/callers_benchmark.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <latch>
#include <mutex>
#include <thread>
#include <utility>

#include "bench/quantiles.h"
#include "cloze/error.h"
#include "core/clock.h"

namespace cloze {
namespace {

/// Seconds that `callers` threads take for `passes` passes over the batches. Each takes the next
/// pass when it has done one. Rethrows a failure of one of them.
double seconds_of(const BertModel& model, std::span<const Batch> batches, int callers,
                  std::int64_t passes) {
  std::atomic<std::int64_t> next = 0;
  std::mutex guard;
  std::exception_ptr failure;
  std::latch ready(callers + 1);
  const auto call = [&] {
    ready.arrive_and_wait();
    try {
      while (next.fetch_add(1) < passes) {
        for (const auto& batch : batches) static_cast<void>(model(batch));
      }
    } catch (...) {
      const std::lock_guard lock(guard);
      failure = std::current_exception();
    }
  };
  Clock::time_point start;
  {
    std::vector<std::jthread> threads;
    threads.reserve(static_cast<std::size_t>(callers));
    for (int i = 0; i < callers; ++i) threads.emplace_back(call);
    start = Clock::now();  // before the others may start, or this thread might be late to look
    ready.arrive_and_wait();
  }
  if (failure) std::rethrow_exception(failure);
  return seconds_since(start);
}

}  // namespace

double CallersBenchmark::one_tokens_per_s() const { return median(one); }
double CallersBenchmark::together_tokens_per_s() const { return median(together); }

double CallersBenchmark::ratio() const {
  std::vector<double> ratios(one.size());
  std::transform(together.begin(), together.end(), one.begin(), ratios.begin(), std::divides<>());
  return median(std::move(ratios));
}

CallersBenchmark benchmark_callers(const BertModel& model, std::span<const TokenizedText> texts,
                                   std::int64_t batch_tokens, int callers, std::int64_t passes) {
  constexpr int rounds = 5;
  if (texts.empty()) throw ArgumentError("there is nothing to encode: no sequences were given");
  std::vector<Batch> batches;
  double tokens = 0;
  for (const auto& indices : plan_batches(texts, batch_tokens)) {
    batches.push_back(pack(texts, indices));
    tokens += static_cast<double>(batches.back().total_tokens());
  }
  CallersBenchmark result;
  result.callers = callers;
  result.passes = passes > 0 ? passes : std::int64_t{2} * callers;
  // Everybody's first calls, which compile products and take memory, are not counted.
  static_cast<void>(seconds_of(model, batches, callers, callers));
  tokens *= static_cast<double>(result.passes);
  for (int round = 0; round < rounds; ++round) {
    result.one.push_back(tokens / seconds_of(model, batches, 1, result.passes));
    result.together.push_back(tokens / seconds_of(model, batches, callers, result.passes));
  }
  return result;
}

}  // namespace cloze
