/// \file
/// A Unigram language model over pieces (Kudo, "Subword Regularization", 2018): a text is cut into
/// the pieces whose scores add up to the most, as tokenizers finds them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "text/unigram/piece_trie.h"
#include "text/unigram/rules.h"
#include "text/wordpiece/vocabulary.h"

namespace cloze::text {

/// The pieces of one sentence, and what finding them needs.
class BestPath {
 public:
  struct Piece {
    std::size_t begin, end;  ///< bytes of the sentence
    std::int32_t id;
  };
  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }

 private:
  friend class UnigramModel;
  struct Best {
    double score;
    std::uint32_t begin;  ///< of the last piece of the best path to here
    std::int32_t id;
  };
  std::vector<Best> best_;  ///< by byte
  std::vector<Piece> pieces_;
};

class UnigramModel {
 public:
  /// The first tokens of `vocabulary` are the pieces that `rules` has scores of. Throws ArgumentError
  /// for a vocabulary that is larger than any.
  UnigramModel(Vocabulary vocabulary, UnigramRules rules);

  /// Finds the best pieces of a sentence that is not empty. Neighbours without a piece are one.
  void find(std::string_view sentence, BestPath& path) const;

  /// The piece that is a whole word, `bytes` after the Metaspace's character; -1 where there is none,
  /// or where others score higher.
  [[nodiscard]] std::int32_t whole_word(std::string_view bytes) const {
    PieceTrie::Node node = after_space_;
    std::int32_t value = PieceTrie::kNone;
    for (const char byte : bytes) {
      if (!trie_.step(node, byte, value)) return -1;
    }
    return value >= 0 && (value & 1) != 0 ? value >> 1 : -1;
  }

  /// Ids of the byte pieces that stand for an unknown text; nothing where one is missing, or the
  /// model does not do so.
  [[nodiscard]] std::optional<std::vector<std::int32_t>> byte_pieces(std::string_view text) const;

  [[nodiscard]] const Vocabulary& vocabulary() const { return vocabulary_; }
  [[nodiscard]] const UnigramRules& rules() const { return rules_; }
  /// Whether long texts may be worked on in parts that begin with a single space.
  [[nodiscard]] bool divisible() const { return divisible_; }

 private:
  void mark_whole_words();
  void best_path(std::string_view sentence, std::vector<BestPath::Best>& best) const;

  Vocabulary vocabulary_;
  UnigramRules rules_;
  double unk_score_;
  bool divisible_;
  PieceTrie trie_;               ///< values: id * 2, and 1 for what is its own best path
  PieceTrie::Node after_space_;  ///< where words begin
  std::array<std::int32_t, 256> byte_ids_{};  ///< -1: there is none
};

}  // namespace cloze::text
