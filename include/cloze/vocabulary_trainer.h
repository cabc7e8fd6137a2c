/// \file
/// Training of a WordPiece vocabulary from text of any size, as Hugging Face's WordPieceTrainer
/// does it: words are counted, then the most frequent pair of neighbouring pieces becomes a piece,
/// until the vocabulary is full. The same input and options give the same vocabulary at any number
/// of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cloze/progress.h"

#pragma GCC visibility push(default)
namespace cloze {

/// What a vocabulary is trained for; the names and defaults of Hugging Face's WordPiece trainer.
struct VocabularyOptions {
  std::size_t size = 30000;           ///< tokens, special ones and the alphabet included
  std::int64_t min_frequency = 2;     ///< a pair that is rarer makes no piece
  std::size_t limit_alphabet = 1000;  ///< keep the most frequent characters; words lose the others
  std::string initial_alphabet{};     ///< characters to keep whatever their frequency (UTF-8)
  std::vector<std::string> special_tokens{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  std::string continuing_prefix = "##";

  bool lowercase = true;
  std::optional<bool> strip_accents{};  ///< absent: as `lowercase`
  bool handle_chinese_chars = true;

  /// Distinct words held at most. When there are more, the rarest are forgotten, as often as it
  /// takes: memory stays bounded (about 64 bytes a word) and frequent words lose nothing.
  std::size_t max_words = 8'000'000;
  ProgressCallback progress{};  ///< told of the bytes read, then of the tokens made
};

/// The tokens, in order of id: special tokens, the alphabet, its continuations ("##a"), then pieces
/// as they were made. Fewer than `options.size` when no pair is frequent enough. Files are read in
/// blocks of some MiB on `num_threads()` threads. Words of over 100 characters are left out: the
/// tokenizer never looks into them. Invalid UTF-8 counts as U+FFFD, which is dropped.
/// Throws IoError, and ArgumentError for options that make no vocabulary (no room for the
/// alphabet).
[[nodiscard]] std::vector<std::string> train_vocabulary(
    std::span<const std::filesystem::path> files, const VocabularyOptions& options = {});

/// Writes a token a line: a `vocab.txt`. Throws IoError.
void save_vocabulary(const std::filesystem::path& path, std::span<const std::string> tokens);

}  // namespace cloze

#pragma GCC visibility pop
