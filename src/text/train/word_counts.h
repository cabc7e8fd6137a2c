/// \file
/// Words and how often they came up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cloze::text {

class WordCounts {
 public:
  WordCounts();

  void add(std::string_view word, std::int64_t count = 1);
  /// Adds all of `other`, in its order.
  void add(const WordCounts& other);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::string_view word(std::size_t index) const {
    const Entry& entry = entries_[index];
    return std::string_view(bytes_).substr(entry.begin, entry.size);
  }
  [[nodiscard]] std::int64_t count(std::size_t index) const { return entries_[index].count; }

  void clear();

  /// Forgets the rarest words until at most `size` are left; ties go in order of their bytes.
  void keep_most_frequent(std::size_t size);

 private:
  struct Entry {
    std::uint64_t hash;
    std::int64_t count;
    std::size_t begin;  // in bytes_
    std::uint32_t size;
  };
  void grow();
  static std::uint64_t hash_of(std::string_view word);

  std::string bytes_;
  std::vector<Entry> entries_;        // in order of first appearance
  std::vector<std::uint32_t> slots_;  // open addressing: index of an entry plus one, 0 empty
};

}  // namespace cloze::text
