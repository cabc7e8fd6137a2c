#include "corpus/sentence_pairs.h"

#include <algorithm>

namespace cloze {
namespace {

std::int64_t target_length(std::int64_t most, double short_probability, RandomStream& random) {
  if (!random.chance(short_probability) || most < 2) return most;
  return random.between(2, static_cast<std::uint32_t>(most));
}

// A part of another document than part `index`.
std::size_t other_part(const TokenizedDocuments& documents, std::size_t index,
                       RandomStream& random) {
  const auto count = static_cast<std::uint32_t>(documents.parts.size());
  const auto own = documents.parts[index].document;
  // Most parts belong to other documents, so that the first draw is nearly always good.
  for (int i = 0; i < 10; ++i) {
    const std::size_t drawn = random.below(count);
    if (documents.parts[drawn].document != own) return drawn;
  }
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < count; ++i) {
    if (documents.parts[i].document != own) others.push_back(i);
  }
  if (!others.empty()) return others[random.below(static_cast<std::uint32_t>(others.size()))];
  if (count == 1) return index;
  const std::size_t drawn = random.below(count - 1);
  return drawn < index ? drawn : drawn + 1;
}

using Segment = std::span<const std::int32_t>;

// truncate_seq_pair
void truncate(Segment& first, Segment& second, std::size_t most, RandomStream& random) {
  while (first.size() + second.size() > most) {
    auto& longer = first.size() > second.size() ? first : second;
    longer = random.chance(0.5) ? longer.subspan(1) : longer.first(longer.size() - 1);
  }
}

}  // namespace

void TokenizedDocuments::clear() {
  ids.clear();
  bounds.assign(1, 0);
  parts.clear();
}

void cut_pairs(const TokenizedDocuments& documents, std::size_t index,
               const SegmentOptions& options, RandomStream& random, const SegmentSink& sink) {
  const auto most = options.max_length - 3;
  const auto target = target_length(most, options.short_sequence_probability, random);
  const auto part = documents.parts[index];
  const auto length = [&](std::size_t first, std::size_t last) {
    return static_cast<std::int64_t>(documents.tokens(first, last).size());
  };
  for (auto begin = part.first; begin < part.last;) {
    auto end = begin + 1;
    while (end < part.last && length(begin, end) < target) ++end;
    const auto sentences = static_cast<std::uint32_t>(end - begin);
    const auto middle = begin + (sentences < 2 ? 1 : random.between(1, sentences - 1));
    auto first = documents.tokens(begin, middle);
    Segment second;
    const bool random_next = sentences == 1 || random.chance(0.5);
    if (random_next) {
      const auto wanted = target - static_cast<std::int64_t>(first.size());
      const auto& other = documents.parts[other_part(documents, index, random)];
      const auto from =
          other.first + random.below(static_cast<std::uint32_t>(other.last - other.first));
      auto to = from + 1;
      while (to < other.last && length(from, to) < wanted) ++to;
      second = documents.tokens(from, to);
      begin = middle;  // the rest is put back
    } else {
      second = documents.tokens(middle, end);
      begin = end;
    }
    truncate(first, second, static_cast<std::size_t>(most), random);
    sink(first, second, random_next);
  }
}

void cut_single(const TokenizedDocuments& documents, std::size_t index,
                const SegmentOptions& options, RandomStream& random, const SegmentSink& sink) {
  const auto target =
      target_length(options.max_length - 2, options.short_sequence_probability, random);
  const auto part = documents.parts[index];
  for (auto begin = part.first; begin < part.last;) {
    auto end = begin + 1;
    while (end < part.last &&
           static_cast<std::int64_t>(documents.tokens(begin, end + 1).size()) <= target) {
      ++end;
    }
    sink(documents.tokens(begin, end), {}, false);
    begin = end;
  }
}

}  // namespace cloze
