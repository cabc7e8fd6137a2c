/// \file
/// Texts for a command, one at a time: from a list, a file, or standard input, one a line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)
namespace cloze {

/// What a tab in a line means.
enum class Tabs : std::uint8_t {
  pair,   ///< it parts a text from its pair; a second tab is an error
  space,  ///< nothing special: the tokenizer reads it as white space
};

/// A text, or a pair of texts.
struct TextItem {
  std::string text;
  std::optional<std::string> pair;
  std::int64_t number = 0;  ///< its line (or place in the list), from 1
};

/// Reads items in order, holding no more than one line and a buffer in memory. A line ends at "\n"
/// or "\r\n"; an empty line is an empty text, so that results line up with lines. Bytes are handed
/// on as they are: the tokenizer reads invalid UTF-8 as U+FFFD.
class TextReader {
 public:
  /// Items given one by one; `kind` is what a message calls them.
  [[nodiscard]] static TextReader list(std::vector<std::string> texts, Tabs tabs,
                                       std::string kind = "argument");

  /// The lines of a file; "-" is standard input. Throws IoError (missing, unreadable, a directory).
  [[nodiscard]] static TextReader file(const std::filesystem::path& path, Tabs tabs);

  TextReader(const TextReader&) = delete;
  TextReader& operator=(const TextReader&) = delete;
  TextReader(TextReader&&) noexcept;
  TextReader& operator=(TextReader&&) noexcept;
  ~TextReader();

  /// The next item; nothing at the end. Throws IoError, and FormatError for a line with more tabs
  /// than one under `Tabs::pair` and for one over 1 GiB.
  [[nodiscard]] std::optional<TextItem> next();

  /// Items until they hold `bytes` of text or the input ends: a piece of a stream to work on at
  /// once. At least one item unless the input has ended.
  [[nodiscard]] std::vector<TextItem> next_items(std::int64_t bytes);

  /// Where item `number` came from, for a message: "line 12 of FILE", "argument 2".
  [[nodiscard]] std::string place(std::int64_t number) const;

  /// Bytes of the whole input, 0 if nobody knows (a pipe).
  [[nodiscard]] std::int64_t total_bytes() const;
  /// Bytes read so far, line ends included: for a progress bar.
  [[nodiscard]] std::int64_t bytes_read() const { return bytes_read_; }

 private:
  struct [[gnu::visibility("hidden")]] Lines;
  TextReader(Tabs tabs, std::string kind);
  [[nodiscard]] TextItem item(std::string line) const;

  Tabs tabs_;
  std::string kind_;                // "argument", "line"
  std::vector<std::string> texts_;  // what a list holds
  std::unique_ptr<Lines> lines_;    // or the open file
  std::int64_t count_ = 0;
  std::int64_t bytes_read_ = 0;
};

/// The whole of a file as one text. Throws IoError (missing, unreadable, a directory).
[[nodiscard]] std::string read_text(const std::filesystem::path& path);

/// Splits "A<TAB>B". FormatError at more tabs than one, naming `place`.
[[nodiscard]] TextItem split_pair(std::string_view line, const std::string& place);

}  // namespace cloze

#pragma GCC visibility pop
