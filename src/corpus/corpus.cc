#include "corpus/corpus.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloze/error.h"
#include "core/fingerprint.h"
#include "core/io/files.h"
#include "core/io/input_file.h"
#include "core/progress_counter.h"
#include "core/strings.h"
#include "core/utf8.h"
#include "corpus/sentence_splitter.h"

namespace cloze {
namespace {

// The files that `path` stands for.
void add_files(const std::filesystem::path& path, std::vector<std::string>& found) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!files::is_directory(path)) {
    found.push_back(path.string());
    return;
  }
  const auto before = found.size();
  fs::recursive_directory_iterator entry(path, error);  // follows no links to directories
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const bool hidden = entry->path().filename().string().starts_with('.');
    std::error_code unknown;
    if (entry->is_directory(unknown)) {
      if (hidden) entry.disable_recursion_pending();
    } else if (!hidden && entry->is_regular_file(unknown)) {
      found.push_back(entry->path().string());
    }
  }
  if (error)
    throw IoError(fmt::format("cannot read {}: {}", excerpt_of_path(path), error.message()));
  std::sort(found.begin() + static_cast<std::ptrdiff_t>(before), found.end());
}

void require_text(std::string_view begin, const std::string& path) {
  if (begin.starts_with("\xFF\xFE") || begin.starts_with("\xFE\xFF")) {
    throw FormatError(
        fmt::format("{} is UTF-16: make it UTF-8 first (iconv -f UTF-16 -t UTF-8 FILE)", path));
  }
}

}  // namespace

// Goes over the bytes of all files once and notes where blocks begin. `read` finds the documents of
// a block by the same rules: a document begins at the first byte of text after a break.
struct Corpus::Scan {
  Corpus& corpus;
  std::int64_t at = 0;       // of the next byte, over all files
  bool in_document = false;  // false after what parts documents
  bool in_text = false;      // a byte of text has been seen in this line
  bool after_blank = false;  // the line before was blank
  char last = '\n';          // the byte before

  void begin_file() {
    in_document = in_text = after_blank = false;
    last = '\n';
  }

  void run(std::string_view bytes) {
    const char* p = bytes.data();
    const char* const end = p + bytes.size();
    while (p < end) {
      const char* const from = p;
      p = in_text ? through_text(p, end) : through_space(p, end);
      at += p - from;
      last = p[-1];
    }
  }

 private:
  [[nodiscard]] std::int64_t limit() const { return corpus.options_.block_bytes; }
  [[nodiscard]] std::int64_t block_size() const {
    return corpus.index_.empty() ? limit() : at - corpus.index_.back().begin;
  }

  void begin_block(bool continued) {
    const auto document = static_cast<std::uint64_t>(corpus.documents_ - 1);
    corpus.index_.push_back({at, document, continued ? 1U : 0U});
  }

  // Up to and with the first byte of text of a line, or the line's end.
  const char* through_space(const char* p, const char* end) {
    const auto start = at;
    for (; p < end; ++p, ++at) {
      if (*p == '\n') {
        after_blank = true;
        if (corpus.options_.documents == DocumentBreak::blank_line) in_document = false;
      } else if (!is_space(*p)) {
        begin_text();
        ++p;
        break;
      }
    }
    at = start;
    return p;
  }

  void begin_text() {
    const bool new_document = !in_document;
    if (new_document) ++corpus.documents_;
    // Sections of one file begin at a paragraph rather than within.
    const auto most = new_document ? limit()
                      : corpus.options_.documents == DocumentBreak::blank_line || after_blank
                          ? 2 * limit()
                          : 3 * limit();
    if (block_size() >= most) begin_block(!new_document);
    in_document = in_text = true;
    after_blank = false;
  }

