#include "text/encode/pipeline.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/strings.h"
#include "core/utf8.h"

namespace cloze::text {
namespace {

AddedTokenFinder finder(const TextModel& model, const std::vector<AddedToken>& added,
                        bool normalized) {
  std::vector<std::string> patterns;
  std::vector<const AddedToken*> tokens;
  if (model.has_added_tokens()) {
    for (const auto& token : added) {
      if ((token.normalized && model.normalizes_added_tokens()) != normalized) continue;
      patterns.push_back(normalized ? model.normalize(token.content, 0, OffsetUnit::bytes).bytes
                                    : token.content);
      if (patterns.back().empty()) {
        throw ArgumentError(fmt::format(
            "added token {} is empty after normalization; give it \"normalized\": false",
            in_quotes(token.content)));
      }
      tokens.push_back(&token);
    }
  }
  return {std::move(patterns), std::move(tokens)};
}

void put_token(PieceSink& sink, const AddedToken& token, Span place) {
  sink.ids->push_back(token.id);
  if (sink.offsets == nullptr) return;
  sink.offsets->push_back(place);
  sink.words->push_back(sink.next_word);
  if (sink.count_words) ++sink.next_word;
}

void limit_to(std::size_t more, PieceSink& sink) {
  const auto have = sink.ids->size();
  if (more < std::numeric_limits<std::size_t>::max() - have) sink.limit = have + more;
}

// Offsets of byte positions of a text, each near the last.
class OffsetCounter {
 public:
  OffsetCounter(std::string_view text, OffsetUnit unit) : text_(text), unit_(unit) {}

  std::int32_t operator()(std::size_t byte) {
    if (unit_ == OffsetUnit::bytes) return static_cast<std::int32_t>(byte);
    if (byte >= byte_) {
      offset_ +=
          static_cast<std::int32_t>(utf8::count_code_points(text_.substr(byte_, byte - byte_)));
    } else {
      offset_ -=
          static_cast<std::int32_t>(utf8::count_code_points(text_.substr(byte, byte_ - byte)));
    }
    byte_ = byte;
    return offset_;
  }

