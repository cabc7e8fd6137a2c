/// \file
/// The best texts of a stream, such as a corpus that is searched part by part: no more than `count`
/// are ever held.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)
namespace cloze {

/// A text with its score.
struct ScoredText {
  double score = 0;
  std::int64_t index = 0;  ///< its place in the stream, from 0
  std::string text;
};

/// Keeps the best of the texts that it is given.
class TopList {
 public:
  /// Keeps the `count` best.
  explicit TopList(std::size_t count) : count_(count) {}

  /// Texts come in order, so that of equal scores the earlier stays.
  void add(double score, std::int64_t index, const std::string& text) {
    if (count_ == 0) return;
    if (held_.size() == count_) {
      if (score <= held_.front().score) return;
      std::pop_heap(held_.begin(), held_.end(), before);
      held_.pop_back();
    }
    held_.push_back({score, index, text});
    std::push_heap(held_.begin(), held_.end(), before);
  }

  /// Best first; equal scores in order.
  [[nodiscard]] std::vector<ScoredText> sorted() const {
    auto result = held_;
    std::sort(result.begin(), result.end(), before);
    return result;
  }

 private:
  static bool before(const ScoredText& a, const ScoredText& b) {
    return a.score != b.score ? a.score > b.score : a.index < b.index;
  }

  std::size_t count_;
  std::vector<ScoredText> held_;  // a heap, the worst first
};

}  // namespace cloze

#pragma GCC visibility pop
