#include "text/unigram/segmenter.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/utf8.h"
#include "text/normalize/unicode_tables.h"

namespace cloze::text {
namespace {

// Long texts are worked on in parts of about so many bytes, which stay in the cache.
constexpr std::size_t kPart = std::size_t{1} << 13U;
constexpr std::size_t kMostCounted = std::size_t{1} << 16U;

// Characters that can be white space, by their first byte.
enum class Lead : std::uint8_t { word, space, perhaps };
constexpr std::array<Lead, 256> kLeads = [] {
  std::array<Lead, 256> leads{};
  for (const std::size_t c : {0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20}) leads[c] = Lead::space;
  for (const std::size_t c : {0xC2, 0xE1, 0xE2, 0xE3}) leads[c] = Lead::perhaps;
  return leads;
}();

// Of the white-space character at `at` the size, or 0 where there is another.
std::size_t white_space_at(std::string_view text, std::size_t at) {
  const auto lead = kLeads[static_cast<unsigned char>(text[at])];
  if (lead != Lead::perhaps) return lead == Lead::space ? 1 : 0;
  const char* p = text.data() + at;
  if ((unicode_table_hf()[utf8::decode(p)].flags & kWhite) == 0) return 0;
  return static_cast<std::size_t>(p - text.data()) - at;
}

bool is_plain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The size of the first part of a text: at least kPart, up to a single space between ASCII letters
// or digits.
std::size_t size_of_part(std::string_view text) {
  for (std::size_t at = kPart; at + 1 < text.size(); ++at) {
    if (text[at] == ' ' && is_plain(text[at - 1]) && is_plain(text[at + 1])) return at;
  }
  return text.size();
}

class UnigramSegmenter {
 public:
  UnigramSegmenter(const UnigramModel& model, PieceSink& sink) : model_(model), sink_(sink) {}

  void run(const NormalizedText& text, std::size_t from, std::size_t to) {
    places_ = text.places.empty() ? nullptr : text.places.data();
    const auto all = std::string_view(text.bytes).substr(0, to);
    if (!model_.rules().whitespace_split) {
      if (from < to) chunk(all.substr(from), from);
      return;
    }
    for (auto at = from; at < to && !full();) {
      if (const auto size = white_space_at(all, at); size > 0) {
        at += size;
        continue;
      }
      const auto begin = at;
      while (at < to && white_space_at(all, at) == 0) ++at;
      chunk(all.substr(begin, at - begin), begin);
    }
  }

  [[nodiscard]] bool full() const { return sink_.ids->size() >= sink_.limit; }

 private:
  // What Metaspace is given at once; it begins at the byte `at` of the text.
  void chunk(std::string_view bytes, std::size_t at) {
    const auto& metaspace = model_.rules().metaspace;
    if (!metaspace) {
      sentence(bytes, at, 0);
      return;
    }
    if (!model_.rules().whitespace_split && bytes.find(' ') != std::string_view::npos) {
      spaced(bytes, at, *metaspace);
    } else {
      words(bytes, at, *metaspace);
    }
  }

  // Words among spaces: written anew with the visible one in their place.
  void spaced(std::string_view bytes, std::size_t at, const Metaspace& metaspace) {
    NormalizedText visible;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const auto with =
          bytes[i] == ' ' ? std::string_view(metaspace.replacement) : bytes.substr(i, 1);
      visible.bytes.append(with);
      if (places_ != nullptr) {
        visible.places.insert(visible.places.end(), with.size(), places_[at + i]);
      }
    }
    const auto* const before = std::exchange(
        places_, places_ == nullptr ? nullptr : static_cast<const Span*>(visible.places.data()));
    words(visible.bytes, 0, metaspace);
    places_ = before;
  }

  void words(std::string_view bytes, std::size_t at, const Metaspace& metaspace) {
    const std::string_view space = metaspace.replacement;
    const bool prepended = !bytes.starts_with(space) &&
                           (metaspace.prepend == PrependScheme::always ||
                            (metaspace.prepend == PrependScheme::first && places_[at].begin == 0));
    // Up to where the next word begins.
    const auto end_of_word = [&](std::size_t from) {
      if (!metaspace.split) return bytes.size();
      return std::min(bytes.find(space, from), bytes.size());
    };
    std::size_t begin = 0;
    if (prepended) {
      begin = end_of_word(0);
      const auto word = bytes.substr(0, begin);
      if (const auto id = model_.whole_word(word); id >= 0) {
        put(id, at, word.size());
        next_word();
      } else {
        prepended_.assign(space).append(word);
        sentence(prepended_, at, space.size());
      }
    }
    while (begin < bytes.size() && !full()) {
      const bool visible = bytes.substr(begin).starts_with(space);
      const auto end = end_of_word(begin + (visible ? space.size() : 0));
      const auto word = bytes.substr(begin, end - begin);
      const auto id = visible ? model_.whole_word(word.substr(space.size())) : -1;
      if (id >= 0) {
        put(id, at + begin, word.size());
        next_word();
      } else {
        sentence(word, at + begin, 0);
      }
      begin = end;
    }
  }

