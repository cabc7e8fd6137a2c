#include "text/normalize/graphemes.h"

#include "core/utf8.h"
#include "text/normalize/grapheme_table.h"

namespace cloze::text {
namespace {

using Class = GraphemeClass;

bool is_control(Class c) { return c == Class::cr || c == Class::lf || c == Class::control; }

// Rules GB6 to GB8: syllables of Hangul.
bool joins_hangul(Class before, Class after) {
  switch (before) {
    case Class::l:
      return after == Class::l || after == Class::v || after == Class::lv || after == Class::lvt;
    case Class::lv:
    case Class::v:
      return after == Class::v || after == Class::t;
    case Class::lvt:
    case Class::t:
      return after == Class::t;
    default:
      return false;
  }
}

// What the rules that look far back ask about the grapheme so far.
class Context {
 public:
  void take(std::uint8_t entry) {
    const auto c = GraphemeTable::grapheme_class(entry);
    regionals_ += c == Class::regional ? 1U : 0U;
    if (c == Class::picture) {
      picture_ = Picture::seen;
    } else if (c == Class::zwj && picture_ == Picture::seen) {
      picture_ = Picture::joined;
    } else if (c != Class::extend || picture_ != Picture::seen) {
      picture_ = Picture::none;
    }
    switch (GraphemeTable::conjunct(entry)) {
      case Conjunct::consonant:
        conjunct_ = Indic::consonant;
        break;
      case Conjunct::linker:
        if (conjunct_ != Indic::none) conjunct_ = Indic::linked;
        break;
      case Conjunct::extend:
        break;
      case Conjunct::none:
        conjunct_ = Indic::none;
    }
    before_ = c;
  }

  [[nodiscard]] bool joins(std::uint8_t entry) const {
    const auto after = GraphemeTable::grapheme_class(entry);
    if (before_ == Class::cr && after == Class::lf) return true;
    if (is_control(before_) || is_control(after)) return false;
    if (joins_hangul(before_, after)) return true;
    if (after == Class::extend || after == Class::zwj || after == Class::spacing) return true;
    if (before_ == Class::prepend) return true;
    if (conjunct_ == Indic::linked && GraphemeTable::conjunct(entry) == Conjunct::consonant) {
      return true;
    }
    if (picture_ == Picture::joined && after == Class::picture) return true;
    return before_ == Class::regional && after == Class::regional && regionals_ % 2 == 1;
  }

 private:
  enum class Picture : std::uint8_t { none, seen, joined };
  enum class Indic : std::uint8_t { none, consonant, linked };

  Class before_ = Class::other;
  unsigned regionals_ = 0;
  Picture picture_ = Picture::none;  ///< picture extend* zwj
  Indic conjunct_ = Indic::none;     ///< consonant, then a linker among marks
};

}  // namespace

std::size_t grapheme_end(std::string_view text, std::size_t at) {
  const auto& table = grapheme_table();
  const char* p = text.data() + at;
  const char* const end = text.data() + text.size();
  Context context;
  context.take(table.of(utf8::decode(p)));
  while (p < end) {
    const char* next = p;
    const auto entry = table.of(utf8::decode(next));
    if (!context.joins(entry)) break;
    context.take(entry);
    p = next;
  }
  return static_cast<std::size_t>(p - text.data());
}

}  // namespace cloze::text
