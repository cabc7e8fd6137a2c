/// \file
/// A vocabulary and texts of made-up words, for tests of pre-training data.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cloze/tokenizer.h"
#include "core/temp_directory.h"

namespace cloze::testing {

/// Special tokens, `words` words "w0", "w1", ..., and `pieces` pieces "##p0", ...: a word of a text
/// may be written "w3", or "w3" followed by continuing pieces "p5p6".
class MadeUpVocabulary {
 public:
  explicit MadeUpVocabulary(std::int32_t words, std::int32_t pieces = 0, bool with_mask = true) {
    std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n";
    if (with_mask) vocabulary += "[MASK]\n";
    first_word_ = with_mask ? 5 : 4;
    for (std::int32_t i = 0; i < words; ++i) vocabulary += fmt::format("w{}x\n", i);
    for (std::int32_t i = 0; i < pieces; ++i) vocabulary += fmt::format("##p{}x\n", i);
    folder_.write("vocab.txt", vocabulary);
  }

  [[nodiscard]] Tokenizer tokenizer() const { return Tokenizer::from_pretrained(folder_.path()); }
  [[nodiscard]] std::int32_t first_word() const { return first_word_; }

 private:
  TempDirectory folder_;
  std::int32_t first_word_;
};

/// Documents [document][sentence][word], words as ids. Every word of the text is another one, so
/// that a token tells where it is from.
struct MadeUpText {
  std::vector<std::vector<std::vector<std::int32_t>>> documents;
  std::int32_t words = 0;  ///< in all
  std::int32_t first_word = 5;

  /// `documents` documents of 1 to `most_sentences` sentences of 1 to `most_words` words.
  template <class Random>
  MadeUpText(Random& random, int count, int most_sentences, int most_words,
             int least_sentences = 1) {
    for (int d = 0; d < count; ++d) {
      auto& document = documents.emplace_back();
      const auto range = static_cast<unsigned>(most_sentences - least_sentences + 1);
      for (auto s = static_cast<unsigned>(least_sentences) + random() % range; s > 0; --s) {
        auto& sentence = document.emplace_back();
        for (auto w = 1 + random() % static_cast<unsigned>(most_words); w > 0; --w) {
          sentence.push_back(first_word + words++);
        }
      }
    }
  }

  /// A sentence a line, documents parted by blank lines.
  [[nodiscard]] std::string text() const {
    std::string result;
    for (const auto& document : documents) {
      for (const auto& sentence : document) {
        for (const auto id : sentence) result += fmt::format("w{}x ", id - first_word);
        result += '\n';
      }
      result += '\n';
    }
    return result;
  }

  /// The document of each word id.
  [[nodiscard]] std::vector<int> document_of() const {
    std::vector<int> result(static_cast<std::size_t>(first_word + words), -1);
    for (std::size_t d = 0; d < documents.size(); ++d) {
      for (const auto& sentence : documents[d]) {
        for (const auto id : sentence) result[static_cast<std::size_t>(id)] = static_cast<int>(d);
      }
    }
    return result;
  }
};

}  // namespace cloze::testing
