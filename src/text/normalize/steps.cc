#include "text/normalize/steps.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "core/utf8.h"
#include "text/normalize/nfkc.h"
#include "text/normalize/rewriter.h"
#include "text/normalize/unicode_tables.h"

namespace cloze::text {
namespace {

constexpr std::string_view kPlain =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

// Calls `use(character, cp)` for each character of a text.
template <class Use>
void for_characters(std::string_view text, const Use& use) {
  for (const char *p = text.data(), *const end = p + text.size(); p < end;) {
    const char* const from = p;
    const char32_t cp = utf8::decode(p);
    use(std::string_view(from, static_cast<std::size_t>(p - from)), cp);
  }
}

bool removed_by_nmt(char32_t cp) {
  return (cp >= 0x01 && cp <= 0x08) || cp == 0x0B || (cp >= 0x0E && cp <= 0x1F) || cp == 0x7F ||
         cp == 0x8F || cp == 0x9F;
}

bool space_for_nmt(char32_t cp) {
  return cp == 0x09 || cp == 0x0A || cp == 0x0C || cp == 0x0D || cp == 0x1680 ||
         (cp >= 0x200B && cp <= 0x200F) || cp == 0x2028 || cp == 0x2029 || cp == 0x2581 ||
         cp == 0xFEFF || cp == 0xFFFD;
}

bool run(const PrecompiledStep& map, const NormalizedText& from, NormalizedText& to) {
  return map->apply(from, to);
}

bool run(const NmtStep& /*step*/, const NormalizedText& from, NormalizedText& to) {
  Rewriter out(from, to);
  for_characters(from.bytes, [&](std::string_view character, char32_t cp) {
    if (removed_by_nmt(cp)) {
      out.skip(1);
    } else {
      out.replace(space_for_nmt(cp) ? " " : character);
    }
  });
  return true;
}

bool run(const NfkcStep& /*step*/, const NormalizedText& from, NormalizedText& to) {
  nfkc(from, to);
  return true;
}

bool run(const LowercaseStep& /*step*/, const NormalizedText& from, NormalizedText& to) {
  const auto& table = unicode_table_hf();
  Rewriter out(from, to);
  for_characters(from.bytes, [&](std::string_view character, char32_t cp) {
    const auto lower = table.lower(table[cp]);
    if (lower.empty()) {
      out.replace(character);
      return;
    }
    for (std::size_t i = 0; i < lower.size(); ++i) {
      char bytes[4];
      const std::string_view part(bytes, static_cast<std::size_t>(utf8::encode(lower[i], bytes)));
      if (i == 0) {
        out.replace(part);
      } else {
        out.insert(part);
      }
    }
  });
  return true;
}

bool run(const StripStep& step, const NormalizedText& from, NormalizedText& to) {
  const auto is_white = [](char32_t cp) { return (unicode_table_hf()[cp].flags & kWhite) != 0; };
  const char* const text = from.bytes.data();
  const char* begin = text;
  const char* end = text + from.bytes.size();
  for (const char* p = begin; step.left && p < end; begin = p) {
    if (!is_white(utf8::decode(p))) break;
  }
  for (const char* p = end; step.right && begin < p; end = p) {
    if (!is_white(utf8::decode_before(p))) break;
  }
  to.bytes.assign(begin, end);
  if (!from.places.empty()) {
    to.places.assign(from.places.begin() + (begin - text), from.places.begin() + (end - text));
  }
  return true;
}

bool run(const ReplaceStep& step, const NormalizedText& from, NormalizedText& to) {
  const std::string_view text = from.bytes;
  const std::string_view wanted = step.spaces ? "  " : std::string_view(step.pattern);
  std::size_t done = 0;
  const auto copy = [&](std::size_t end) {
    to.bytes.append(text, done, end - done);
    if (from.places.empty()) return;
    to.places.insert(to.places.end(), from.places.begin() + static_cast<std::ptrdiff_t>(done),
                     from.places.begin() + static_cast<std::ptrdiff_t>(end));
  };
  for (auto at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, done)) {
    copy(at);
    done = at + wanted.size();
    if (step.spaces) done = std::min(text.find_first_not_of(' ', done), text.size());
    to.bytes.append(step.content);
    // At the place of the last character that was replaced.
    if (!from.places.empty()) {
      to.places.insert(to.places.end(), step.content.size(), from.places[done - 1]);
    }
  }
  copy(text.size());
  return true;
}

}  // namespace

NormalizedText placed(std::string_view text, std::int32_t begin, OffsetUnit unit) {
  NormalizedText result{std::string(text), {}};
  result.places.reserve(text.size());
  for_characters(text, [&](std::string_view character, char32_t /*cp*/) {
    const auto size = unit == OffsetUnit::bytes ? static_cast<std::int32_t>(character.size()) : 1;
    result.places.insert(result.places.end(), character.size(), {begin, begin + size});
    begin += size;
  });
  return result;
}

bool run_steps(const std::vector<NormalizerStep>& steps, NormalizedText& text) {
  bool in_step = true;
  for (const auto& step : steps) {
    NormalizedText next;
    next.bytes.reserve(text.bytes.size() + 16);
    next.places.reserve(text.places.size() + 16);
    in_step &= std::visit([&](const auto& one) { return run(one, text, next); }, step);
    text = std::move(next);
  }
  return in_step;
}

bool divisible(const std::vector<NormalizerStep>& steps) {
  const auto allows = [](const auto& step) {
    using Step = std::decay_t<decltype(step)>;
    if constexpr (std::is_same_v<Step, PrecompiledStep>) {
      return step->keeps(' ') &&
             std::all_of(kPlain.begin(), kPlain.end(), [&step](char c) { return step->keeps(c); });
    } else if constexpr (std::is_same_v<Step, StripStep>) {
      return !step.left;
    } else if constexpr (std::is_same_v<Step, ReplaceStep>) {
      return step.spaces || (step.pattern.find(' ') == std::string::npos &&
                             step.pattern.find_first_of(kPlain) == std::string::npos);
    } else {
      return true;
    }
  };
  return std::all_of(steps.begin(), steps.end(),
                     [&](const auto& step) { return std::visit(allows, step); });
}

}  // namespace cloze::text
