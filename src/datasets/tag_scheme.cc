#include "datasets/tag_scheme.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/strings.h"
#include "core/utf8.h"
#include "datasets/labels.h"

namespace cloze {
namespace {

/// A tag taken apart: "B-PER" is 'B' and "PER"; "B" is 'B' and nothing, "O" is 'O' and nothing.
struct Tag {
  char part = 'O';
  std::string_view type;
};

/// Nothing for what is no entity tag.
std::optional<Tag> parse(std::string_view tag) {
  if (tag == "O") return Tag{};
  if (tag.empty() || tag.size() == 2 || (tag.size() > 2 && tag[1] != '-')) return std::nullopt;
  constexpr std::string_view parts = "BIESMLU";
  if (parts.find(tag[0]) == std::string_view::npos) return std::nullopt;
  char part = tag[0];
  if (part == 'M') part = 'I';  // BMES
  if (part == 'L') part = 'E';  // BILOU
  if (part == 'U') part = 'S';
  return Tag{part, tag.substr(std::min<std::size_t>(2, tag.size()))};
}

/// Whether "B", "I" and the like are the tags of entities of one kind, as "O" and "B" or "I" beside
/// them say. Sizes S, M and L, say, are labels.
bool are_bare_tags(std::span<const TaggedSentence> sentences) {
  bool outside = false, inside = false;
  for (const auto& sentence : sentences) {
    for (const auto& tag : sentence.tags) {
      const auto parsed = parse(tag);
      if (!parsed || !parsed->type.empty()) return false;
      outside = outside || tag == "O";
      inside = inside || tag == "B" || tag == "I";
    }
  }
  return outside && inside;
}

/// Tags that a scheme does not allow: how many, and where the first stands.
struct Offence {
  std::size_t count = 0;
  const TaggedSentence* sentence = nullptr;
  std::size_t word = 0;
};

/// Slips among so many tags that keep to a scheme do not make a file of two: CoNLL-2003's own
/// training file has two among 23,000.
constexpr std::size_t kTagsForASlip = 100;

}  // namespace

std::string_view name_of(TagScheme scheme) {
  switch (scheme) {
    case TagScheme::plain:
      return "plain labels";
    case TagScheme::iob1:
      return "IOB1";
    case TagScheme::iob2:
      return "IOB2";
    case TagScheme::bioes:
      return "BIOES";
  }
  return "";
}

TagScheme find_scheme(std::span<const TaggedSentence> sentences, const TagPlace& place) {
  Offence plain, entity, against_iob1, against_iob2, ends;
  const bool bare = are_bare_tags(sentences);
  for (const auto& sentence : sentences) {
    Tag before;
    for (std::size_t w = 0; w < sentence.tags.size(); ++w) {
      const auto tag = parse(sentence.tags[w]);
      const auto first = [&](Offence& offence) {
        if (offence.count++ == 0) offence = {1, &sentence, w};
      };
      if (!tag || (!bare && tag->part != 'O' && tag->type.empty())) {
        first(plain);
        continue;
      }
      const bool goes_on = before.part != 'O' && before.type == tag->type;
      if (tag->part != 'O') first(entity);
      if (tag->part == 'E' || tag->part == 'S') first(ends);
      if (tag->part == 'B' && !goes_on) first(against_iob1);
      if (tag->part == 'I' && !goes_on) first(against_iob2);
      before = *tag;
    }
  }
  const auto at = [&](const Offence& offence) {
    return fmt::format("{} has {}", place(*offence.sentence, offence.word),
                       excerpt(offence.sentence->tags[offence.word]));
  };
  if (plain.sentence != nullptr) {
    if (entity.sentence == nullptr) return TagScheme::plain;
    throw FormatError(fmt::format(
        "{}, which is no entity's tag, though {}: tags are O and B-TYPE, I-TYPE and the like, or "
        "none of them are",
        at(plain), at(entity)));
  }
  if (ends.sentence != nullptr) return TagScheme::bioes;
  if (against_iob2.sentence == nullptr) return TagScheme::iob2;
  // Read as IOB1, a stray B- begins an entity, and so does a stray I-: what each says.
  const auto [fewer, more] = std::minmax(against_iob1.count, against_iob2.count);
  if (fewer * kTagsForASlip <= more) return TagScheme::iob1;
  throw FormatError(fmt::format(
      "{} where an entity begins, as in IOB1, but {} where one begins, as in IOB2: the file mixes "
      "them; let every entity begin with B-",
      at(against_iob2), at(against_iob1)));
}

BrokenOff convert_to_iob2(std::span<TaggedSentence> sentences, TagScheme scheme,
                          const TagPlace& place) {
  BrokenOff broken;
  if (scheme != TagScheme::iob1 && scheme != TagScheme::bioes) return broken;
  const auto break_off = [&](const TaggedSentence& sentence, std::size_t word) {
    if (broken.entities++ == 0) broken.first = place(sentence, word);
  };
  for (auto& sentence : sentences) {
    char before = 'O';
    std::string before_type;
    for (std::size_t w = 0; w < sentence.tags.size(); ++w) {
      const auto tag = parse(sentence.tags[w]).value_or(Tag{});
      const std::string type(tag.type);
      const bool same_type = before != 'O' && before_type == type;
      char part = tag.part;
      if (scheme == TagScheme::iob1) {
        if (part == 'I' && !same_type) part = 'B';
      } else {
        const bool open = before == 'B' || before == 'I';
        const bool continues = part == 'I' || part == 'E';
        if (continues && w == 0) {  // a sentence that was cut
          break_off(sentence, w);
          part = 'B';
        } else if (continues && !(open && same_type)) {
          throw FormatError(fmt::format(
              "{} has {} after {}{}{}, which BIOES does not allow: an entity is B- I-... E-, or S-",
              place(sentence, w), excerpt(sentence.tags[w]),
              w == 0 ? "nothing" : std::string(1, before), before_type.empty() ? "" : "-",
              excerpt(before_type)));
        }
        if (open && !continues) break_off(sentence, w - 1);
        if (part == 'E') part = 'I';
        if (part == 'S') part = 'B';
      }
      before = tag.part;
      before_type = type;
      if (tag.part == 'O') continue;
      sentence.tags[w] = type.empty() ? std::string(1, part) : fmt::format("{}-{}", part, type);
    }
    if (scheme == TagScheme::bioes && (before == 'B' || before == 'I')) {
      break_off(sentence, sentence.tags.size() - 1);
    }
  }
  return broken;
}

TaggedTexts in_iob2(std::vector<TaggedSentence> sentences, const TagPlace& place) {
  TaggedTexts texts;
  texts.sentences = std::move(sentences);
  for (const auto& sentence : texts.sentences) {
    for (std::size_t word = 0; word < sentence.tags.size(); ++word) {
      const auto& tag = sentence.tags[word];
      if (utf8::valid_prefix(tag) != tag.size()) require_utf8_label(tag, place(sentence, word));
    }
  }
  texts.scheme = find_scheme(texts.sentences, place);
  auto broken = convert_to_iob2(texts.sentences, texts.scheme, place);
  texts.broken_off = broken.entities;
  texts.first_broken_off = std::move(broken.first);
  return texts;
}

}  // namespace cloze