 private:
  std::string_view text_;
  OffsetUnit unit_;
  std::size_t byte_ = 0;
  std::int32_t offset_ = 0;
};

// Longer texts are worked on in parts, so that memory does not grow with what is cut off or counted.
constexpr std::size_t kPart = std::size_t{1} << 16;

bool is_plain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The size of the first part of a text: at least kPart and up to where an ASCII letter or digit
// follows a space. Nothing reaches across such a place: a word ends before it, and so does what is
// composed or reordered, what is repaired to U+FFFD, and the context that a final sigma looks at.
std::size_t size_of_part(std::string_view text) {
  for (std::size_t at = kPart; at < text.size(); ++at) {
    if (is_plain(text[at]) && (text[at - 1] == ' ' || text[at - 1] == '\n')) return at;
  }
  return text.size();
}

// Whether no added token can reach across such a place: none has white space in it, and none that
// takes the white space before it begins with a letter or digit.
bool stays_in_a_part(const AddedToken& token) {
  const std::string& content = token.content;
  if (token.lstrip && is_plain(content.front())) return false;
  for (const char* p = content.data(); p < content.data() + content.size();) {
    if ((unicode_table_hf()[utf8::decode(p)].flags & kWhite) != 0) return false;
  }
  return true;
}

bool divisible(const std::vector<AddedToken>& added) {
  return std::all_of(added.begin(), added.end(), stays_in_a_part);
}

void check_size(std::string_view text) {
  if (text.size() > std::numeric_limits<std::int32_t>::max() / 2) {
    throw ArgumentError(
        fmt::format("a text of {} bytes is longer than a tokenizer takes at once (1 GiB); split it",
                    text.size()));
  }
}

}  // namespace

Pipeline::Pipeline(TextModel model, std::vector<AddedToken> added)
    : model_(std::move(model)),
      added_(std::move(added)),
      raw_(finder(model_, added_, false)),
      normalized_(finder(model_, added_, true)),
      divisible_(model_.divides_by_words() && divisible(added_)) {}

void Pipeline::run_any(std::string_view text, OffsetUnit unit, PieceSink& sink) const {
  check_size(text);
  const bool all = sink.limit == std::numeric_limits<std::size_t>::max() && !sink.count_only;
  if (all || !divisible_ || text.size() <= kPart) {
    run_part(text, 0, unit, sink);
    return;
  }
  for (std::int32_t begin = 0; !text.empty() && sink.ids->size() < sink.limit;) {
    const auto part = text.substr(0, size_of_part(text));
    begin = run_part(part, begin, unit, sink);
    text.remove_prefix(part.size());
  }
}

// Runs a part of a text whose first character has the offset `begin`; returns the offset of its end.
std::int32_t Pipeline::run_part(std::string_view text, std::int32_t begin, OffsetUnit unit,
                                PieceSink& sink) const {
  const utf8::ValidText valid(text);
  const auto before = sink.ids->size();
  run(valid.text(), unit, sink);
  if (sink.offsets == nullptr) return begin;
  const bool bytes = unit == OffsetUnit::bytes;
  const bool repaired = valid.repaired() && bytes;
  for (auto i = before; (repaired || begin > 0) && i < sink.offsets->size(); ++i) {
    auto& place = (*sink.offsets)[i];
    if (repaired) place = {valid.original_byte(place.begin), valid.original_byte(place.end)};
    place = {place.begin + begin, place.end + begin};
  }
  return begin +
         static_cast<std::int32_t>(bytes ? text.size() : utf8::count_code_points(valid.text()));
}

void Pipeline::run(std::string_view text, OffsetUnit unit, PieceSink& sink) const {
  if (normalized_.empty() && !raw_.may_match(text)) {
    model_.segment(text, 0, unit, sink);
  } else {
    run_parts(text, unit, sink);
  }
}

void Pipeline::run_parts(std::string_view text, OffsetUnit unit, PieceSink& sink) const {
  std::vector<AddedMatch> parts;
  raw_.split(text, parts);
  OffsetCounter offset(text, unit);
  for (const auto& part : parts) {
    if (sink.ids->size() >= sink.limit) return;
    const auto content = text.substr(part.begin, part.end - part.begin);
    const auto begin = offset(part.begin);
    if (part.token != nullptr) {
      if (sink.texts != nullptr && content != part.token->content && model_.japanese() == nullptr) {
        sink.texts->emplace_back(sink.ids->size(), content);
      }
      put_token(sink, *part.token, {begin, offset(part.end)});
    } else if (normalized_.empty()) {
      model_.segment(content, begin, unit, sink);
    } else {
      run_normalized(content, begin, unit, sink);
    }
  }
}

void Pipeline::run_normalized(std::string_view text, std::int32_t begin, OffsetUnit unit,
                              PieceSink& sink) const {
  const auto normalized = model_.normalize(text, begin, unit);
  std::vector<AddedMatch> parts;
  normalized_.split(normalized.bytes, parts);
  for (const auto& part : parts) {
    if (part.token == nullptr) {
      model_.segment_normalized(normalized, part.begin, part.end, sink);
      continue;
    }
    auto content = normalized.bytes.substr(part.begin, part.end - part.begin);
    if (sink.texts != nullptr && content != part.token->content) {
      sink.texts->emplace_back(sink.ids->size(), std::move(content));
    }
    put_token(sink, *part.token,
              {normalized.places[part.begin].begin, normalized.places[part.end - 1].end});
  }
}

void Pipeline::pieces(std::string_view text, OffsetUnit unit, Pieces& pieces,
                      std::size_t limit) const {
  PieceSink sink{.ids = &pieces.ids,
                 .offsets = &pieces.offsets,
                 .words = &pieces.words,
                 .texts = &pieces.texts};
  limit_to(limit, sink);
  run_any(text, unit, sink);
}

void Pipeline::pieces_of_word(std::string_view text, OffsetUnit unit, Pieces& pieces,
                              std::int32_t word) const {
  PieceSink sink{.ids = &pieces.ids,
                 .offsets = &pieces.offsets,
                 .words = &pieces.words,
                 .texts = &pieces.texts};
  sink.next_word = word;
  sink.count_words = false;
  run_any(text, unit, sink);
}

std::size_t Pipeline::count(std::string_view text) const {
  std::vector<std::int32_t> ids;
  PieceSink sink{.ids = &ids, .count_only = true};
  run_any(text, OffsetUnit::bytes, sink);
  return sink.dropped + ids.size();
}

void Pipeline::ids(std::string_view text, OffsetUnit unit, std::size_t limit,
                   std::vector<std::int32_t>& ids, std::vector<Span>* offsets,
                   std::vector<std::int32_t>* words, PieceTexts* texts) const {
  PieceSink sink{.ids = &ids, .offsets = offsets, .words = words, .texts = texts};
  limit_to(limit, sink);
  run_any(text, unit, sink);
}

}  // namespace cloze::text
