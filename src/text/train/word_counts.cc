#include "text/train/word_counts.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

namespace cloze::text {
namespace {

constexpr std::size_t kInitialSlots = 1 << 12;

}  // namespace

WordCounts::WordCounts() : slots_(kInitialSlots) {}

std::uint64_t WordCounts::hash_of(std::string_view word) {
  std::uint64_t hash = 0x9E3779B97F4A7C15U ^ word.size();
  const auto absorb = [&hash](std::uint64_t value) {
    hash = (hash ^ value) * 0xD6E8FEB86659FD93U;
    hash ^= hash >> 32U;
  };
  std::size_t at = 0;
  for (std::uint64_t value = 0; at + sizeof value <= word.size(); at += sizeof value) {
    std::memcpy(&value, word.data() + at, sizeof value);
    absorb(value);
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, word.data() + at, word.size() - at);
  absorb(rest);
  return hash;
}

void WordCounts::add(std::string_view word, std::int64_t count) {
  const auto hash = hash_of(word);
  const auto mask = slots_.size() - 1;
  auto slot = hash & mask;
  for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
    Entry& entry = entries_[slots_[slot] - 1];
    if (entry.hash == hash && entry.size == word.size() &&
        std::memcmp(bytes_.data() + entry.begin, word.data(), word.size()) == 0) {
      entry.count += count;
      return;
    }
  }
  entries_.push_back({hash, count, bytes_.size(), static_cast<std::uint32_t>(word.size())});
  bytes_.append(word);
  slots_[slot] = static_cast<std::uint32_t>(entries_.size());
  if (entries_.size() * 2 > slots_.size()) grow();
}

void WordCounts::add(const WordCounts& other) {
  for (std::size_t i = 0; i < other.size(); ++i) add(other.word(i), other.count(i));
}

void WordCounts::grow() {
  std::vector<std::uint32_t>(slots_.size() * 2).swap(slots_);
  const auto mask = slots_.size() - 1;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    auto slot = entries_[i].hash & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = static_cast<std::uint32_t>(i + 1);
  }
}

void WordCounts::clear() {
  bytes_.clear();
  entries_.clear();
  std::fill(slots_.begin(), slots_.end(), 0);
}

void WordCounts::keep_most_frequent(std::size_t size) {
  if (entries_.size() <= size) return;
  std::vector<std::uint32_t> order(entries_.size());
  std::iota(order.begin(), order.end(), 0);
  std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(size), order.end(),
                   [this](std::uint32_t a, std::uint32_t b) {
                     return entries_[a].count != entries_[b].count
                                ? entries_[a].count > entries_[b].count
                                : word(a) < word(b);
                   });
  order.resize(size);
  std::sort(order.begin(), order.end());
  WordCounts kept;
  for (const auto i : order) kept.add(word(i), entries_[i].count);
  *this = std::move(kept);
}

}  // namespace cloze::text