  // Up to and with the line's end. A line that fills several blocks is cut after a space, or, where
  // it has none, between two characters.
  const char* through_text(const char* p, const char* end) {
    const auto room = std::max<std::int64_t>(0, 4 * limit() - block_size());
    const char* const stop = end - p > room ? p + room : end;
    if (const auto* found = std::memchr(p, '\n', static_cast<std::size_t>(stop - p))) {
      in_text = false;
      return static_cast<const char*>(found) + 1;
    }
    if (stop > p) return stop;
    if (*p == '\n') {
      in_text = false;
      return p + 1;
    }
    const bool after_space = is_space(last) && !is_space(*p);
    const bool too_long =
        block_size() >= 8 * limit() && !is_space(*p) && utf8::begins_code_point(*p);
    if (after_space || too_long) begin_block(true);
    return p + 1;
  }
};

std::shared_ptr<const Corpus> Corpus::open(std::span<const std::filesystem::path> paths,
                                           const CorpusOptions& options) {
  if (paths.empty()) throw ArgumentError("there is no text to read: name a file or directory");
  if (options.block_bytes < 64) {
    throw ArgumentError(
        fmt::format("blocks of {} bytes are too small: take at least 64", options.block_bytes));
  }
  std::shared_ptr<Corpus> corpus(new Corpus());
  corpus->options_ = options;
  std::vector<std::string> names;
  for (const auto& path : paths) {
    const auto before = names.size();
    add_files(path, names);
    if (names.size() == before) {
      throw FormatError(fmt::format("there are no files in {}", path.string()));
    }
  }
  std::int64_t total = 0;
  for (auto& name : names) {
    const InputFile file(name);
    const auto size = file.size();
    corpus->files_.push_back({std::move(name), total, size});
    total += size;
  }
  corpus->bytes_ = total;

  constexpr std::size_t chunk = std::size_t{1} << 20;
  std::string buffer(chunk, '\0');
  Fingerprint fingerprint;
  fingerprint.add(static_cast<std::uint64_t>(options.documents)).add(options.block_bytes);
  ProgressCounter progress(options.progress, "reading the text", total, "bytes");
  Scan scan{*corpus};
  for (const auto& entry : corpus->files_) {
    const InputFile file(entry.path);
    const auto before = corpus->documents_;
    scan.begin_file();
    for (std::int64_t at = 0; at < entry.size;) {
      const auto count = std::min<std::int64_t>(entry.size - at, chunk);
      const auto part = std::span(buffer).first(static_cast<std::size_t>(count));
      file.read(at, std::as_writable_bytes(part));
      const std::string_view bytes(part.data(), part.size());
      if (at == 0) require_text(bytes, entry.path);
      fingerprint.add(bytes);
      scan.run(bytes);
      at += count;
      progress.advance(count);
    }
    fingerprint.add(entry.size);
    if (corpus->documents_ == before) {
      corpus->warnings_.push_back(
          fmt::format("{} has no text: it {}", entry.path,
                      entry.size == 0 ? "is empty" : "holds nothing but white space"));
    }
  }
  corpus->index_.shrink_to_fit();
  if (corpus->documents_ == 0) {
    throw FormatError(corpus->files_.size() == 1
                          ? corpus->warnings_.front()
                          : fmt::format("there is no text in any of the {} files, {} to {}",
                                        corpus->files_.size(), corpus->files_.front().path,
                                        corpus->files_.back().path));
  }
  corpus->lines_ = options.lines == LineKind::automatic ? corpus->guess_lines() : options.lines;
  corpus->fingerprint_ = fingerprint.add(static_cast<std::uint64_t>(corpus->lines_)).value();
  return corpus;
}

std::int64_t Corpus::index_bytes() const {
  auto bytes = index_.capacity() * sizeof(Block) + files_.capacity() * sizeof(File);
  for (const auto& file : files_) bytes += file.path.capacity();
  return static_cast<std::int64_t>(bytes);
}

Corpus::Documents Corpus::documents_of(std::int64_t block) const {
  const auto at = static_cast<std::size_t>(block);
  const auto first = static_cast<std::int64_t>(index_[at].document);
  if (at + 1 == index_.size()) return {first, documents_ - 1};
  // The next block begins a document or goes on with the last one of this.
  const auto next = static_cast<std::int64_t>(index_[at + 1].document);
  return {first, index_[at + 1].continued != 0 ? next : next - 1};
}

