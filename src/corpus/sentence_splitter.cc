#include "corpus/sentence_splitter.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include <utf8proc.h>

#include "core/utf8.h"

namespace cloze {
namespace {

struct Character {
  char32_t code = 0;     // U+FFFD for a byte that begins no valid sequence
  std::size_t size = 0;  // bytes; 0 at the end of the text
};

Character character_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {};
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) return {first, 1};
  utf8proc_int32_t code = -1;
  const auto left = static_cast<utf8proc_ssize_t>(std::min<std::size_t>(text.size() - at, 4));
  const auto size =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at), left, &code);
  if (size <= 0) return {0xFFFD, 1};
  return {static_cast<char32_t>(code), static_cast<std::size_t>(size)};
}

enum class Terminator : std::uint8_t {
  none,
  stop,    // . and …: ends a sentence before white space, with many exceptions
  strong,  // ! ?: the same with few
  free,    // of a script that puts no space after it, or has no other use for it
};

Terminator terminator(char32_t code) {
  switch (code) {
    case U'.':
    case U'…':
      return Terminator::stop;
    case U'!':
    case U'?':
    case U'‼':
    case U'‽':
    case U'⁇':
    case U'⁈':
    case U'⁉':
      return Terminator::strong;
    case U'。':
    case U'｡':
    case U'．':
    case U'！':
    case U'？':
    case 0x0589:  // Armenian full stop
    case 0x061F:  // Arabic question mark
    case 0x06D4:  // Urdu full stop
    case 0x0700:  // Syriac end of paragraph, supralinear and sublinear full stop
    case 0x0701:
    case 0x0702:
    case 0x0964:  // Devanagari danda and double danda, used by the scripts of India
    case 0x0965:
    case 0x0F0E:  // Tibetan nyis shad
    case 0x104A:  // Myanmar little section, section
    case 0x104B:
    case 0x1362:  // Ethiopic full stop, question mark
    case 0x1367:
    case 0x166E:  // Canadian syllabics full stop
    case 0x17D4:  // Khmer khan, bariyoosan
    case 0x17D5:
    case 0x1803:  // Mongolian full stops
    case 0x1809:
    case 0x1C7E:  // Ol Chiki
    case 0xA4FF:  // Lisu
    case 0xA60E:  // Vai
      return Terminator::free;
    default:
      return Terminator::none;
  }
}

// First bytes of the characters above.
constexpr std::array<bool, 256> first_bytes = [] {
  std::array<bool, 256> table{};
  for (const unsigned char byte :
       {0x2E, 0x21, 0x3F, 0xD6, 0xD8, 0xDB, 0xDC, 0xE0, 0xE1, 0xE2, 0xE3, 0xEA, 0xEF}) {
    table[byte] = true;
  }
  return table;
}();

bool is_space(char32_t code) {
  return code == U' ' || (code >= 9 && code <= 13) || code == 0x85 || code == 0xA0 ||
         code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 ||
         code == 0x202F || code == 0x205F || code == 0x3000;
}

// After a terminator; some of them open elsewhere (“ in German closes, « in Danish).
bool is_closer(char32_t code) {
  constexpr std::u32string_view closers = U")]}\"'”’“»«›‹」』）】》〉〕］｝〗〙＂＇";
  return closers.find(code) != std::u32string_view::npos;
}

// Before the first letter of a sentence.
bool is_opener(char32_t code) {
  constexpr std::u32string_view openers = U"([{\"'“”‘’„‚«»‹›「『（【《〈〔［｛¿¡—–-*_";
  return openers.find(code) != std::u32string_view::npos;
}

bool is_cjk(char32_t code) {
  return (code >= 0x2E80 && code < 0xA000) || (code >= 0xF900 && code < 0xFB00) ||
         (code >= 0xFF00 && code < 0xFFF0) || (code >= 0x20000 && code < 0x40000);
}

utf8proc_category_t category(char32_t code) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code));
}

bool is_lower(char32_t code) {
  if (code < 0x80) return code >= U'a' && code <= U'z';
  return category(code) == UTF8PROC_CATEGORY_LL;
}

bool is_upper(char32_t code) {
  if (code < 0x80) return code >= U'A' && code <= U'Z';
  const auto kind = category(code);
  return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LT;
}

