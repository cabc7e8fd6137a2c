/// \file
/// A cache of bounded size.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <unordered_map>
#include <utility>

namespace cloze::ops {

/// At most `capacity` values; the one that was used least recently makes place for a new one, so a
/// caller whose keys repeat keeps finding them however many others pass by. For one thread.
template <class Key, class Value, class Hash = std::hash<Key>>
class LruCache {
 public:
  explicit LruCache(std::size_t capacity) : capacity_(capacity > 0 ? capacity : 1) {}

  /// The value of `key`, made by `make()` where there is none. Valid until the next call. Where
  /// `make` throws, the cache stays as it was.
  template <class Make>
  Value& find_or_make(const Key& key, const Make& make) {
    if (const auto found = places_.find(key); found != places_.end()) {
      entries_.splice(entries_.begin(), entries_, found->second);
      return entries_.front().second;
    }
    Value value = make();
    while (entries_.size() >= capacity_) {
      places_.erase(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(key, std::move(value));
    places_.emplace(key, entries_.begin());
    return entries_.front().second;
  }

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

 private:
  using Entries = std::list<std::pair<Key, Value>>;
  std::size_t capacity_;
  Entries entries_;  ///< the most recently used first
  std::unordered_map<Key, typename Entries::iterator, Hash> places_;
};

}  // namespace cloze::ops