void Corpus::read(std::int64_t block, std::string& buffer, std::vector<DocumentPart>& parts) const {
  const auto& entry = index_.at(static_cast<std::size_t>(block));
  const auto begin = entry.begin;
  const auto end =
      block + 1 < blocks() ? index_[static_cast<std::size_t>(block) + 1].begin : bytes_;
  buffer.resize(static_cast<std::size_t>(end - begin));
  parts.clear();
  auto file = std::upper_bound(files_.begin(), files_.end(), begin,
                               [](std::int64_t at, const File& f) { return at < f.begin; }) -
              1;
  auto document = static_cast<std::int64_t>(entry.document);
  for (auto at = begin; at < end; ++file) {
    const auto upto = std::min(end, file->begin + file->size);
    if (upto <= at) continue;  // an empty file
    const InputFile input(file->path);
    input.require_size(file->size);
    const auto target = std::span(buffer).subspan(static_cast<std::size_t>(at - begin),
                                                  static_cast<std::size_t>(upto - at));
    input.read(at - file->begin, std::as_writable_bytes(target));
    std::string_view text(target.data(), target.size());
    at = upto;
    if (options_.documents == DocumentBreak::file) {
      text = trimmed(text);
      if (!text.empty()) parts.push_back({document++, text});
      continue;
    }
    // Runs of lines that are not blank.
    std::size_t part = 0;
    bool in_part = false;
    for (std::size_t line = 0; line < text.size();) {
      const auto line_end = std::min(text.find('\n', line), text.size());
      const bool blank = trimmed(text.substr(line, line_end - line)).empty();
      if (blank && in_part) {
        parts.push_back({document++, trimmed(text.substr(part, line - part))});
      } else if (!blank && !in_part) {
        part = line;
      }
      in_part = !blank;
      line = line_end + 1;
    }
    if (in_part) parts.push_back({document++, trimmed(text.substr(part))});
  }
}

void Corpus::sentences(std::string_view text, std::vector<std::string_view>& sentences) const {
  std::size_t paragraph = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = trimmed(text.substr(at, end - at));
    if (lines_ == LineKind::wrapped) {
      if (line.empty()) {
        split_sentences(text.substr(paragraph, at - paragraph), sentences);
        paragraph = end + 1;
      }
    } else if (lines_ == LineKind::sentence) {
      if (!line.empty()) sentences.push_back(line);
    } else {
      split_sentences(line, sentences);
    }
    at = end + 1;
  }
  if (lines_ == LineKind::wrapped && paragraph < text.size()) {
    split_sentences(text.substr(paragraph), sentences);
  }
}

// Looks at up to 64 blocks, spread evenly. Paragraphs: one line in ten holds several sentences.
// Wrapped (only where blank lines do not part documents): most lines end amid a sentence, and many
// begin with a small letter.
LineKind Corpus::guess_lines() const {
  constexpr std::int64_t sample = 64;
  std::string buffer;
  std::vector<DocumentPart> parts;
  std::vector<std::string_view> found;
  std::int64_t lines = 0, several = 0, unfinished = 0, small = 0;
  const auto count = std::min(blocks(), sample);
  for (std::int64_t i = 0; i < count; ++i) {
    read(i * blocks() / count, buffer, parts);
    for (const auto& part : parts) {
      for (std::size_t at = 0; at < part.text.size();) {
        const auto end = std::min(part.text.find('\n', at), part.text.size());
        const auto line = trimmed(part.text.substr(at, end - at));
        at = end + 1;
        if (line.empty()) continue;
        found.clear();
        split_sentences(line, found);
        ++lines;
        several += found.size() > 1 ? 1 : 0;
        small += line.front() >= 'a' && line.front() <= 'z' ? 1 : 0;
        unfinished +=
            static_cast<unsigned char>(line.back()) >= 0x80 ||
                    std::string_view(".!?:;\")]'").find(line.back()) != std::string_view::npos
                ? 0
                : 1;
      }
    }
  }
  const bool wrapped =
      options_.documents == DocumentBreak::file && 2 * unfinished > lines && 5 * small > lines;
  if (wrapped) return LineKind::wrapped;
  return 10 * several >= lines ? LineKind::paragraph : LineKind::sentence;
}

}  // namespace cloze
