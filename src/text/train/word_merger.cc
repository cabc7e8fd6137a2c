#include "text/train/word_merger.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <map>
#include <numeric>
#include <queue>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/utf8.h"

namespace cloze::text {
namespace {

using Symbol = std::int32_t;  // index of a token

// The tokens so far, and which there are.
class Tokens {
 public:
  explicit Tokens(std::string prefix) : prefix_(std::move(prefix)) {}

  Symbol add(const std::string& token) {
    const auto [at, added] = ids_.try_emplace(token, static_cast<Symbol>(tokens_.size()));
    if (added) tokens_.push_back(token);
    return at->second;
  }
  Symbol add_merged(Symbol left, Symbol right) {
    std::string_view tail = tokens_[static_cast<std::size_t>(right)];
    if (tail.starts_with(prefix_)) tail.remove_prefix(prefix_.size());
    return add(tokens_[static_cast<std::size_t>(left)] + std::string(tail));
  }
  [[nodiscard]] std::size_t size() const { return tokens_.size(); }
  std::vector<std::string> take() { return std::move(tokens_); }

 private:
  std::string prefix_;
  std::vector<std::string> tokens_;
  std::unordered_map<std::string, Symbol> ids_;
};

// Pairs of neighbouring symbols: how often they come up, and in which words.
struct Pair {
  Symbol left, right;
  std::int64_t count = 0;
  std::vector<std::uint32_t> words;  // may hold words that have lost the pair since
};

class Pairs {
 public:
  Pair& operator[](std::pair<Symbol, Symbol> symbols) {
    const auto key = static_cast<std::uint64_t>(static_cast<std::uint32_t>(symbols.first)) << 32U |
                     static_cast<std::uint32_t>(symbols.second);
    const auto mask = slots_.size() - 1;
    auto slot = (key * 0x9E3779B97F4A7C15U >> 20U) & mask;
    for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
      if (keys_[slots_[slot] - 1] == key) return pairs_[slots_[slot] - 1];
    }
    pairs_.push_back({symbols.first, symbols.second, 0, {}});
    keys_.push_back(key);
    slots_[slot] = static_cast<std::uint32_t>(pairs_.size());
    if (pairs_.size() * 2 > slots_.size()) grow();
    return pairs_.back();
  }
  Pair& at(std::size_t index) { return pairs_[index]; }
  [[nodiscard]] std::size_t index(const Pair& pair) const {
    return static_cast<std::size_t>(&pair - pairs_.data());
  }
  [[nodiscard]] std::size_t size() const { return pairs_.size(); }

 private:
  void grow() {
    std::vector<std::uint32_t>(slots_.size() * 2).swap(slots_);
    const auto mask = slots_.size() - 1;
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      auto slot = (keys_[i] * 0x9E3779B97F4A7C15U >> 20U) & mask;
      while (slots_[slot] != 0) slot = (slot + 1) & mask;
      slots_[slot] = static_cast<std::uint32_t>(i + 1);
    }
  }

  std::vector<Pair> pairs_;
  std::vector<std::uint64_t> keys_;
  std::vector<std::uint32_t> slots_ = std::vector<std::uint32_t>(1 << 16);
};

// A place in the queue: more frequent first, then the smaller pair, as Hugging Face orders them.
struct Candidate {
  std::int64_t count;
  Symbol left, right;
  std::uint32_t pair;
  friend bool operator<(const Candidate& a, const Candidate& b) {
    if (a.count != b.count) return a.count < b.count;
    return std::pair(a.left, a.right) > std::pair(b.left, b.right);
  }
};

class Merger {
 public:
  Merger(const WordCounts& words, const VocabularyOptions& options)
      : options_(options), tokens_(options.continuing_prefix) {
    for (const auto& token : options.special_tokens) tokens_.add(token);
    add_alphabet(words);
    split_words(words);
    if (tokens_.size() > options.size) {
      throw ArgumentError(fmt::format(
          "the alphabet and the special tokens are {} tokens, more than the vocabulary's {}; raise "
          "the size or lower the alphabet's limit",
          tokens_.size(), options.size));
    }
  }

  std::vector<std::string> run(const std::function<void(std::int64_t)>& progress) {
    for (std::size_t i = 0; i < pairs_.size(); ++i) enqueue(i);
    std::size_t before = tokens_.size();
    progress(static_cast<std::int64_t>(before));
    while (tokens_.size() < options_.size && !queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      const Pair& pair = pairs_.at(top.pair);
      if (pair.count != top.count) continue;  // a newer place in the queue has the right count
      if (top.count < std::max<std::int64_t>(1, options_.min_frequency)) break;
      merge(top.pair, tokens_.add_merged(top.left, top.right));
      progress(static_cast<std::int64_t>(tokens_.size() - before));
      before = tokens_.size();
    }
    return tokens_.take();
  }

