#include "text/normalize/normalized_text.h"

#include <algorithm>
#include <cstddef>

#include "core/utf8.h"
#include "text/normalize/reorder.h"
#include "text/wordpiece/word_buffer.h"

namespace cloze::text {
namespace {

using Chars = std::vector<NormalizedChar>;

Chars clean(const UnicodeTable& table, const Chars& in) {
  Chars out;
  for (const auto& c : in) {
    const auto flags = table[c.cp].flags;
    if ((flags & kRemoved) != 0) continue;
    out.push_back({(flags & kWhite) != 0 ? U' ' : c.cp, c.begin, c.end});
  }
  return out;
}

Chars surround_ideographs(const UnicodeTable& table, const Chars& in) {
  Chars out;
  for (const auto& c : in) {
    const bool ideograph = (table[c.cp].flags & kCjk) != 0;
    if (ideograph) out.push_back({U' ', c.begin, c.end});
    out.push_back(c);
    if (ideograph) out.push_back({U' ', c.begin, c.end});
  }
  return out;
}

Chars strip_accents(const UnicodeTable& table, const Chars& in) {
  struct Decomposed {
    char32_t cp;
    std::uint8_t combining_class;
    bool added;
  };
  std::vector<Decomposed> all;
  for (const auto& c : in) {
    char32_t jamo[3];
    auto nfd = table.nfd(table[c.cp]);
    if ((table[c.cp].flags & kHangul) != 0) {
      nfd = std::span<const char32_t>(jamo, static_cast<std::size_t>(decompose_hangul(c.cp, jamo)));
    }
    if (nfd.empty()) nfd = {&c.cp, 1};
    for (std::size_t i = 0; i < nfd.size(); ++i) {
      all.push_back({nfd[i], table[nfd[i]].combining_class, i > 0});
    }
  }
  const auto is_starter = [](const Decomposed& d) { return d.combining_class == 0; };
  for (auto from = all.begin(); from != all.end();) {
    const auto to = std::find_if(from, all.end(), is_starter);
    std::stable_sort(from, to, [](const Decomposed& a, const Decomposed& b) {
      return a.combining_class < b.combining_class;
    });
    from = std::find_if_not(to, all.end(), is_starter);
  }
  // Reordered characters are aligned by position, as Hugging Face aligns them.
  Chars out;
  std::size_t consumed = 0;
  for (const auto& d : all) {
    if (!d.added) ++consumed;
    if ((table[d.cp].flags & kMark) != 0) continue;
    out.push_back({d.cp, in[consumed - 1].begin, in[consumed - 1].end});
  }
  return out;
}

Chars lower_case(const UnicodeTable& table, const Chars& in) {
  Chars out;
  for (const auto& c : in) {
    const auto lower = table.lower(table[c.cp]);
    if (lower.empty()) out.push_back(c);
    for (const char32_t cp : lower) out.push_back({cp, c.begin, c.end});
  }
  return out;
}

void put_piece(PieceSink& sink, std::int32_t id, Span place) {
  sink.ids->push_back(id);
  if (sink.offsets == nullptr) return;
  sink.offsets->push_back(place);
  sink.words->push_back(sink.next_word);
}

void put_word(const WordPieceModel& model, WordBuffer& word, PieceSink& sink) {
  if (word.chars() == 0) return;
  std::vector<std::int32_t> ids(word.size());
  std::vector<std::int32_t> ends(word.size());
  std::size_t pieces = 0;
  if (word.chars() <= model.max_chars_per_word) {
    ids[0] = model.vocabulary.find(word.bytes(), word.size(), PieceKind::start);
    ends[0] = static_cast<std::int32_t>(word.size());
    pieces = ids[0] >= 0
                 ? 1
                 : model.vocabulary.match(word.bytes(), word.size(), ids.data(), ends.data());
  }
  if (pieces == 0) put_piece(sink, model.unk_id, {word.begin(), word.end()});
  std::int32_t at = 0;
  for (std::size_t i = 0; i < pieces; ++i) {
    put_piece(sink, ids[i], word.place(at, ends[i]));
    at = ends[i];
  }
  if (sink.count_words) ++sink.next_word;
  word.clear();
}

}  // namespace

NormalizedText normalize(const CharActions& actions, std::string_view text, std::int32_t begin,
                         OffsetUnit unit) {
  Chars chars;
  std::int32_t at = begin;
  for (const char *p = text.data(), *const end = p + text.size(); p < end;) {
    const char* const from = p;
    const char32_t cp = utf8::decode(p);
    const auto width = unit == OffsetUnit::code_points ? 1 : static_cast<std::int32_t>(p - from);
    chars.push_back({cp, at, at + width});
    at += width;
  }
  const auto& table = actions.table();
  const auto& rules = actions.rules();
  if (rules.clean_text) chars = clean(table, chars);
  if (rules.handle_chinese_chars) chars = surround_ideographs(table, chars);
  if (rules.strip_accents) chars = strip_accents(table, chars);
  if (rules.lowercase) chars = lower_case(table, chars);

  NormalizedText normalized;
  for (const auto& c : chars) {
    char bytes[4];
    const auto size = static_cast<std::size_t>(utf8::encode(c.cp, bytes));
    normalized.bytes.append(bytes, size);
    normalized.places.insert(normalized.places.end(), size, {c.begin, c.end});
  }
  return normalized;
}

void segment_normalized(const WordPieceModel& model, const NormalizedText& text, std::size_t from,
                        std::size_t to, PieceSink& sink) {
  WordBuffer word(model.max_chars_per_word);
  const char* const begin = text.bytes.data();
  for (const char* p = begin + from; p < begin + to;) {
    const char* const at = p;
    const auto flags = model.actions.table()[utf8::decode(p)].flags;
    if ((flags & (kWhite | kPunct)) != 0) put_word(model, word, sink);
    if ((flags & kWhite) != 0) continue;
    const auto place = text.places[static_cast<std::size_t>(at - begin)];
    word.append(at, static_cast<std::int32_t>(p - at), 1, place.begin, place.end);
    if ((flags & kPunct) != 0) put_word(model, word, sink);
  }
  put_word(model, word, sink);
}

}  // namespace cloze::text
