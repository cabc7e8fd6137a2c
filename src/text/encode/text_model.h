/// \file
/// What cuts the text between added tokens into pieces: a WordPiece, a Unigram or a Japanese model, each
/// with its normalizer and pre-tokenizer. Which of them is asked once a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>

#include "text/encode/piece_sink.h"
#include "text/japanese/segmenter.h"
#include "text/normalize/normalized_text.h"
#include "text/unigram/segmenter.h"
#include "text/wordpiece/segmenter.h"

namespace cloze::text {

class TextModel {
 public:
  TextModel(WordPieceModel model) : model_(std::move(model)) {}  // NOLINT(*-explicit-*)
  TextModel(UnigramModel model) : model_(std::move(model)) {}    // NOLINT(*-explicit-*)
  TextModel(JapaneseModel model) : model_(std::move(model)) {}   // NOLINT(*-explicit-*)

  [[nodiscard]] const Vocabulary& vocabulary() const;
  [[nodiscard]] std::int32_t unk_id() const;
  /// Null for another model.
  [[nodiscard]] const UnigramModel* unigram() const { return std::get_if<UnigramModel>(&model_); }
  [[nodiscard]] const JapaneseModel* japanese() const {
    return std::get_if<JapaneseModel>(&model_);
  }

  /// Whether added tokens are looked for in the text.
  [[nodiscard]] bool has_added_tokens() const;
  /// Whether those that say "normalized" are looked for in normalized text.
  [[nodiscard]] bool normalizes_added_tokens() const { return japanese() == nullptr; }
  /// Whether a long text may be cut after any space before an ASCII letter or digit.
  [[nodiscard]] bool divides_by_words() const;

  /// Appends the pieces of `text`, which is valid UTF-8, to `sink`. `begin` is the offset of its
  /// first code point; offsets are in `unit`.
  void segment(std::string_view text, std::int32_t begin, OffsetUnit unit, PieceSink& sink) const {
    if (const auto* word_piece = std::get_if<WordPieceModel>(&model_)) {
      text::segment(*word_piece, text, begin, unit, sink);
    } else if (const auto* unigram = this->unigram()) {
      text::segment(*unigram, text, begin, unit, sink);
    } else {
      text::segment(*japanese(), text, begin, unit, sink);
    }
  }

  /// `text` (valid UTF-8) as the model reads it, if it normalizes_added_tokens.
  [[nodiscard]] NormalizedText normalize(std::string_view text, std::int32_t begin,
                                         OffsetUnit unit) const;
  /// Appends the pieces of the bytes [from, to) of such a text to `sink`.
  void segment_normalized(const NormalizedText& text, std::size_t from, std::size_t to,
                          PieceSink& sink) const;

 private:
  std::variant<WordPieceModel, UnigramModel, JapaneseModel> model_;
};

}  // namespace cloze::text
