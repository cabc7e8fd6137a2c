#include "text/wordpiece/segmenter.h"

#include <algorithm>
#include <array>
#include <utility>

#include "text/wordpiece/word_scanner.h"

namespace cloze::text {
namespace {

// Cuts the words of a scan into pieces. Twice over the ASCII words of a chunk: once to have the
// vocabulary's entries fetched, once to read them.
template <bool kOffsets>
class PieceWriter {
 public:
  // The scratch arrays are written before they are read; clearing them would cost more than a text.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init)
  PieceWriter(const WordPieceModel& model, PieceSink& sink)
      : model_(model), sink_(sink), count_(sink.ids->size()) {}

  void finish() { resize(count_); }

  [[nodiscard]] bool full() const { return count_ >= sink_.limit; }

  void reserve(std::size_t more) {
    if (sink_.ids->size() - count_ < more) make_room(more);
  }

  void note(const char* word, std::size_t size, std::size_t at) {
    AsciiWord& noted = words_[word_count_++];
    noted.word = word;
    noted.at = static_cast<std::uint32_t>(at);
    noted.size = static_cast<std::uint32_t>(size);
    if (size <= Vocabulary::kShort) noted.lookup = model_.vocabulary.begin_find(word, size);
  }

  void put_noted(std::int32_t chunk) {
    for (std::size_t i = 0; i < word_count_; ++i) {
      const AsciiWord& word = words_[i];
      const std::int32_t begin = chunk + static_cast<std::int32_t>(word.at);
      const std::int32_t end = begin + static_cast<std::int32_t>(word.size);
      std::int32_t id = -1;
      if (word.size > static_cast<std::uint32_t>(model_.max_chars_per_word)) {
        id = model_.unk_id;
      } else if (word.size <= Vocabulary::kShort) {
        id = model_.vocabulary.end_find(word.lookup);
      } else {
        id = model_.vocabulary.find(word.word, word.size, PieceKind::start);
      }
      if (id >= 0) {
        put_one(id, begin, end);
      } else {
        put_pieces(word.word, word.size, [begin](std::int32_t from, std::int32_t to) {
          return Span{begin + from, begin + to};
        });
      }
    }
    word_count_ = 0;
  }

  void put(const WordBuffer& word) {
    reserve(1);
    if (word.chars() > model_.max_chars_per_word) {
      put_one(model_.unk_id, word.begin(), word.end());
    } else if (const auto id = model_.vocabulary.find(word.bytes(), word.size(), PieceKind::start);
               id >= 0) {
      put_one(id, word.begin(), word.end());
    } else {
      put_pieces(word.bytes(), word.size(),
                 [&word](std::int32_t from, std::int32_t to) { return word.place(from, to); });
    }
  }

 private:
  static constexpr std::size_t kMostCounted = std::size_t{1} << 16;

  struct AsciiWord {
    Vocabulary::Lookup lookup;  // of a short word
    const char* word;
    std::uint32_t at, size;
  };

  void make_room(std::size_t more) {
    if (sink_.count_only && count_ >= kMostCounted) sink_.dropped += std::exchange(count_, 0);
    resize(count_ + more);
  }

  void resize(std::size_t size) {
    sink_.ids->resize(size);
    if constexpr (kOffsets) {
      sink_.offsets->resize(size);
      sink_.words->resize(size);
    }
  }

  // A whole word as one piece; there must be room.
  void put_one(std::int32_t id, std::int32_t begin, std::int32_t end) {
    (*sink_.ids)[count_] = id;
    if constexpr (kOffsets) {
      (*sink_.offsets)[count_] = {begin, end};
      (*sink_.words)[count_] = sink_.next_word;
      sink_.next_word += sink_.count_words ? 1 : 0;
    }
    ++count_;
  }

  // The pieces of a word of several; `place(begin, end)` gives the Span of a range of its bytes.
  template <class Place>
  void put_pieces(const char* word, std::size_t size, const Place& place) {
    reserve(size);
    if (size > ends_.size()) long_ends_.resize(std::max(long_ends_.size(), size));
    std::int32_t* const ends = size > ends_.size() ? long_ends_.data() : ends_.data();
    std::int32_t* const ids = sink_.ids->data() + count_;
    const auto pieces = model_.vocabulary.match(word, size, ids, ends);
    if (pieces == 0) {
      const Span whole = place(0, static_cast<std::int32_t>(size));
      put_one(model_.unk_id, whole.begin, whole.end);
      return;
    }
    if constexpr (kOffsets) {
      std::int32_t at = 0;
      for (std::size_t i = 0; i < pieces; ++i) {
        (*sink_.offsets)[count_ + i] = place(at, ends[i]);
        (*sink_.words)[count_ + i] = sink_.next_word;
        at = ends[i];
      }
      sink_.next_word += sink_.count_words ? 1 : 0;
    }
    count_ += pieces;
  }

  const WordPieceModel& model_;
  PieceSink& sink_;
  std::size_t count_;                    // pieces so far; the sink's vectors may be longer
  std::array<AsciiWord, kChunk> words_;  // noted in the chunk at hand
  std::size_t word_count_ = 0;
  std::array<std::int32_t, 128> ends_;  // scratch of put_pieces
  std::vector<std::int32_t> long_ends_;
};

template <bool kOffsets>
void write_pieces(const WordPieceModel& model, std::string_view text, std::int32_t begin,
                  OffsetUnit unit, PieceSink& sink) {
  PieceWriter<kOffsets> writer(model, sink);
  WordScanner(model.actions, model.max_chars_per_word, text, begin, unit, writer).run();
  writer.finish();
}

}  // namespace

WordPieceModel::WordPieceModel(Vocabulary words, const NormalizerRules& rules, std::int32_t unknown,
                               std::int32_t max_chars)
    : vocabulary(std::move(words)),
      actions(rules),
      unk_id(unknown),
      max_chars_per_word(max_chars) {}

void segment(const WordPieceModel& model, std::string_view text, std::int32_t begin,
             OffsetUnit unit, PieceSink& sink) {
  if (sink.offsets != nullptr) {
    write_pieces<true>(model, text, begin, unit, sink);
  } else {
    write_pieces<false>(model, text, begin, unit, sink);
  }
}

}  // namespace cloze::text
