#include "text/encode/text_model.h"

namespace cloze::text {

const Vocabulary& TextModel::vocabulary() const {
  if (const auto* const word_piece = std::get_if<WordPieceModel>(&model_)) {
    return word_piece->vocabulary;
  }
  return unigram() != nullptr ? unigram()->vocabulary() : japanese()->vocabulary;
}

std::int32_t TextModel::unk_id() const {
  if (const auto* const word_piece = std::get_if<WordPieceModel>(&model_)) {
    return word_piece->unk_id;
  }
  return unigram() != nullptr ? unigram()->rules().unk_id : japanese()->unk_id;
}

bool TextModel::has_added_tokens() const {
  const auto* const word_piece = std::get_if<WordPieceModel>(&model_);
  return word_piece == nullptr || !word_piece->actions.rules().google;
}

// A Unigram model divides texts itself: its words begin with the space. MeCab looks at a whole text.
bool TextModel::divides_by_words() const { return std::holds_alternative<WordPieceModel>(model_); }

NormalizedText TextModel::normalize(std::string_view text, std::int32_t begin,
                                    OffsetUnit unit) const {
  const auto* const word_piece = std::get_if<WordPieceModel>(&model_);
  return word_piece != nullptr ? text::normalize(word_piece->actions, text, begin, unit)
                               : text::normalize(*unigram(), text, begin, unit);
}

void TextModel::segment_normalized(const NormalizedText& text, std::size_t from, std::size_t to,
                                   PieceSink& sink) const {
  if (const auto* const word_piece = std::get_if<WordPieceModel>(&model_)) {
    text::segment_normalized(*word_piece, text, from, to, sink);
  } else {
    text::segment_normalized(*unigram(), text, from, to, sink);
  }
}

}  // namespace cloze::text
