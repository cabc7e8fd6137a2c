#include "text/japanese/mecab.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/strings.h"
#include "core/threads/fork_gate.h"

namespace cloze::text {
namespace {

// A tagger keeps the memory of the longest text that it has seen: after a longer one it goes.
constexpr std::size_t kMostKept = std::size_t{1} << 16;
// MeCab counts the white space before a word in 16 bits, and loses all that comes after more.
constexpr std::size_t kMostSpaces = 65000;

constexpr bool is_mecab_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// Hands on the words of the bytes [begin, end) of a text.
void split_part(MecabTagger& tagger, std::string_view text, std::size_t begin, std::size_t end,
                FunctionRef<void(std::size_t, std::size_t)> use) {
  const char* const from = text.data() + begin;
  const auto* node = mecab_library().sparse_tonode2(&tagger, from, end - begin);
  if (node == nullptr) {
    const char* const why = mecab_library().strerror(&tagger);
    throw Error(fmt::format("MeCab cannot read a text of {} bytes: {}", end - begin,
                            why == nullptr ? "" : excerpt(why)));
  }
  for (node = node->next; node != nullptr && node->stat != kMecabEnd; node = node->next) {
    const auto at = begin + static_cast<std::size_t>(node->surface - from);
    if (node->length > 0) use(at, at + node->length);
  }
}

}  // namespace

Mecab::Mecab(const MecabSettings& settings, const std::string& origin)
    : start_(find_dictionary(settings, origin)) {
  const auto& mecab = mecab_library();
  std::vector<std::string> arguments{"mecab"};
  arguments.insert(arguments.end(), start_.arguments.begin(), start_.arguments.end());
  std::vector<char*> pointers;
  pointers.reserve(arguments.size());
  for (auto& argument : arguments) pointers.push_back(argument.data());
  model_.reset(mecab.model_new(static_cast<int>(pointers.size()), pointers.data()));
  if (!model_) {
    const char* const why = mecab.strerror(nullptr);
    throw FormatError(fmt::format("{}: MeCab cannot open the dictionary {}{}{}; is it whole?",
                                  origin, excerpt_of_path(start_.dictionary.directory),
                                  why != nullptr && *why != '\0' ? ": " : "",
                                  why == nullptr ? "" : excerpt(trimmed(why))));
  }
  give_back(take());  // where a tagger cannot be made, that is told here
}

Mecab::Tagger Mecab::take() const {
  {
    const ForkPass pass;
    const std::lock_guard lock(guard_);
    if (!idle_.empty()) {
      auto tagger = std::move(idle_.back());
      idle_.pop_back();
      return tagger;
    }
  }
  Tagger tagger(mecab_library().model_new_tagger(model_.get()));
  if (!tagger) throw Error("MeCab has no memory for a further thread");
  return tagger;
}

void Mecab::give_back(Tagger tagger) const {
  const ForkPass pass;
  const std::lock_guard lock(guard_);
  idle_.push_back(std::move(tagger));
}

void Mecab::split(std::string_view text,
                  FunctionRef<void(std::size_t begin, std::size_t end)> use) const {
  if (text.size() > kMostBytes) {
    throw ArgumentError(
        fmt::format("a text of {} bytes is longer than MeCab is given at once ({} bytes, for which "
                    "it takes some 350 "
                    "MiB): split it at the ends of lines",
                    text.size(), kMostBytes));
  }
  auto tagger = take();
  for (std::size_t at = 0; at < text.size();) {
    const auto begin = at;
    std::size_t spaces = 0;
    for (; at < text.size() && text[at] != '\0' && spaces < kMostSpaces; ++at) {
      spaces = is_mecab_space(text[at]) ? spaces + 1 : 0;
    }
    if (at > begin) split_part(*tagger, text, begin, at, use);
    at += at < text.size() && text[at] == '\0' ? 1U : 0U;
  }
  if (text.size() <= kMostKept) give_back(std::move(tagger));
}

}  // namespace cloze::text
