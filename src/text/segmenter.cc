#include "text/segmenter.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "text/ascii_scan.h"
#include "text/reorder.h"
#include "text/utf8.h"
#include "text/word_buffer.h"

namespace cloze::text {
namespace {

constexpr std::size_t kChunk = 1024;
constexpr std::size_t kChunkBlocks = kChunk / kScanBlock;

template <bool kOffsets>
class Segmenter {
 public:
  Segmenter(const Model& model, std::string_view text, std::int32_t begin, OffsetUnit unit,
            PieceSink& sink)
      : model_(model),
        text_(text),
        end_(text.data() + text.size()),
        sink_(sink),
        count_code_points_(unit == OffsetUnit::code_points),
        shift_(begin),
        word_(model.max_chars_per_word),
        count_(sink.ids->size()) {}

  void run() {
    const char* p = text_.data();
    while (p < end_ && count_ < sink_.limit) p = chunk(p);
    resize(count_);
  }

 private:
  // --- output

  void resize(std::size_t size) {
    sink_.ids->resize(size);
    if constexpr (kOffsets) {
      sink_.offsets->resize(size);
      sink_.words->resize(size);
    }
  }

  void reserve(std::size_t more) {
    if (sink_.ids->size() - count_ < more) resize(count_ + more);
  }

