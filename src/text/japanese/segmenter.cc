#include "text/japanese/segmenter.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/utf8.h"
#include "text/japanese/chars.h"
#include "text/japanese/words.h"

namespace cloze::text {
namespace {

// Longer words are unknown as a whole: WordpieceTokenizer's max_input_chars_per_word.
constexpr std::size_t kMostChars = 100;
// Counted pieces are dropped once there are so many.
constexpr std::size_t kMostCounted = std::size_t{1} << 16;

class Writer {
 public:
  Writer(const JapaneseModel& model, PieceSink& sink) : model_(model), sink_(sink) {}

  [[nodiscard]] bool full() const { return sink_.ids->size() >= sink_.limit; }

  void put_word(const Chars& word) {
    switch (model_.rules.subwords) {
      case SubwordTokenizer::wordpiece:
        put_spaced(word);
        break;
      case SubwordTokenizer::character:
        put_characters(normal_form(word, NormalForm::nfkc));
        break;
      default:
        put_whole(word);
    }
    sink_.next_word += sink_.count_words ? 1 : 0;
  }

 private:
  void put_spaced(const Chars& word) {
    for (std::size_t at = 0; at < word.size();) {
      const auto begin = at;
      while (at < word.size() && !is_python_space(word[at].cp)) ++at;
      if (at > begin) put_pieces(word, begin, at);
      at += at < word.size() ? 1 : 0;
    }
  }

  // The longest pieces from the left; of a word that has a part in no piece, unknown.
  void put_pieces(const Chars& word, std::size_t begin, std::size_t end) {
    pieces_.clear();
    if (end - begin <= kMostChars) {
      for (auto from = begin; from < end;) {
        const auto found = longest(word, begin, from, end);
        if (found.id < 0) {
          pieces_.clear();
          break;
        }
        pieces_.push_back(found);
        from = found.end;
      }
    }
    if (pieces_.empty()) put(model_.unk_id, word, begin, end);
    auto from = begin;
    for (const auto& piece : pieces_)
      put(piece.id, word, std::exchange(from, piece.end), piece.end);
  }

  struct Piece {
    std::int32_t id = -1;
    std::size_t end = 0;
  };

  [[nodiscard]] Piece longest(const Chars& word, std::size_t begin, std::size_t from,
                              std::size_t end) {
    text_.clear();
    if (from > begin) text_ = model_.vocabulary.continuing_prefix();
    ends_.clear();
    for (auto at = from; at < end; ++at) {
      char bytes[4];
      text_.append(bytes, static_cast<std::size_t>(utf8::encode(word[at].cp, bytes)));
      ends_.push_back(text_.size());
    }
    for (auto to = end; to > from; --to) {
      const auto id = model_.piece(std::string_view(text_).substr(0, ends_[to - from - 1]));
      if (id >= 0) return {id, to};
    }
    return {};
  }

  void put_characters(const Chars& word) {
    for (std::size_t at = 0; at < word.size(); ++at) {
      char bytes[4];
      const auto size = static_cast<std::size_t>(utf8::encode(word[at].cp, bytes));
      const auto id = model_.piece({bytes, size});
      put(id >= 0 ? id : model_.unk_id, word, at, at + 1);
    }
  }

  void put_whole(const Chars& word) {
    auto text = utf8_of(word);
    const auto id = model_.vocabulary.id_of(text);
    if (!id && sink_.texts != nullptr)
      sink_.texts->emplace_back(sink_.ids->size(), std::move(text));
    put(id.value_or(model_.unk_id), word, 0, word.size());
  }

  void put(std::int32_t id, const Chars& word, std::size_t begin, std::size_t end) {
    sink_.ids->push_back(id);
    if (sink_.offsets != nullptr) {
      Span place{word[begin].begin, word[begin].end};
      for (auto at = begin; at < end; ++at) {
        place = {std::min(place.begin, word[at].begin), std::max(place.end, word[at].end)};
      }
      sink_.offsets->push_back(place);
      sink_.words->push_back(sink_.next_word);
    } else if (sink_.count_only && sink_.ids->size() >= kMostCounted) {
      sink_.dropped += sink_.ids->size();
      sink_.ids->clear();
    }
  }

  const JapaneseModel& model_;
  PieceSink& sink_;
  std::vector<Piece> pieces_;
  std::string text_;
  std::vector<std::size_t> ends_;  ///< of the characters in `text_`, in bytes
};

}  // namespace

JapaneseModel::JapaneseModel(Vocabulary tokens, JapaneseRules how, std::int32_t unknown,
                             std::int32_t pieces, const std::string& origin)
    : vocabulary(std::move(tokens)), rules(std::move(how)), unk_id(unknown), piece_count(pieces) {
  if (rules.words == WordTokenizer::mecab) {
    mecab = std::make_shared<const Mecab>(rules.mecab, origin);
  }
}

void segment(const JapaneseModel& model, std::string_view text, std::int32_t begin, OffsetUnit unit,
             PieceSink& sink) {
  if (text.empty()) return;
  Chars chars;
  append_chars(text, begin, unit, chars);
  Writer writer(model, sink);
  for_words(model, chars, [&writer](const Chars& word) {
    writer.put_word(word);
    return !writer.full();
  });
}

}  // namespace cloze::text
