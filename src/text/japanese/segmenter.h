/// \file
/// Text → words → pieces, as BertJapaneseTokenizer does it (transformers 5; version 4 also
/// lower-cases the whole text before it looks for words, where do_lower_case is set).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "cloze/tokenizer.h"
#include "text/encode/piece_sink.h"
#include "text/japanese/mecab.h"
#include "text/japanese/rules.h"
#include "text/wordpiece/vocabulary.h"

namespace cloze::text {

/// What a text is cut into pieces by. Immutable.
struct JapaneseModel {
  /// Opens MeCab where the rules need it: throws as Mecab. Ids from `pieces` on are of added tokens,
  /// which words are not cut into.
  JapaneseModel(Vocabulary tokens, JapaneseRules how, std::int32_t unknown, std::int32_t pieces,
                const std::string& origin);

  Vocabulary vocabulary;
  JapaneseRules rules;
  std::int32_t unk_id;
  std::int32_t piece_count;
  std::shared_ptr<const Mecab> mecab;  ///< null where the rules do not need it

  /// The id of a piece of text; -1 where the vocabulary does not have it.
  [[nodiscard]] std::int32_t piece(std::string_view text) const {
    const auto id = vocabulary.id_of(text);
    return id && *id < piece_count ? *id : -1;
  }
};

/// Appends the pieces of `text`, which is valid UTF-8, to `sink`. `begin` is the offset of its
/// first code point; offsets are in `unit`. A piece is at the place of the characters that its own
/// were made of. Throws ArgumentError as Mecab::split.
void segment(const JapaneseModel& model, std::string_view text, std::int32_t begin, OffsetUnit unit,
             PieceSink& sink);

}  // namespace cloze::text
