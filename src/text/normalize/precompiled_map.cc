#include "text/normalize/precompiled_map.h"

#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/utf8.h"
#include "text/normalize/graphemes.h"
#include "text/normalize/rewriter.h"

namespace cloze::text {
namespace {

constexpr std::size_t kBlock = 256;
constexpr std::size_t kShortGrapheme = 6;  // longer ones are not looked up whole

constexpr std::uint32_t label(std::uint32_t unit) { return unit & (1U << 31U | 0xFFU); }
constexpr bool has_value(std::uint32_t unit) { return (unit >> 8U & 1U) != 0; }
constexpr std::uint32_t value(std::uint32_t unit) { return unit & ~(1U << 31U); }
constexpr std::size_t distance(std::uint32_t unit) {
  return static_cast<std::size_t>(unit >> 10U) << ((unit & 1U << 9U) >> 6U);
}

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

std::size_t size_of_character(const char* p) {
  const char* end = p;
  (void)utf8::decode(end);
  return static_cast<std::size_t>(end - p);
}

std::vector<std::uint32_t> read_units(std::string_view blob, const std::string& origin) {
  std::uint32_t bytes = 0;
  if (blob.size() < sizeof bytes) {
    throw FormatError(
        fmt::format("{}: the character map has {} bytes, which hold no trie; take the file from "
                    "its source again",
                    origin, blob.size()));
  }
  std::memcpy(&bytes, blob.data(), sizeof bytes);
  blob.remove_prefix(sizeof bytes);
  if (bytes > blob.size() || bytes < sizeof(std::uint32_t)) {
    throw FormatError(
        fmt::format("{}: the character map's trie should have {} bytes, of which {} "
                    "are there; take the file from its source again",
                    origin, bytes, blob.size()));
  }
  std::vector<std::uint32_t> units(bytes / sizeof(std::uint32_t));
  std::memcpy(units.data(), blob.data(), units.size() * sizeof(std::uint32_t));
  units.resize((units.size() + kBlock - 1) / kBlock * kBlock);
  return units;
}

// Goes to every place that a search can reach: each must lie in the trie, each value at the begin of
// a character among the replacements.
void check(const std::vector<std::uint32_t>& units, std::string_view replacements,
           const std::string& origin) {
  std::vector<bool> seen(units.size());
  std::vector<std::size_t> open;
  const auto reach = [&](std::size_t from, std::uint32_t unit) {
    const std::size_t to = from ^ distance(unit);
    if (to >= units.size()) {
      throw FormatError(fmt::format(
          "{}: unit {} of the character map leads to unit {} of {}; the file is damaged", origin,
          from, to, units.size()));
    }
    if (!seen[to]) open.push_back(to);
    seen[to] = true;
    return to;
  };
  reach(0, units[0]);
  while (!open.empty()) {
    const auto node = open.back();
    open.pop_back();
    for (std::size_t byte = 1; byte < kBlock; ++byte) {
      const auto place = node ^ byte;
      const auto unit = units[place];
      if (label(unit) != byte) continue;
      const auto to = reach(place, unit);
      if (!has_value(unit)) continue;
      const std::size_t at = value(units[to]);
      if (at > replacements.size() ||
          (at < replacements.size() && !utf8::begins_code_point(replacements[at]))) {
        throw FormatError(fmt::format(
            "{}: unit {} of the character map names the replacement at byte {}, where none of the "
            "{} bytes begins one; the file is damaged",
            origin, to, at, replacements.size()));
      }
    }
  }
}

}  // namespace

PrecompiledMap::PrecompiledMap(std::string blob, const std::string& origin)
    : blob_(std::move(blob)), units_(read_units(blob_, origin)) {
  std::uint32_t bytes = 0;
  std::memcpy(&bytes, blob_.data(), sizeof bytes);
  // What remains of a last unit that is cut short belongs to the replacements.
  const auto begin = sizeof bytes + bytes / sizeof(std::uint32_t) * sizeof(std::uint32_t);
  replacements_ = std::string_view(blob_).substr(begin);
  if (const auto bad = utf8::valid_prefix(replacements_); bad != replacements_.size()) {
    throw FormatError(fmt::format(
        "{}: the character map's replacements are not UTF-8 (byte {}); the file is damaged", origin,
        bad));
  }
  check(units_, replacements_, origin);
  for (std::size_t c = 0; c < ascii_.size(); ++c) {
    const char byte = static_cast<char>(c);
    const auto found = search({&byte, 1});
    ascii_[c] = {!found, found.value_or(std::string_view())};
  }
}

std::optional<std::string_view> PrecompiledMap::search(std::string_view text) const {
  std::size_t node = distance(units_[0]);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) return std::nullopt;
    node ^= byte;
    const auto unit = units_[node];
    if (label(unit) != byte) return std::nullopt;
    node ^= distance(unit);
    if (has_value(unit)) {
      const auto rest = replacements_.substr(value(units_[node]));
      return rest.substr(0, rest.find('\0'));
    }
  }
  return std::nullopt;
}

std::optional<std::string_view> PrecompiledMap::replacement(std::string_view text) const {
  return search(text);
}

namespace {

// Puts `with` in place of `count` characters.
void put_bytes(Rewriter& out, std::string_view with, std::size_t count) {
  for (std::size_t i = 0; i < with.size();) {
    const auto size = size_of_character(with.data() + i);
    const auto character = with.substr(i, size);
    if (count > 0) {
      out.replace(character);
      --count;
    } else {
      out.insert(character);
    }
    i += size;
  }
  out.remove(count);
}

}  // namespace

bool PrecompiledMap::apply(const NormalizedText& from, NormalizedText& to) const {
  const std::string_view text = from.bytes;
  Rewriter out(from, to);
  std::size_t kept = 0;  // from here on nothing is written
  const auto replace = [&](std::size_t at, std::size_t size, std::string_view with) {
    out.keep(kept, at - kept);
    put_bytes(out, with, static_cast<std::size_t>(utf8::count_code_points(text.substr(at, size))));
    kept = at + size;
  };
  for (std::size_t at = 0; at < text.size();) {
    // A character of ASCII before another is a grapheme, but for \r\n.
    if (is_ascii(text[at]) && (at + 1 == text.size() || is_ascii(text[at + 1])) &&
        text[at] != '\r') {
      const Ascii& c = ascii_[static_cast<unsigned char>(text[at])];
      if (!c.kept) replace(at, 1, c.replacement);
      ++at;
      continue;
    }
    const auto end = grapheme_end(text, at);
    if (end - at < kShortGrapheme) {
      if (const auto with = search(text.substr(at, end - at))) {
        replace(at, end - at, *with);
        at = end;
        continue;
      }
    }
    while (at < end) {
      const auto size = size_of_character(text.data() + at);
      if (const auto with = search(text.substr(at, size))) replace(at, size, *with);
      at += size;
    }
  }
  out.keep(kept, text.size() - kept);
  return out.in_step();
}

}  // namespace cloze::text
