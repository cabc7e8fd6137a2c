/// \file
/// Sentences whose words have tags, in one of three forms. CoNLL's columns; a blank line ends a
/// sentence, and a line `-DOCSTART-` a document:
///
///     EU NNP I-ORG
///     rejects VBZ O
///
/// A sentence a line, its words and its tags parted by a tab; a blank line ends a document:
///
///     EU rejects<TAB>B-ORG O
///
/// JSON lines:
///
///     {"tokens": ["EU", "rejects"], "tags": ["B-ORG", "O"]}
///
/// Entity tags in IOB1, IOB2, BIOES (BILOU) or BMES are recognised, checked and given out in IOB2
/// (B- begins every entity, I- continues it). Tags of another kind (parts of speech) stay.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace cloze {

enum class TagScheme : std::uint8_t {
  plain,  ///< no entities: any labels
  iob1,   ///< I- throughout, B- only where an entity follows one of its type
  iob2,
  bioes,  ///< also BILOU and BMES: ends and single words are marked
};
[[nodiscard]] std::string_view name_of(TagScheme scheme);

struct TaggedSentence {
  std::vector<std::string> words;
  std::vector<std::string> tags;  ///< as many; IOB2, or plain labels
  std::int64_t line = 0;          ///< of its first word
  std::int64_t document = 0;      ///< counted from 0
};

struct TaggedTexts {
  std::vector<TaggedSentence> sentences;
  TagScheme scheme = TagScheme::plain;  ///< what the file had
  /// Entities of BIOES without their end, or their beginning where the sentence has none, and where
  /// the first is: sentences that were cut.
  std::int64_t broken_off = 0;
  std::string first_broken_off;
};

struct ConllOptions {
  /// Numbers from 1 of the columns with words and tags; 0: the first and the last.
  std::int64_t word_column = 0, tag_column = 0;
  std::int64_t max_sentences = 0;  ///< read so many at most; 0: all
};

/// Throws IoError; FormatError (file, line, cause, what to do): no tags, rows of different widths,
/// as many tags as words is not so, tags that mix schemes or break theirs.
[[nodiscard]] TaggedTexts read_conll(const std::filesystem::path& path,
                                     const ConllOptions& options);

}  // namespace cloze
