#include "text/unigram/model.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "core/utf8.h"

namespace cloze::text {
namespace {

// How much less likely an unknown character is than the least likely piece.
constexpr double kUnknownPenalty = 10;
// Longer pieces are found by the way of all others: no word is so long, and loading stays linear.
constexpr std::size_t kLongestMarked = 256;
constexpr auto kNowhere = std::numeric_limits<std::uint32_t>::max();

std::size_t size_of_character(const char* p) {
  const char* end = p;
  (void)utf8::decode(end);
  return static_cast<std::size_t>(end - p);
}

std::vector<PieceTrie::Entry> entries_of(const Vocabulary& vocabulary, std::size_t count) {
  std::vector<PieceTrie::Entry> entries;
  entries.reserve(count);
  for (std::int32_t id = 0; id < static_cast<std::int32_t>(count); ++id) {
    if (vocabulary.has_id(id)) entries.push_back({vocabulary.token(id), id * 2});
  }
  return entries;
}

}  // namespace

UnigramModel::UnigramModel(Vocabulary vocabulary, UnigramRules rules)
    : vocabulary_(std::move(vocabulary)),
      rules_(std::move(rules)),
      unk_score_(*std::min_element(rules_.scores.begin(), rules_.scores.end()) - kUnknownPenalty),
      divisible_(text::divisible(rules_.steps) &&
                 (rules_.whitespace_split || (rules_.metaspace && rules_.metaspace->split))),
      trie_(entries_of(vocabulary_, rules_.scores.size())) {
  for (int byte = 0; byte < 256; ++byte) {
    const auto id = vocabulary_.id_of(fmt::format("<0x{:02X}>", byte));
    const bool piece = id && static_cast<std::size_t>(*id) < rules_.scores.size();
    byte_ids_[static_cast<std::size_t>(byte)] = piece && rules_.byte_fallback ? *id : -1;
  }
  mark_whole_words();
}

void UnigramModel::mark_whole_words() {
  if (!rules_.metaspace) return;
  const std::string& space = rules_.metaspace->replacement;
  auto node = trie_.root();
  std::int32_t value = 0;
  for (const char byte : space) {
    if (!trie_.step(node, byte, value)) return;
  }
  after_space_ = node;
  BestPath path;
  for (std::int32_t id = 0; id < static_cast<std::int32_t>(rules_.scores.size()); ++id) {
    const auto piece = vocabulary_.token(id);
    if (id == rules_.unk_id || !piece.starts_with(space) || piece.size() > kLongestMarked) continue;
    find(piece, path);
    if (path.pieces().size() == 1 && path.pieces()[0].id == id) trie_.set_value(piece, id * 2 + 1);
  }
}

// Viterbi: from left to right, the best path to each character's end. Of equals the first found
// stays, as in tokenizers: that of the earlier begin.
void UnigramModel::best_path(std::string_view sentence, std::vector<BestPath::Best>& best) const {
  best.assign(sentence.size() + 1, {0, kNowhere, 0});
  const auto offer = [&best](std::size_t end, std::size_t begin, double score, std::int32_t id) {
    auto& there = best[end];
    if (there.begin == kNowhere || score > there.score) {
      there = {score, static_cast<std::uint32_t>(begin), id};
    }
  };
  for (std::size_t begin = 0; begin < sentence.size();) {
    const double so_far = best[begin].score;
    const auto length = size_of_character(sentence.data() + begin);
    bool known = false;  // whether the character is a piece by itself
    auto node = trie_.root();
    std::int32_t value = PieceTrie::kNone;
    for (auto end = begin; end < sentence.size() && trie_.step(node, sentence[end], value);) {
      ++end;
      if (value < 0) continue;
      const auto id = value >> 1;
      offer(end, begin, rules_.scores[static_cast<std::size_t>(id)] + so_far, id);
      known = known || end - begin == length;
    }
    if (!known) offer(begin + length, begin, unk_score_ + so_far, rules_.unk_id);
    begin += length;
  }
}

void UnigramModel::find(std::string_view sentence, BestPath& path) const {
  best_path(sentence, path.best_);
  auto& pieces = path.pieces_;
  pieces.clear();
  bool fused = false;
  for (auto end = sentence.size(); end > 0;) {
    const auto& best = path.best_[end];
    const auto begin = static_cast<std::size_t>(best.begin);
    if (best.id == rules_.unk_id && !pieces.empty() && pieces.back().id == rules_.unk_id &&
        pieces.back().begin == end) {
      pieces.back().begin = begin;
      fused = true;
    } else {
      pieces.push_back({begin, end, best.id});
    }
    end = begin;
  }
  std::reverse(pieces.begin(), pieces.end());
  if (!fused) return;
  // Unknown characters may spell a piece together, which scores less than they do.
  for (auto& piece : pieces) {
    if (piece.id != rules_.unk_id) continue;
    const auto id = vocabulary_.id_of(sentence.substr(piece.begin, piece.end - piece.begin));
    if (id && static_cast<std::size_t>(*id) < rules_.scores.size()) piece.id = *id;
  }
}

std::optional<std::vector<std::int32_t>> UnigramModel::byte_pieces(std::string_view text) const {
  std::vector<std::int32_t> ids;
  for (const char c : text) {
    ids.push_back(byte_ids_[static_cast<unsigned char>(c)]);
    if (ids.back() < 0) return std::nullopt;
  }
  return ids;
}

}  // namespace cloze::text
