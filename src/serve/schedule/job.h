/// \file
/// What a request asks the models for: units of work (a text, a pair, a question), each with its
/// tokens, that can be computed in any batch together with those of other requests.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cloze/progress.h"

namespace cloze::serve {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

class Job;

/// Units begin to end of a job.
struct Slice {
  Job* job = nullptr;
  std::size_t begin = 0, end = 0;
};

/// The work of a request. The scheduler owns it from submit() to the call of its end.
class Job {
 public:
  Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  Job(Job&&) = delete;
  Job& operator=(Job&&) = delete;
  virtual ~Job() = default;

  /// Computes the slices, all of jobs with this one's `group`, this one's among them. What it
  /// throws is the failure of all of them.
  virtual void compute(std::span<const Slice> slices, const ProgressCallback& progress) = 0;

  std::string group;                          ///< jobs of one group may share a batch
  std::vector<std::int64_t> tokens;           ///< of each unit, at least one unit
  TimePoint submitted{}, started{}, ended{};  ///< set by the scheduler
  std::exception_ptr failure;                 ///< why it failed

  /// Tokens of all units.
  [[nodiscard]] std::int64_t total_tokens() const {
    std::int64_t sum = 0;
    for (const auto each : tokens) sum += each;
    return sum;
  }
};

/// A job whose units are `In` and whose answers are `Out`, by one function for all jobs of a group.
template <class In, class Out>
class BatchJob : public Job {
 public:
  /// The answers of the inputs, in their order.
  using Compute =
      std::function<std::vector<Out>(std::span<const In> inputs, const ProgressCallback& progress)>;

  explicit BatchJob(Compute compute) : compute_(std::move(compute)) {}

  std::vector<In> inputs;
  std::vector<Out> outputs;  ///< of each input, once the job is done

  void compute(std::span<const Slice> slices, const ProgressCallback& progress) override {
    std::vector<In> gathered;
    for (const auto& [job, begin, end] : slices) {
      const auto& theirs = static_cast<BatchJob*>(job)->inputs;
      gathered.insert(gathered.end(), theirs.begin() + static_cast<std::ptrdiff_t>(begin),
                      theirs.begin() + static_cast<std::ptrdiff_t>(end));
    }
    auto answers = compute_(gathered, progress);
    auto next = answers.begin();
    for (const auto& [job, begin, end] : slices) {
      auto& theirs = *static_cast<BatchJob*>(job);
      theirs.outputs.resize(theirs.inputs.size());
      for (auto i = begin; i < end; ++i) theirs.outputs[i] = std::move(*next++);
    }
  }

 private:
  Compute compute_;
};

}  // namespace cloze::serve