 private:
  void add_alphabet(const WordCounts& words) {
    std::unordered_map<char32_t, std::int64_t> counts;
    for (std::size_t i = 0; i < words.size(); ++i) {
      const auto word = words.word(i);
      for (const char* p = word.data(); p < word.data() + word.size();) {
        counts[utf8::decode(p)] += words.count(i);
      }
    }
    const utf8::ValidText initial(options_.initial_alphabet);
    for (const char* p = initial.text().data();
         p < initial.text().data() + initial.text().size();) {
      counts[utf8::decode(p)] = std::numeric_limits<std::int64_t>::max();
    }
    std::vector<std::pair<char32_t, std::int64_t>> kept(counts.begin(), counts.end());
    std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) {
      return a.second != b.second ? a.second > b.second : a.first < b.first;
    });
    kept.resize(std::min(kept.size(), options_.limit_alphabet));
    std::sort(kept.begin(), kept.end());
    for (const auto& [cp, count] : kept) {
      const auto id = tokens_.add(text_of(cp));
      alphabet_.emplace(cp, std::pair(id, Symbol{-1}));
    }
    // Continuations, in the alphabet's order, of those that occur inside a word.
    std::set<char32_t> inside;
    for (std::size_t i = 0; i < words.size(); ++i) {
      const auto word = words.word(i);
      const char* p = word.data();
      for (bool first = true; p < word.data() + word.size(); first = false) {
        const char32_t cp = utf8::decode(p);
        if (!first && alphabet_.contains(cp)) inside.insert(cp);
      }
    }
    for (const char32_t cp : inside) {
      alphabet_[cp].second = tokens_.add(options_.continuing_prefix + text_of(cp));
    }
  }

  static std::string text_of(char32_t cp) {
    char bytes[4];
    return {bytes, static_cast<std::size_t>(utf8::encode(cp, bytes))};
  }

  void split_words(const WordCounts& words) {
    // Order of words decides nothing but the order of lists: the most frequent come first.
    std::vector<std::uint32_t> order(words.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return words.count(a) != words.count(b) ? words.count(a) > words.count(b)
                                              : words.word(a) < words.word(b);
    });
    begins_.push_back(0);
    for (const auto i : order) {
      const auto word = words.word(i);
      const auto begin = symbols_.size();
      for (const char* p = word.data(); p < word.data() + word.size();) {
        const bool first = p == word.data();
        const auto at = alphabet_.find(utf8::decode(p));
        if (at != alphabet_.end()) {
          symbols_.push_back(first ? at->second.first : at->second.second);
        }
      }
      const auto w = static_cast<std::uint32_t>(counts_.size());
      counts_.push_back(words.count(i));
      begins_.push_back(symbols_.size());
      sizes_.push_back(static_cast<std::uint32_t>(symbols_.size() - begin));
      for (auto s = begin; s + 1 < symbols_.size(); ++s) count(symbols_[s], symbols_[s + 1], w, 1);
    }
  }

  // Counts the pair `times` more often in word `w`; returns its index.
  std::uint32_t count(Symbol left, Symbol right, std::uint32_t w, std::int64_t times) {
    Pair& pair = pairs_[{left, right}];
    pair.count += times * counts_[w];
    if (times > 0 && (pair.words.empty() || pair.words.back() != w)) pair.words.push_back(w);
    return static_cast<std::uint32_t>(pairs_.index(pair));
  }

  void enqueue(std::size_t index) {
    const Pair& pair = pairs_.at(index);
    if (pair.count <= 0) return;
    queue_.push({pair.count, pair.left, pair.right, static_cast<std::uint32_t>(index)});
  }

  void merge(std::uint32_t index, Symbol merged) {
    const auto left = pairs_.at(index).left;
    const auto right = pairs_.at(index).right;
    const auto words = std::move(pairs_.at(index).words);
    changed_.clear();
    for (const auto w : words) merge_in_word(w, left, right, merged);
    pairs_.at(index).words.clear();
    pairs_.at(index).count = 0;
    std::sort(changed_.begin(), changed_.end());
    changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
    for (const auto i : changed_) enqueue(i);
  }

  void merge_in_word(std::uint32_t w, Symbol left, Symbol right, Symbol merged) {
    Symbol* const symbols = symbols_.data() + begins_[w];
    const std::uint32_t size = sizes_[w];
    std::uint32_t out = 0;
    for (std::uint32_t i = 0; i < size; ++i) {
      if (i + 1 == size || symbols[i] != left || symbols[i + 1] != right) {
        symbols[out++] = symbols[i];
        continue;
      }
      if (out > 0) {
        changed_.push_back(count(symbols[out - 1], left, w, -1));
        changed_.push_back(count(symbols[out - 1], merged, w, 1));
      }
      if (i + 2 < size) {
        changed_.push_back(count(right, symbols[i + 2], w, -1));
        changed_.push_back(count(merged, symbols[i + 2], w, 1));
      }
      symbols[out++] = merged;
      ++i;
    }
    sizes_[w] = out;
  }

  const VocabularyOptions& options_;
  Tokens tokens_;
  std::unordered_map<char32_t, std::pair<Symbol, Symbol>> alphabet_;  // at a word's start, inside
  std::vector<Symbol> symbols_;  // of all words, each from begins_, sizes_ of them
  std::vector<std::size_t> begins_;
  std::vector<std::uint32_t> sizes_;
  std::vector<std::int64_t> counts_;
  Pairs pairs_;
  std::vector<std::uint32_t> changed_;
  std::priority_queue<Candidate> queue_;
};

}  // namespace

std::vector<std::string> merge_words(const WordCounts& words, const VocabularyOptions& options,
                                     const std::function<void(std::int64_t)>& progress) {
  return Merger(words, options).run(progress);
}

}  // namespace cloze::text
