#include "cloze/text_corpus.h"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/strings.h"

namespace cloze {
namespace {

constexpr std::array line_kinds{std::pair{LineKind::automatic, std::string_view("automatic")},
                                std::pair{LineKind::sentence, std::string_view("sentence")},
                                std::pair{LineKind::paragraph, std::string_view("paragraph")},
                                std::pair{LineKind::wrapped, std::string_view("wrapped")}};

}  // namespace

std::string_view name_of(DocumentBreak kind) {
  return kind == DocumentBreak::file ? "file" : "blank-line";
}

DocumentBreak document_break_from(std::string_view name) {
  if (name == "blank-line") return DocumentBreak::blank_line;
  if (name == "file") return DocumentBreak::file;
  throw ArgumentError(
      fmt::format("nothing called {} parts documents: use blank-line or file", in_quotes(name)));
}

std::string_view name_of(LineKind kind) {
  for (const auto& [known, name] : line_kinds) {
    if (known == kind) return name;
  }
  return "";
}

LineKind line_kind_from(std::string_view name) {
  for (const auto& [kind, known] : line_kinds) {
    if (known == name) return kind;
  }
  throw ArgumentError(
      fmt::format("there are no lines called {}: use automatic, sentence, paragraph or wrapped",
                  in_quotes(name)));
}

}  // namespace cloze
