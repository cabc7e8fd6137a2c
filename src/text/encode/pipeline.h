/// \file
/// One text → its pieces: added tokens, then what the model makes of the text between them.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "text/encode/added_tokens.h"
#include "text/encode/text_model.h"

namespace cloze::text {

/// The pieces of one text, before templates and truncation.
struct Pieces {
  std::vector<std::int32_t> ids;
  std::vector<Span> offsets;
  std::vector<std::int32_t> words;
  /// Pieces whose text is not their token's content: added tokens that took white space along or
  /// were found in normalized text, and what a Unigram model does not know.
  PieceTexts texts;
};

class Pipeline {
 public:
  /// Throws ArgumentError when two added tokens cannot be told apart.
  Pipeline(TextModel model, std::vector<AddedToken> added);
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;
  ~Pipeline() = default;

  [[nodiscard]] const TextModel& model() const { return model_; }
  [[nodiscard]] const std::vector<AddedToken>& added() const { return added_; }

  /// Appends the pieces of `text` to `pieces`; may stop once there are `limit` more.
  void pieces(std::string_view text, OffsetUnit unit, Pieces& pieces,
              std::size_t limit = std::numeric_limits<std::size_t>::max()) const;

  /// The same for a text that is a word, with the word id `word`.
  void pieces_of_word(std::string_view text, OffsetUnit unit, Pieces& pieces,
                      std::int32_t word) const;

  /// Appends the ids of `text` to `ids`, and offsets, word ids and texts that are not their token's
  /// where they are not null; may stop once there are `limit` more.
  void ids(std::string_view text, OffsetUnit unit, std::size_t limit,
           std::vector<std::int32_t>& ids, std::vector<Span>* offsets,
           std::vector<std::int32_t>* words, PieceTexts* texts = nullptr) const;

  /// Pieces of `text`, without keeping them.
  [[nodiscard]] std::size_t count(std::string_view text) const;

 private:
  void run_any(std::string_view text, OffsetUnit unit, PieceSink& sink) const;
  std::int32_t run_part(std::string_view text, std::int32_t begin, OffsetUnit unit,
                        PieceSink& sink) const;
  void run(std::string_view text, OffsetUnit unit, PieceSink& sink) const;
  void run_parts(std::string_view text, OffsetUnit unit, PieceSink& sink) const;
  void run_normalized(std::string_view text, std::int32_t begin, OffsetUnit unit,
                      PieceSink& sink) const;

  TextModel model_;
  std::vector<AddedToken> added_;
  AddedTokenFinder raw_, normalized_;
  bool divisible_;  ///< whether a long text may be worked on part by part
};

}  // namespace cloze::text
