#include "text/unigram/piece_trie.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze::text {

// Gives each node a number such that its children's places are free: places are looked for among
// those that are free in the last kWindow blocks, and in a new one when there are none.
class PieceTrieBuilder {
 public:
  PieceTrieBuilder(PieceTrie& trie, std::vector<PieceTrie::Entry> entries)
      : trie_(trie), entries_(std::move(entries)) {
    std::sort(entries_.begin(), entries_.end(),
              [](const auto& a, const auto& b) { return a.piece < b.piece; });
    if (!entries_.empty() && entries_.front().piece.empty()) entries_.erase(entries_.begin());
  }

  void build() {
    add_block();
    std::vector<Range> open{{0, entries_.size(), 0, kRoot}};
    while (!open.empty()) {
      const Range range = open.back();
      open.pop_back();
      place_children(range, open);
    }
  }

 private:
  static constexpr std::size_t kBlock = 256;
  static constexpr std::size_t kWindow = 16;
  static constexpr std::uint32_t kEnd = 0xFFFFFFFF;
  static constexpr std::uint32_t kRoot = kEnd;  // the place of the node that is nobody's child
  static constexpr std::size_t kMostUnits = std::size_t{1} << 24U;

  // Entries that share their first `depth` bytes; `place` is that of their node.
  struct Range {
    std::size_t begin, end, depth;
    std::uint32_t place;
  };

  struct Child {
    unsigned char label;
    std::size_t begin, end;
  };

  void place_children(const Range& range, std::vector<Range>& open) {
    children_.clear();
    for (auto at = range.begin; at < range.end;) {
      const auto label = static_cast<unsigned char>(entries_[at].piece[range.depth]);
      auto end = at + 1;
      while (end < range.end &&
             static_cast<unsigned char>(entries_[end].piece[range.depth]) == label) {
        ++end;
      }
      children_.push_back({label, at, end});
      at = end;
    }
    if (children_.empty()) return;
    const auto number = free_number();
    numbered_[number] = true;
    if (range.place == kRoot) {
      trie_.root_ = number;
    } else {
      auto& link = trie_.units_[range.place].link;
      link = number << 8U | (link & PieceTrie::kLabel);
    }
    for (const Child& child : children_) {
      const auto place = number ^ child.label;
      take(place);
      auto& unit = trie_.units_[place];
      unit.link = child.label;
      auto begin = child.begin;
      if (entries_[begin].piece.size() == range.depth + 1) unit.value = entries_[begin++].value;
      if (begin < child.end) open.push_back({begin, child.end, range.depth + 1, place});
    }
  }

  // A number that no node has, with free places for `children_`.
  std::uint32_t free_number() {
    const auto first = children_.front().label;
    for (auto place = first_free_; place != kEnd; place = next_[place]) {
      const auto number = place ^ first;
      if (number == 0 || numbered_[number]) continue;
      if (std::all_of(children_.begin() + 1, children_.end(),
                      [&](const Child& child) { return is_free(number ^ child.label); })) {
        return number;
      }
    }
    return add_block();
  }

  // Adds free places, and returns the first.
  std::uint32_t add_block() {
    const auto begin = trie_.units_.size();
    if (begin + kBlock > kMostUnits) {
      throw ArgumentError(fmt::format(
          "the pieces have more than {} beginnings altogether; no vocabulary is so large",
          kMostUnits));
    }
    trie_.units_.resize(begin + kBlock);
    numbered_.resize(begin + kBlock);
    free_.resize(begin + kBlock, true);
    next_.resize(begin + kBlock, kEnd);
    before_.resize(begin + kBlock, kEnd);
    for (auto place = static_cast<std::uint32_t>(begin); place < begin + kBlock; ++place) {
      before_[place] = last_free_;
      (last_free_ == kEnd ? first_free_ : next_[last_free_]) = place;
      last_free_ = place;
    }
    const auto blocks = begin / kBlock + 1;
    if (blocks > kWindow) {
      const auto old = (blocks - kWindow - 1) * kBlock;
      for (auto place = old; place < old + kBlock; ++place) {
        if (is_free(static_cast<std::uint32_t>(place))) take(static_cast<std::uint32_t>(place));
      }
    }
    return static_cast<std::uint32_t>(begin);
  }

  [[nodiscard]] bool is_free(std::uint32_t place) const { return free_[place]; }

  void take(std::uint32_t place) {
    free_[place] = false;
    const auto before = before_[place];
    const auto next = next_[place];
    (before == kEnd ? first_free_ : next_[before]) = next;
    (next == kEnd ? last_free_ : before_[next]) = before;
  }

  PieceTrie& trie_;
  std::vector<PieceTrie::Entry> entries_;
  std::vector<Child> children_;
  std::vector<bool> numbered_, free_;         // by number of a node, by place
  std::vector<std::uint32_t> next_, before_;  // of the free places
  std::uint32_t first_free_ = kEnd, last_free_ = kEnd;
};

PieceTrie::PieceTrie(std::vector<Entry> entries) {
  PieceTrieBuilder(*this, std::move(entries)).build();
}

void PieceTrie::set_value(std::string_view piece, std::int32_t value) {
  std::uint32_t children = root_;
  std::size_t place = 0;
  for (const char byte : piece) {
    place = children ^ static_cast<unsigned char>(byte);
    children = units_[place].link >> 8U;
  }
  units_[place].value = value;
}

}  // namespace cloze::text