  // Cuts a sentence. Its bytes from `shift` on are those of the text from `at`; those before are at
  // the place of the first.
  void sentence(std::string_view bytes, std::size_t at, std::size_t shift) {
    model_.find(bytes, path_);
    const auto original = [at, shift](std::size_t byte) {
      return at + (byte < shift ? 0 : byte - shift);
    };
    for (const auto& piece : path_.pieces()) {
      const auto begin = original(piece.begin);
      const auto size = original(piece.end - 1) + 1 - begin;
      if (piece.id != model_.rules().unk_id) {
        put(piece.id, begin, size);
      } else {
        unknown(bytes.substr(piece.begin, piece.end - piece.begin), begin, size);
      }
    }
    next_word();
  }

  void unknown(std::string_view bytes, std::size_t begin, std::size_t size) {
    if (model_.rules().byte_fallback) {
      if (const auto ids = model_.byte_pieces(bytes)) {
        for (const auto id : *ids) put(id, begin, size);
        return;
      }
    }
    if (sink_.texts != nullptr) sink_.texts->emplace_back(sink_.ids->size(), bytes);
    put(model_.rules().unk_id, begin, size);
  }

  void put(std::int32_t id, std::size_t begin, std::size_t size) {
    sink_.ids->push_back(id);
    if (sink_.offsets != nullptr) {
      sink_.offsets->push_back({places_[begin].begin, places_[begin + size - 1].end});
      sink_.words->push_back(sink_.next_word);
    } else if (sink_.count_only && sink_.ids->size() >= kMostCounted) {
      sink_.dropped += sink_.ids->size();
      sink_.ids->clear();
    }
  }

  void next_word() { sink_.next_word += sink_.count_words ? 1 : 0; }

  const UnigramModel& model_;
  PieceSink& sink_;
  const Span* places_ = nullptr;  ///< of the text at hand
  std::string prepended_;
  BestPath path_;
};

bool needs_places(const UnigramModel& model, const PieceSink& sink) {
  const auto& metaspace = model.rules().metaspace;
  return sink.offsets != nullptr || (metaspace && metaspace->prepend == PrependScheme::first);
}

}  // namespace

void segment(const UnigramModel& model, std::string_view text, std::int32_t begin, OffsetUnit unit,
             PieceSink& sink) {
  UnigramSegmenter segmenter(model, sink);
  const bool with_places = needs_places(model, sink);
  const auto start = begin;
  const auto whole = text;
  while (!text.empty() && !segmenter.full()) {
    auto part = model.divisible() ? text.substr(0, size_of_part(text)) : text;
    auto normalized =
        with_places ? placed(part, begin, unit) : NormalizedText{std::string(part), {}};
    const bool in_step = run_steps(model.rules().steps, normalized);
    if (!in_step && part.size() < text.size()) {  // only the first part can be
      part = whole;
      normalized = placed(part, start, unit);
      static_cast<void>(run_steps(model.rules().steps, normalized));
    }
    segmenter.run(normalized, 0, normalized.bytes.size());
    begin += static_cast<std::int32_t>(unit == OffsetUnit::bytes ? part.size()
                                                                 : utf8::count_code_points(part));
    text.remove_prefix(part.size());
  }
}

NormalizedText normalize(const UnigramModel& model, std::string_view text, std::int32_t begin,
                         OffsetUnit unit) {
  auto normalized = placed(text, begin, unit);
  static_cast<void>(run_steps(model.rules().steps, normalized));
  return normalized;
}

void segment_normalized(const UnigramModel& model, const NormalizedText& text, std::size_t from,
                        std::size_t to, PieceSink& sink) {
  UnigramSegmenter(model, sink).run(text, from, to);
}

}  // namespace cloze::text