bool is_letter(char32_t code) {
  if (code < 0x80) return is_lower(code) || is_upper(code);
  const auto kind = category(code);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

bool is_digit(char32_t code) { return code >= U'0' && code <= U'9'; }

// `words` are sorted.
template <std::size_t count>
constexpr bool contains(const std::array<std::string_view, count>& words, std::string_view word) {
  return std::binary_search(words.begin(), words.end(), word);
}

template <class... Word>
constexpr auto sorted(Word... words) {
  std::array<std::string_view, sizeof...(words)> list{words...};
  std::sort(list.begin(), list.end());
  return list;
}

// Something always follows these: titles, and words that introduce what they abbreviate.
constexpr auto never_last = sorted(
    "Mr", "Mrs", "Ms", "Dr", "Drs", "Prof", "Rev", "Hon", "St", "Ste", "Sgt", "Capt", "Lt", "Col",
    "Gen", "Gov", "Sen", "Rep", "Pres", "Messrs", "Mme", "Mlle", "MM", "Cmdr", "Adm", "Maj", "Supt",
    "Fr", "Hr", "Frl", "Sra", "Srta", "Dna", "Sig", "Dott", "Mt", "Ft", "vs", "cf", "Cf", "viz",
    "e.g", "i.e", "E.g", "I.e", "z.B", "d.h", "u.a", "bzw", "ca", "Ca", "approx", "resp", "esp",
    "incl", "sog", "т.е", "напр", "им", "ул", "гр", "проф", "p.ej", "pág", "núm", "art");
// Not before a number.
constexpr auto before_number =
    sorted("No", "Nos", "no", "nos", "Nr", "nr", "Vol", "Vols", "vol", "vols", "Fig", "Figs", "fig",
           "figs", "Eq", "Eqs", "eq", "Ch", "ch", "Chap", "chap", "Sec", "sec", "Art", "Pt", "pt",
           "p", "pp", "P", "S", "l", "ll", "v", "vv", "n", "c", "Jan", "Feb", "Mar", "Apr", "Jun",
           "Jul", "Aug", "Sep", "Sept", "Oct", "Nov", "Dec", "Bd", "Abb", "Tab", "стр", "рис",
           "табл", "гл", "Ps", "Cor", "Matt", "Rom");
// They end a sentence at times: then a word begins the next that seldom follows otherwise.
constexpr auto seldom_last =
    sorted("Inc", "Ltd", "Co", "Cos", "Corp", "Bros", "Jr", "Sr", "Esq", "etc", "Etc", "al", "Ave",
           "Blvd", "Rd", "ed", "eds", "Ed", "Eds", "trans", "Univ", "Dept", "Assn", "dept", "Ph.D",
           "M.D", "B.A", "M.A", "usw", "Ud", "Uds", "др", "г", "гг", "в", "вв");
constexpr auto starters =
    sorted("The", "A", "An", "He", "She", "It", "They", "We", "You", "This", "That", "These",
           "Those", "There", "Here", "In", "On", "At", "But", "And", "However", "When", "Where",
           "While", "If", "His", "Her", "Its", "Their", "Our", "My", "As", "For", "After", "Before",
           "Then", "Some", "Many", "Most", "Both", "Although", "Though", "What", "Why", "How",
           "Who", "One", "So", "To", "With", "By", "From", "Since", "Because", "Not", "No", "Now",
           "Der", "Die", "Das", "Ein", "Eine", "Es", "Sie", "Er", "Wir", "Le", "La", "Les", "Un",
           "Une", "Il", "Elle", "El", "Los", "Las", "Он", "Она", "Они", "Это", "В", "На", "Но");

class Splitter {
 public:
  Splitter(std::string_view text, std::vector<std::string_view>& sentences)
      : text_(text), sentences_(sentences) {}

  void run() {
    std::size_t at = 0;
    while (at < text_.size()) {
      if (!first_bytes[static_cast<unsigned char>(text_[at])]) {
        ++at;
        continue;
      }
      const auto character = character_at(text_, at);
      const auto kind = terminator(character.code);
      at = kind == Terminator::none ? at + character.size : after_terminators(at);
    }
    cut(text_.size());
  }

 private:
  // Terminators begin at `at`: cuts behind them if a sentence ends there; where to go on.
  std::size_t after_terminators(std::size_t at) {
    Run run{at, at};
    for (;;) {
      const auto character = character_at(text_, run.end);
      const auto kind = terminator(character.code);
      if (kind == Terminator::none || character.size == 0) break;
      run.strongest = std::max(run.strongest, kind);
      run.end += character.size;
    }
    auto end = run.end;
    for (;;) {
      const auto character = character_at(text_, end);
      if (character.size == 0 || !is_closer(character.code)) break;
      end += character.size;
    }
    run.closed = end > run.end;
    end = after_footnote(end);
    if (ends_sentence(run, end)) {
      cut(end);
      return end;
    }
    return run.end;
  }

  struct Run {
    std::size_t begin = 0, end = 0;  // of the terminators
    Terminator strongest = Terminator::none;
    bool closed = false;  // quotes or brackets follow
  };

  // Past "[12]" and the like.
  [[nodiscard]] std::size_t after_footnote(std::size_t at) const {
    auto end = at;
    while (end < text_.size() && text_[end] == '[') {
      auto digit = end + 1;
      while (digit < text_.size() && is_digit(static_cast<unsigned char>(text_[digit]))) ++digit;
      if (digit == end + 1 || digit >= text_.size() || text_[digit] != ']') break;
      end = digit + 1;
    }
    return end;
  }

  [[nodiscard]] bool ends_sentence(const Run& run, std::size_t end) {
    auto next = character_at(text_, end);
    if (next.size == 0) return true;
    if (run.strongest == Terminator::free) {
      // 「はい。」と言った: the quote goes on as part of a sentence.
      constexpr std::u32string_view goes_on = U"とっ、，,";
      return !run.closed || goes_on.find(next.code) == std::u32string_view::npos;
    }
    if (!is_space(next.code)) return run.strongest == Terminator::strong && is_cjk(next.code);

    auto at = end;
    while (next.size != 0 && (is_space(next.code) || is_opener(next.code))) {
      at += next.size;
      next = character_at(text_, at);
    }
    if (next.size == 0) return true;
    const bool stop = run.strongest == Terminator::stop;
    if (is_lower(next.code) && (stop || run.closed)) return !has_capitals();
    if (!stop || run.closed || run.end - run.begin != 1) return true;
    return !is_abbreviation(run.begin, at, next.code);
  }

  // Whether the full stop at `stop` belongs to the word before it, where what begins at `next`
  // follows.
  [[nodiscard]] bool is_abbreviation(std::size_t stop, std::size_t next, char32_t following) const {
    const auto word = word_before(stop);
    if (word.empty()) return false;
    const bool number = is_digit(following);
    if (contains(never_last, word)) return true;
    if (number && contains(before_number, word)) return true;
    if (std::all_of(word.begin(), word.end(),
                    [](char c) { return is_digit(static_cast<unsigned char>(c)); })) {
      // "1. Introduction", but not "in 1990. The".
      return word.data() == text_.data() + first_of_sentence() && word.size() <= 3;
    }
    const auto first = character_at(word, 0);
    if (first.size == word.size()) {
      if (!is_letter(first.code) || is_cjk(first.code)) return false;
      if (word == "I") return !lower_before(static_cast<std::size_t>(word.data() - text_.data()));
      return is_upper(first.code) || !is_starter(next);
    }
    if (contains(seldom_last, word) || has_inner_stop(word)) return !number && !is_starter(next);
    return false;
  }

  // "U.S", "a.m": single letters (or two) between stops.
  [[nodiscard]] static bool has_inner_stop(std::string_view word) {
    if (word.find('.') == std::string_view::npos) return false;
    std::size_t letters = 0;
    for (std::size_t at = 0; at < word.size();) {
      const auto character = character_at(word, at);
      at += character.size;
      if (character.code == U'.') {
        letters = 0;
      } else if (!is_letter(character.code) || ++letters > 2) {
        return false;
      }
    }
    return true;
  }

  [[nodiscard]] std::string_view word_before(std::size_t stop) const {
    constexpr std::string_view edges = " \t\r\n\v\f([{\"'/";
    auto begin = stop;
    // Words that matter here are short.
    while (begin > sentence_ && stop - begin < 32 &&
           edges.find(text_[begin - 1]) == std::string_view::npos) {
      --begin;
    }
    auto word = text_.substr(begin, stop - begin);
    for (const std::string_view quote : {"“", "‘", "„", "«", "\xC2\xA0"}) {
      const auto at = word.rfind(quote);
      if (at != std::string_view::npos) word.remove_prefix(at + quote.size());
    }
    return word;
  }

  [[nodiscard]] bool is_starter(std::size_t at) const {
    auto end = at;
    for (;;) {
      const auto character = character_at(text_, end);
      if (character.size == 0 || end - at > 16 || !is_letter(character.code)) break;
      end += character.size;
    }
    return contains(starters, text_.substr(at, end - at));
  }

  // Whether the word before the one that begins at `at` ends with a lower-case letter.
  [[nodiscard]] bool lower_before(std::size_t at) const {
    while (at > sentence_ && text_[at - 1] == ' ') --at;
    return at > sentence_ && text_[at - 1] >= 'a' && text_[at - 1] <= 'z';
  }

  [[nodiscard]] std::size_t first_of_sentence() const {
    auto at = sentence_;
    for (;;) {
      const auto character = character_at(text_, at);
      if (character.size == 0 || !is_space(character.code)) return at;
      at += character.size;
    }
  }

  // Text that was lower-cased has none.
  [[nodiscard]] bool has_capitals() {
    if (capitals_ < 0) {
      capitals_ = 0;
      for (std::size_t at = 0; at < text_.size() && capitals_ == 0;) {
        const auto character = character_at(text_, at);
        if (is_upper(character.code)) capitals_ = 1;
        at += character.size;
      }
    }
    return capitals_ != 0;
  }

  // The sentence that ends at `end`.
  void cut(std::size_t end) {
    auto begin = first_of_sentence();
    sentence_ = end;
    for (;;) {
      if (end <= begin) return;
      auto last = end - 1;
      while (last > begin && !utf8::begins_code_point(text_[last])) --last;
      const auto character = character_at(text_, last);
      if (last + character.size != end || !is_space(character.code)) break;
      end = last;
    }
    sentences_.push_back(text_.substr(begin, end - begin));
  }

  std::string_view text_;
  std::vector<std::string_view>& sentences_;
  std::size_t sentence_ = 0;  // where the one that is being read begins
  int capitals_ = -1;         // not known yet
};

}  // namespace

void split_sentences(std::string_view paragraph, std::vector<std::string_view>& sentences) {
  Splitter(paragraph, sentences).run();
}

}  // namespace cloze
