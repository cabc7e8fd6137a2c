#include "cloze/text_reader.h"

#include <cerrno>
#include <cstddef>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloze/error.h"
#include "core/io/descriptor.h"
#include "core/io/mapped_file.h"
#include "core/strings.h"

namespace cloze {

/// An open file and the part of it that has been read and not yet handed out.
struct TextReader::Lines {
  static constexpr std::size_t chunk = std::size_t{1} << 18;

  std::string name;
  Descriptor file;  // none for standard input
  int descriptor = -1;
  bool ended = false;
  std::int64_t size = 0;
  std::string buffer;
  std::size_t begin = 0;  // first byte of the buffer that has not been handed out

  /// Reads a further chunk; false at the end of the file.
  bool fill() {
    if (ended) return false;
    buffer.erase(0, begin);
    begin = 0;
    const auto have = buffer.size();
    buffer.resize(have + chunk);
    const auto got = read_some(descriptor, std::as_writable_bytes(std::span(buffer)).subspan(have));
    if (got < 0)
      throw IoError(
          fmt::format("cannot read {}: {}", name, std::generic_category().message(errno)));
    buffer.resize(have + static_cast<std::size_t>(got));
    ended = got == 0;
    return !ended;
  }

  /// The next line with its end; empty at the end of the file. Valid until the next call.
  std::string_view line() {
    std::size_t searched = begin;
    while (true) {
      const auto end = buffer.find('\n', searched);
      if (end != std::string::npos) {
        const auto from = std::exchange(begin, end + 1);
        return std::string_view(buffer).substr(from, begin - from);
      }
      const auto left = buffer.size() - begin;
      if (!fill()) {
        const auto from = std::exchange(begin, buffer.size());
        return std::string_view(buffer).substr(from);
      }
      searched = begin + left;
    }
  }
};

TextReader::TextReader(Tabs tabs, std::string kind) : tabs_(tabs), kind_(std::move(kind)) {}

TextReader TextReader::list(std::vector<std::string> texts, Tabs tabs, std::string kind) {
  TextReader reader(tabs, std::move(kind));
  reader.texts_ = std::move(texts);
  return reader;
}

TextReader TextReader::file(const std::filesystem::path& path, Tabs tabs) {
  TextReader reader(tabs, "line");
  reader.lines_ = std::make_unique<Lines>();
  auto& lines = *reader.lines_;
  if (path == "-") {
    lines.name = "standard input";
    lines.descriptor = STDIN_FILENO;
  } else {
    lines.name = excerpt_of_path(path);
    lines.file = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    lines.descriptor = lines.file.get();
    if (!lines.file) {
      throw IoError(
          fmt::format("cannot read {}: {}", lines.name, std::generic_category().message(errno)));
    }
  }
  struct stat status {};
  if (::fstat(lines.descriptor, &status) == 0) {
    if (S_ISDIR(status.st_mode)) {
      throw IoError(fmt::format("cannot read {}: it is a directory", lines.name));
    }
    if (S_ISREG(status.st_mode)) lines.size = status.st_size;
  }
  return reader;
}

TextReader::TextReader(TextReader&&) noexcept = default;
TextReader& TextReader::operator=(TextReader&&) noexcept = default;
TextReader::~TextReader() = default;

TextItem TextReader::item(std::string_view line) const {
  if (tabs_ == Tabs::pair) {
    if (line.find('\t') == std::string_view::npos) return {std::string(line), std::nullopt, count_};
    auto item = split_pair(line, place(count_));
    item.number = count_;
    return item;
  }
  return {std::string(line), std::nullopt, count_};
}

std::optional<TextItem> TextReader::next() {
  if (!lines_) {
    if (static_cast<std::size_t>(count_) == texts_.size()) return std::nullopt;
    const auto& text = texts_[static_cast<std::size_t>(count_)];
    ++count_;
    bytes_read_ += static_cast<std::int64_t>(text.size());
    return item(text);
  }
  auto line = lines_->line();
  if (line.empty()) return std::nullopt;
  ++count_;
  bytes_read_ += static_cast<std::int64_t>(line.size());
  if (line.back() == '\n') {
    line.remove_suffix(1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  }
  return item(line);
}

std::vector<TextItem> TextReader::next_items(std::int64_t bytes) {
  // Every text costs its special tokens at least, so that empty lines fill a piece too.
  constexpr std::int64_t overhead = 8;
  std::vector<TextItem> items;
  std::int64_t held = 0;
  while (held < bytes || items.empty()) {
    const auto before = bytes_read_;
    auto item = next();
    if (!item) break;
    held += bytes_read_ - before + overhead;
    items.push_back(std::move(*item));
  }
  return items;
}

std::string TextReader::place(std::int64_t number) const {
  if (!lines_) return fmt::format("{} {}", kind_, number);
  return fmt::format("{} {} of {}", kind_, number, lines_->name);
}

std::int64_t TextReader::total_bytes() const {
  if (lines_) return lines_->size;
  std::int64_t bytes = 0;
  for (const auto& text : texts_) bytes += static_cast<std::int64_t>(text.size());
  return bytes;
}

std::string read_text(const std::filesystem::path& path) {
  return std::string(MappedFile::open(path)->text());
}

TextItem split_pair(std::string_view line, const std::string& place) {
  const auto tab = line.find('\t');
  if (tab == std::string_view::npos) return {std::string(line), std::nullopt, 0};
  const auto pair = line.substr(tab + 1);
  if (pair.find('\t') != std::string_view::npos) {
    throw FormatError(fmt::format(
        "{} has more than one tab: a line is a text, or a pair of texts parted by one tab", place));
  }
  return {std::string(line.substr(0, tab)), std::string(pair), 0};
}

}  // namespace cloze
