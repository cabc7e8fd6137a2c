/// \file
/// Words of sentences as windows of tokens: each word counts in one window, at its first token, and
/// has its neighbours around it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "cloze/batch.h"
#include "cloze/tokenizer.h"

namespace cloze {

struct WindowOptions {
  std::int64_t max_length = 512;  ///< tokens of a window, special ones included
  std::int64_t stride = 128;      ///< tokens that windows of one long sentence share
  /// Neighbouring sentences of the document fill each sentence's window, as much on either side as
  /// there is (Devlin et al., section 5.3; "the maximal document context").
  bool document_context = false;
};

class TokenWindows {
 public:
  TokenWindows(const Tokenizer& tokenizer, const WindowOptions& options)
      : tokenizer_(&tokenizer), options_(options) {}

  /// Adds a sentence to the current document.
  void add_sentence(std::span<const std::string_view> words);
  /// The next sentence begins another document.
  void end_document();
  /// Must be called after the last sentence, before what follows.
  void finish() { end_document(); }

  [[nodiscard]] std::size_t size() const { return windows_.size(); }
  [[nodiscard]] std::int64_t words() const { return words_; }
  [[nodiscard]] std::int64_t length(std::size_t window) const {
    return windows_[window].end - windows_[window].begin + 2;
  }
  /// Appends the window as a sequence, [CLS] and [SEP] around it.
  void append_to(Batch& batch, std::size_t window) const;
  /// For each token of the window the word (counted over all sentences) that counts there, -1 for
  /// none.
  [[nodiscard]] std::vector<std::int64_t> counted_words(std::size_t window) const;
  /// Sentences that did not fit into one window.
  [[nodiscard]] std::int64_t split_sentences() const { return split_; }

 private:
  struct Window {
    std::int64_t begin = 0, end = 0;              // tokens of ids_
    std::int64_t count_begin = 0, count_end = 0;  // those whose words count
  };
  struct Sentence {
    std::int64_t begin = 0, end = 0;  // tokens of ids_
  };
  void add_windows(const Sentence& sentence, std::int64_t document_begin,
                   std::int64_t document_end);

  const Tokenizer* tokenizer_;
  WindowOptions options_;
  std::vector<std::int32_t> ids_;       // of all sentences, without special tokens
  std::vector<std::int64_t> first_of_;  // for each of them the word that it begins, -1 for none
  std::vector<Sentence> sentences_;     // of the current document
  std::vector<Window> windows_;
  std::int64_t words_ = 0;
  std::int64_t split_ = 0;
};

}  // namespace cloze
