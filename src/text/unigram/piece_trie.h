/// \file
/// The pieces of a Unigram model as a double array: all pieces that begin at a place of a text, for
/// a memory access a byte.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace cloze::text {

class PieceTrie {
 public:
  /// What stands for no piece, where one's value is asked for.
  static constexpr std::int32_t kNone = -1;

  struct Entry {
    std::string_view piece;
    std::int32_t value;  ///< not negative
  };

  /// A place in the trie: what has been read is the begin of some piece.
  class Node {
    friend class PieceTrie;
    std::uint32_t children = 0;  // of a node that has none
  };

  /// No piece is there twice; they are valid UTF-8. An empty one is not found. Throws ArgumentError
  /// where they have too many beginnings altogether (about 2^24).
  explicit PieceTrie(std::vector<Entry> entries);

  [[nodiscard]] Node root() const { return node(root_); }

  /// Goes on from `node` by a byte of valid UTF-8, and sets `value` to that of the piece that ends
  /// there, or kNone. False where no piece goes on so; `node` is then as it was.
  [[nodiscard]] bool step(Node& node, char byte, std::int32_t& value) const {
    const std::uint32_t label = static_cast<unsigned char>(byte);
    const Unit& unit = units_[node.children ^ label];
    if ((unit.link & kLabel) != label) return false;
    node.children = unit.link >> 8U;
    value = unit.value;
    return true;
  }

  /// Gives a piece that is in the trie another value.
  void set_value(std::string_view piece, std::int32_t value);

 private:
  friend class PieceTrieBuilder;
  static constexpr std::uint32_t kLabel = 0xFF;

  // The child of a node by byte b stands at the node's number ^ b, and has the label b. Numbers of
  // nodes are unique, and no node with children has number 0, so that a label alone tells a child.
  struct Unit {
    std::uint32_t link = kLabel;  // number of the node << 8 | label; no byte of UTF-8 is 0xFF
    std::int32_t value = kNone;
  };
  [[nodiscard]] static Node node(std::uint32_t children) {
    Node result;
    result.children = children;
    return result;
  }

  std::vector<Unit> units_;  // whole blocks of 256
  std::uint32_t root_ = 0;
};

}  // namespace cloze::text
