/// \file
/// How plain text is divided into documents and sentences for pre-training.
#pragma once

#include <cstdint>
#include <string_view>

#pragma GCC visibility push(default)
namespace cloze {

/// What parts documents; the end of a file always does.
enum class DocumentBreak : std::uint8_t {
  blank_line,  ///< as google-research/bert's input
  file,        ///< each file is one document; blank lines part its paragraphs
};

/// "blank-line" or "file".
[[nodiscard]] std::string_view name_of(DocumentBreak kind);
/// Throws ArgumentError for another name.
[[nodiscard]] DocumentBreak document_break_from(std::string_view name);

/// What a line of text is.
enum class LineKind : std::uint8_t {
  automatic,  ///< found out from a sample of the lines
  sentence,   ///< one sentence, as google-research/bert's input
  paragraph,  ///< a paragraph, to be split into sentences
  wrapped,    ///< a part of a paragraph that goes on over line ends until a blank line
};

/// "automatic", "sentence", "paragraph", "wrapped".
[[nodiscard]] std::string_view name_of(LineKind kind);
/// Throws ArgumentError for another name.
[[nodiscard]] LineKind line_kind_from(std::string_view name);

}  // namespace cloze

#pragma GCC visibility pop
