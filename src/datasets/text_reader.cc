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
#include "core/io/files.h"
#include "core/strings.h"

namespace cloze {

namespace {

/// Longer than any line of text: what goes on so long is a device or a binary file.
constexpr std::size_t kLongestLine = std::size_t{1} << 30;

}  // namespace

/// An open file and the part of it that has been read and not yet handed out.
struct TextReader::Lines {
  static constexpr std::size_t kChunk = std::size_t{1} << 18;

  std::string name;
  Descriptor file;  // none for standard input
  int descriptor = -1;
  std::int64_t size = 0;
  std::string chunk;
  std::size_t begin = 0, end = 0;  // the bytes of the chunk that have not been handed out
  bool begun = false;              // something has been read
  bool ended = false;              // a terminal that has ended is not read again

  /// Reads a further chunk once all is handed out; false at the end of the file.
  bool fill() {
    if (ended) return false;
    chunk.resize(kChunk);
    const auto got = read_some(descriptor, std::as_writable_bytes(std::span(chunk)));
    if (got < 0) {
      throw IoError(
          fmt::format("cannot read {}: {}", name, std::generic_category().message(errno)));
    }
    begin = 0;
    end = static_cast<std::size_t>(got);
    ended = got == 0;
    if (!begun) require_no_utf16();
    begun = true;
    return !ended;
  }

  /// Throws for the byte order marks of UTF-16, which no UTF-8 begins with.
  void require_no_utf16() const {
    const auto text = std::string_view(chunk).substr(0, end);
    if (!text.starts_with("\xFF\xFE") && !text.starts_with("\xFE\xFF")) return;
    throw FormatError(fmt::format(
        "{} is in UTF-16, as its first two bytes say: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)",
        name));
  }

  /// Puts the next line, with its end, into `line`, which is empty at the end of the file.
  void read_line(std::string& line, std::int64_t number) {
    line.clear();
    while (begin < end || fill()) {
      const auto rest = std::string_view(chunk).substr(begin, end - begin);
      const auto newline = rest.find('\n');
      const auto part = rest.substr(0, newline == std::string_view::npos ? newline : newline + 1);
      if (part.size() > kLongestLine - line.size()) {
        throw FormatError(
            fmt::format("line {} of {} is longer than a text can be (1 GiB): is it a text file?",
                        number, name));
      }
      line += part;
      begin += part.size();
      if (newline != std::string_view::npos) return;
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

TextItem TextReader::item(std::string line) const {
  if (tabs_ == Tabs::pair && line.find('\t') != std::string::npos) {
    auto item = split_pair(line, place(count_));
    item.number = count_;
    return item;
  }
  return {std::move(line), std::nullopt, count_};
}

std::optional<TextItem> TextReader::next() {
  if (!lines_) {
    if (static_cast<std::size_t>(count_) == texts_.size()) return std::nullopt;
    const auto& text = texts_[static_cast<std::size_t>(count_)];
    ++count_;
    bytes_read_ += static_cast<std::int64_t>(text.size());
    return item(text);
  }
  std::string line;
  lines_->read_line(line, count_ + 1);
  if (line.empty()) return std::nullopt;
  ++count_;
  bytes_read_ += static_cast<std::int64_t>(line.size());
  if (line.back() == '\n') {
    line.pop_back();
    if (!line.empty() && line.back() == '\r') line.pop_back();
  }
  return item(std::move(line));
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

std::string read_text(const std::filesystem::path& path) { return files::read_text(path); }

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
