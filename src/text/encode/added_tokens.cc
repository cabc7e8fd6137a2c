#include "text/encode/added_tokens.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/strings.h"
#include "core/utf8.h"

namespace cloze::text {
namespace {

// The regex crate's \w and \s are of the same Unicode version as the hf table was read from.
bool has_flag_before(std::string_view text, std::size_t at, CharFlag flag) {
  if (at == 0) return false;
  const char* p = text.data() + at;
  return (unicode_table_hf()[utf8::decode_before(p)].flags & flag) != 0;
}

bool has_flag_at(std::string_view text, std::size_t at, CharFlag flag) {
  if (at == text.size()) return false;
  const char* p = text.data() + at;
  return (unicode_table_hf()[utf8::decode(p)].flags & flag) != 0;
}

std::size_t strip_before(std::string_view text, std::size_t at) {
  while (has_flag_before(text, at, kWhite)) {
    const char* p = text.data() + at;
    (void)utf8::decode_before(p);
    at = static_cast<std::size_t>(p - text.data());
  }
  return at;
}

std::size_t strip_after(std::string_view text, std::size_t at) {
  while (has_flag_at(text, at, kWhite)) {
    const char* p = text.data() + at;
    (void)utf8::decode(p);
    at = static_cast<std::size_t>(p - text.data());
  }
  return at;
}

}  // namespace

AddedTokenFinder::AddedTokenFinder(std::vector<std::string> patterns,
                                   std::vector<const AddedToken*> tokens) {
  std::vector<std::size_t> order(patterns.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return patterns[a] < patterns[b]; });
  for (const std::size_t i : order) {
    if (!patterns_.empty() && patterns_.back() == patterns[i]) {
      throw ArgumentError(
          fmt::format("added tokens {} and {} are the same after normalization; remove one",
                      in_quotes(tokens_.back()->content), in_quotes(tokens[i]->content)));
    }
    patterns_.push_back(std::move(patterns[i]));
    tokens_.push_back(tokens[i]);
  }
  const auto byte = [](const std::string& s) { return static_cast<unsigned char>(s[0]); };
  for (const auto& pattern : patterns_) ++first_[byte(pattern) + 1U];
  std::partial_sum(first_.begin(), first_.end(), first_.begin());
  if (!patterns_.empty() && byte(patterns_.front()) == byte(patterns_.back())) {
    only_first_byte_ = byte(patterns_.front());
  }
}

std::size_t AddedTokenFinder::next_candidate(std::string_view text, std::size_t from) const {
  if (only_first_byte_ >= 0) {
    const void* const at =
        from == text.size() ? nullptr
                            : std::memchr(text.data() + from, only_first_byte_, text.size() - from);
    return at == nullptr ? text.size()
                         : static_cast<std::size_t>(static_cast<const char*>(at) - text.data());
  }
  const auto begins_pattern = [this](char c) {
    const auto b = static_cast<unsigned char>(c);
    return first_[b] != first_[b + 1U];
  };
  while (from < text.size() && !begins_pattern(text[from])) ++from;
  return from;
}

const std::string* AddedTokenFinder::longest_at(std::string_view text, std::size_t at,
                                                const AddedToken*& token) const {
  const auto b = static_cast<unsigned char>(text[at]);
  const auto rest = text.substr(at);
  // Narrow [low, high) to the patterns that share the next byte, remembering the last that ended.
  std::size_t low = first_[b];
  std::size_t high = first_[b + 1U];
  const std::string* found = nullptr;
  for (std::size_t depth = 1; low < high; ++depth) {
    if (patterns_[low].size() == depth) {
      found = &patterns_[low];
      token = tokens_[low];
      ++low;
    }
    if (depth == rest.size()) break;
    const auto less = [depth](const std::string& pattern, char c) {
      return static_cast<unsigned char>(pattern[depth]) < static_cast<unsigned char>(c);
    };
    const auto greater = [depth](char c, const std::string& pattern) {
      return static_cast<unsigned char>(c) < static_cast<unsigned char>(pattern[depth]);
    };
    const auto begin = patterns_.begin();
    const auto at_index = [begin](std::size_t i) { return begin + static_cast<std::ptrdiff_t>(i); };
    const auto from = std::lower_bound(at_index(low), at_index(high), rest[depth], less);
    const auto to = std::upper_bound(from, at_index(high), rest[depth], greater);
    low = static_cast<std::size_t>(from - begin);
    high = static_cast<std::size_t>(to - begin);
  }
  return found;
}

bool AddedTokenFinder::may_match(std::string_view text) const {
  return !empty() && next_candidate(text, 0) != text.size();
}

void AddedTokenFinder::split(std::string_view text, std::vector<AddedMatch>& parts) const {
  parts.clear();
  std::size_t done = 0;  // up to here the text is in `parts`
  std::size_t at = empty() ? text.size() : next_candidate(text, 0);
  while (at < text.size()) {
    const AddedToken* token = nullptr;
    const std::string* const pattern = longest_at(text, at, token);
    if (pattern == nullptr) {
      at = next_candidate(text, at + 1);
      continue;
    }
    std::size_t begin = at;
    std::size_t end = at + pattern->size();
    at = next_candidate(text, end);
    if (token->single_word &&
        (has_flag_before(text, begin, kWordChar) || has_flag_at(text, end, kWordChar))) {
      continue;
    }
    if (token->lstrip) begin = std::max(strip_before(text, begin), done);
    if (token->rstrip) end = strip_after(text, end);
    if (done < begin) parts.push_back({done, begin, nullptr});
    parts.push_back({begin, end, token});
    done = end;
  }
  if (done != text.size()) parts.push_back({done, text.size(), nullptr});
}

}  // namespace cloze::text
