#include "train/optimizer/lazy_rows.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "cloze/error.h"
#include "ops/transfer.h"

namespace cloze {
namespace {

// Rows that nobody reads are brought up to date so often, which bounds the memory of `steps_`.
constexpr std::size_t kMostSteps = 256;

}  // namespace

LazyRows::LazyRows(ops::Context& context, const ops::OptimizedArrays& arrays, std::int64_t cols)
    : context_(context), arrays_(arrays), cols_(cols) {
  const std::size_t rows = arrays.value.size() / static_cast<std::size_t>(cols);
  taken_.resize(rows);
  moved_.resize(rows);
  reading_.resize(rows);
}

void LazyRows::read(std::span<const std::int32_t> rows) {
  const std::size_t before = read_.size();
  for (const auto row : rows) {
    if (row < 0 || static_cast<std::size_t>(row) >= taken_.size()) {
      throw ArgumentError(fmt::format("token id {} of a model with {} tokens", row, taken_.size()));
    }
    const auto at = static_cast<std::size_t>(row);
    if (reading_[at]) continue;
    reading_[at] = true;
    read_.push_back(row);
  }
  apply_pending_steps(std::span(read_).subspan(before));
}

void LazyRows::catch_up() {
  std::vector<std::int32_t> rows(taken_.size());
  std::iota(rows.begin(), rows.end(), 0);
  apply_pending_steps(rows);
  steps_.clear();
  std::fill(taken_.begin(), taken_.end(), 0);
}

ops::Pending<double> LazyRows::sum_of_squares() const {
  return ops::sum_of_squares(context_, arrays_.gradient, cols_, read_);
}

void LazyRows::step(const ops::AdamSettings& settings, float scale) {
  ops::adamw_rows(context_, arrays_, cols_, read_, settings, scale);
  steps_.push_back(settings);
  for (const auto row : read_) {
    const auto at = static_cast<std::size_t>(row);
    taken_[at] = static_cast<std::int64_t>(steps_.size());
    moved_[at] = true;
    reading_[at] = false;
  }
  read_.clear();
  if (steps_.size() >= kMostSteps) catch_up();
}

void LazyRows::restored() {
  steps_.clear();
  std::fill(taken_.begin(), taken_.end(), 0);
  const auto cols = static_cast<std::size_t>(cols_);
  const auto is_zero = [](float value) { return value == 0; };
  const Shape shape{static_cast<std::int64_t>(moved_.size()), cols_};
  const auto first = ops::to_host(context_.device(), arrays_.exp_avg, shape);
  const auto second = ops::to_host(context_.device(), arrays_.exp_avg_sq, shape);
  for (std::size_t row = 0; row < moved_.size(); ++row) {
    moved_[row] = !std::ranges::all_of(first.values<float>().subspan(row * cols, cols), is_zero) ||
                  !std::ranges::all_of(second.values<float>().subspan(row * cols, cols), is_zero);
  }
}

void LazyRows::apply_pending_steps(std::span<const std::int32_t> rows) {
  const auto all = static_cast<std::int64_t>(steps_.size());
  std::vector<ops::OwedSteps> owed;
  for (const auto row : rows) {
    const auto at = static_cast<std::size_t>(row);
    if (taken_[at] == all) continue;
    owed.push_back({.row = row, .first = taken_[at], .moved = moved_[at]});
    taken_[at] = all;
  }
  if (!owed.empty()) ops::adamw_owed(context_, arrays_, cols_, owed, steps_);
}

}  // namespace cloze