  // A whole word as one piece; there must be room.
  void put(std::int32_t id, std::int32_t begin, std::int32_t end) {
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
      put(model_.unk_id, whole.begin, whole.end);
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

  // --- ASCII

  [[nodiscard]] std::int32_t offset(const char* p) const {
    return static_cast<std::int32_t>(p - text_.data()) + shift_;
  }

  // A word of ASCII letters and digits, or a punctuation character, of the chunk at hand.
  struct AsciiWord {
    Vocabulary::Lookup lookup;  // of a short word
    std::uint32_t at, size;
  };

  // Puts `words_` of the chunk at `p`, whose lower-cased copy is `copy`. There must be room for a
  // piece a byte.
  void put_words(const char* p, const char* copy) {
    const std::int32_t chunk = offset(p);
    for (std::size_t i = 0; i < word_count_; ++i) {
      const AsciiWord& word = words_[i];
      const std::int32_t begin = chunk + static_cast<std::int32_t>(word.at);
      const std::int32_t end = begin + static_cast<std::int32_t>(word.size);
      std::int32_t id = -1;
      if (word.size <= Vocabulary::kShort) {
        id = model_.vocabulary.end_find(word.lookup);
      } else if (word.size > static_cast<std::uint32_t>(model_.max_chars_per_word)) {
        id = model_.unk_id;
      } else {
        id = model_.vocabulary.find(copy + word.at, word.size, PieceKind::start);
      }
      if (id >= 0) {
        put(id, begin, end);
      } else {
        put_pieces(copy + word.at, word.size, [begin](std::int32_t from, std::int32_t to) {
          return Span{begin + from, begin + to};
        });
      }
    }
    word_count_ = 0;
  }

  void note_word(const char* copy, std::size_t at, std::size_t size) {
    AsciiWord& word = words_[word_count_++];
    word.at = static_cast<std::uint32_t>(at);
    word.size = static_cast<std::uint32_t>(size);
    if (size <= Vocabulary::kShort) word.lookup = model_.vocabulary.begin_find(copy + at, size);
  }

  // Works through up to kChunk bytes at `p`, where no word has begun, and returns where it stopped,
  // which is past `p`. Twice over the words: once to have the vocabulary's entries fetched, once to
  // read them.
  const char* chunk(const char* p) {
    std::array<AsciiMasks, kChunkBlocks> masks;
    alignas(kScanBlock) char copy[kChunk + kScanBlock];
    const auto size = std::min<std::size_t>(static_cast<std::size_t>(end_ - p), kChunk);
    scan_ascii(p, size, model_.actions.rules().lowercase, copy, masks.data());
    reserve(size);

    const std::size_t blocks = (size + kScanBlock - 1) / kScanBlock;
    std::uint64_t word_before = 0;  // whether the byte before the block belongs to a word
    std::uint64_t skip = 0;         // events of the block that have been dealt with
    for (std::size_t b = 0; b < blocks; ++b) {
      const auto [word, punct, other] = masks[b];
      std::uint64_t events = ((word & ~(word << 1U | word_before)) | punct | other) & ~skip;
      word_before = word >> 63U;
      skip = 0;
      while (events != 0) {
        const auto bit = static_cast<std::size_t>(std::countr_zero(events));
        events &= events - 1;
        const std::size_t at = b * kScanBlock + bit;
        std::size_t end = at + 1;
        if ((word >> bit & 1U) != 0) end = end_of_word(masks, blocks, at);
        bool plain = (other >> bit & 1U) == 0;
        if (end >= size && p + end < end_) {  // perhaps the word goes on in the next chunk
          if ((word >> bit & 1U) != 0) {
            if (at > 0) {
              put_words(p, copy);
              return p + at;
            }
            plain = false;
          }
        } else if ((word >> bit & 1U) != 0 && end < size) {
          plain = (masks[end / kScanBlock].other >> end % kScanBlock & 1U) == 0;
        }
        if (plain) {
          note_word(copy, at, end - at);
          continue;
        }
        put_words(p, copy);
        const char* const next = careful(p + at);
        const auto reached = static_cast<std::size_t>(next - p);
        if (reached >= size) return next;
        reserve(size - reached);
        // Go on in the block that holds `next`, with the events from there on.
        skip = (std::uint64_t{1} << reached % kScanBlock) - 1;
        if (reached / kScanBlock == b) {
          events &= ~skip;
          skip = 0;
        } else {
          b = reached / kScanBlock - 1;
          word_before = 0;
          events = 0;
        }
      }
    }
    put_words(p, copy);
    return p + size;
  }

  static std::size_t end_of_word(const std::array<AsciiMasks, kChunkBlocks>& masks,
                                 std::size_t blocks, std::size_t at) {
    std::size_t b = at / kScanBlock;
    std::uint64_t gaps = ~masks[b].word >> at % kScanBlock << at % kScanBlock;
    while (gaps == 0) {
      if (++b == blocks) return b * kScanBlock;
      gaps = ~masks[b].word;
    }
    return b * kScanBlock + static_cast<std::size_t>(std::countr_zero(gaps));
  }

  // --- any character

  // Goes on code point by code point from `p`, where no word has begun, and returns a place where
  // none has begun and an ASCII character stands, or the end.
  const char* careful(const char* p) {
    std::int32_t index = offset(p);
    const char* marks = nullptr;  // the first combining mark since the last character that is none
    std::int32_t marks_index = 0;
    while (p < end_) {
      const char* const from = p;
      const char32_t cp = decode(p);
      const auto length = static_cast<std::int32_t>(p - from);
      const std::int32_t next = index + (count_code_points_ ? 1 : length);
      const CharAction& action = model_.actions[cp];
      if (action.kind != CharAction::drop && action.kind != CharAction::reorder) marks = nullptr;
      switch (action.kind) {
        case CharAction::copy:
          word_.append(from, length, 1, index, next);
          break;
        case CharAction::map:
          word_.append(action.bytes, action.size, action.chars, index, next);
          break;
        case CharAction::drop:
          if (action.combining_mark != 0) {
            if (marks == nullptr) marks = from, marks_index = index;
          } else if (!removed(cp)) {
            marks = nullptr;
          }
          break;
        case CharAction::alone:
          flush();
          if (action.size == 0) {
            word_.append(from, length, 1, index, next);
          } else {
            word_.append(action.bytes, action.size, action.chars, index, next);
          }
          flush();
          break;
        case CharAction::space:
          flush();
          break;
        case CharAction::hangul:
          append_hangul(cp, index, next);
          break;
        case CharAction::sigma:
          append(final_sigma(model_.actions, text_, from) ? U'\u03C2' : U'\u03C3', index, next);
          break;
        case CharAction::reorder: {
          const auto run = reorder(model_.actions, marks != nullptr ? marks : from, end_,
                                   marks != nullptr ? marks_index : index, count_code_points_);
          for (const auto& c : run.chars) normalized(c);
          p = run.end;
          index = run.index;
          marks = nullptr;
          continue;
        }
      }
      index = next;
      const bool boundary = action.kind == CharAction::space || action.kind == CharAction::alone;
      if (boundary && p < end_ && static_cast<unsigned char>(*p) < 0x80) break;
      if (boundary && count_ >= sink_.limit) break;
    }
    flush();
    shift_ = index - static_cast<std::int32_t>(p - text_.data());
    return p;
  }

  [[nodiscard]] bool removed(char32_t cp) const {
    return model_.actions.rules().clean_text && (model_.actions.table()[cp].flags & kRemoved) != 0;
  }

  void append(char32_t cp, std::int32_t begin, std::int32_t end) {
    char bytes[4];
    const int size = encode(cp, bytes);
    word_.append(bytes, size, 1, begin, end);
  }

  void append_hangul(char32_t syllable, std::int32_t begin, std::int32_t end) {
    char32_t jamo[3];
    const int count = decompose_hangul(syllable, jamo);
    for (int i = 0; i < count; ++i) append(jamo[i], begin, end);
  }

  // A code point that normalization has finished with.
  void normalized(const NormalizedChar& c) {
    const auto flags = model_.actions.table()[c.cp].flags;
    if ((flags & (kWhite | kPunct)) != 0) flush();
    if ((flags & kWhite) != 0) return;
    append(c.cp, c.begin, c.end);
    if ((flags & kPunct) != 0) flush();
  }

  // Ends the word that has been assembled, if any.
  void flush() {
    if (word_.chars() == 0) return;
    reserve(1);
    const auto size = word_.size();
    if (word_.chars() > model_.max_chars_per_word) {
      put(model_.unk_id, word_.begin(), word_.end());
    } else if (const auto id = model_.vocabulary.find(word_.bytes(), size, PieceKind::start);
               id >= 0) {
      put(id, word_.begin(), word_.end());
    } else {
      put_pieces(word_.bytes(), size,
                 [this](std::int32_t from, std::int32_t to) { return word_.place(from, to); });
    }
    word_.clear();
  }

  const Model& model_;
  std::string_view text_;
  const char* end_;
  PieceSink& sink_;
  bool count_code_points_;
  std::int32_t shift_;  // offset of a place in the text minus its byte; right while all is ASCII
  WordBuffer word_;
  std::size_t count_;                    // pieces so far; the sink's vectors may be longer
  std::array<AsciiWord, kChunk> words_;  // noted in the chunk at hand
  std::size_t word_count_ = 0;
  std::array<std::int32_t, 128> ends_;  // scratch of put_pieces
  std::vector<std::int32_t> long_ends_;
};

}  // namespace

Model::Model(Vocabulary words, const NormalizerRules& rules, std::int32_t unknown,
             std::int32_t max_chars)
    : vocabulary(std::move(words)),
      actions(rules),
      unk_id(unknown),
      max_chars_per_word(max_chars),
      ascii_word() {
  for (std::size_t c = 0; c < ascii_word.size(); ++c) {
    const char padded[1 + kWordSlack] = {static_cast<char>(c)};
    const auto id = vocabulary.find(padded, 1, PieceKind::start);
    ascii_word[c] = id < 0 || max_chars < 1 ? unk_id : id;
  }
}

void segment(const Model& model, std::string_view text, std::int32_t begin, OffsetUnit unit,
             PieceSink& sink) {
  // `begin` is where the text begins in its own offsets; bytes are counted from its first.
  if (sink.offsets != nullptr) {
    Segmenter<true>(model, text, begin, unit, sink).run();
  } else {
    Segmenter<false>(model, text, begin, unit, sink).run();
  }
}

}  // namespace cloze::text
