#include "cloze/vocabulary_trainer.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/io/input_file.h"
#include "core/parallel.h"
#include "core/progress_counter.h"
#include "core/strings.h"
#include "core/utf8.h"
#include "text/train/word_counts.h"
#include "text/train/word_merger.h"
#include "text/wordpiece/word_scanner.h"

namespace cloze {
namespace {

constexpr std::int64_t kBlock = std::int64_t{4} << 20U;
constexpr std::int32_t kMaxChars = 100;

// A WordScanner's consumer that counts.
class Counter {
 public:
  explicit Counter(text::WordCounts& counts) : counts_(counts) {}

  void reserve(std::size_t) {}
  void note(const char* word, std::size_t size, std::size_t) {
    if (size <= kMaxChars) counts_.add({word, size});
  }
  void put_noted(std::int32_t) {}
  void put(const text::WordBuffer& word) {
    if (word.chars() <= kMaxChars) counts_.add({word.bytes(), word.size()});
  }
  [[nodiscard]] static bool full() { return false; }

 private:
  text::WordCounts& counts_;
};

// Where a block of about kBlock bytes that begins at `begin` ends: after a line, or failing that a
// space, or failing that a character, so that hardly a word is cut.
std::int64_t end_of_block(const InputFile& file, std::int64_t begin) {
  if (file.size() - begin <= kBlock) return file.size();
  // Lines end often: the last bytes of the block have one, but for the oddest texts.
  std::string text;
  for (std::int64_t tail = std::int64_t{1} << 16;; tail = kBlock) {
    const auto from = begin + kBlock - tail;
    text = file.read(from, static_cast<std::size_t>(tail) + 1);  // and the byte after the block
    for (const auto* ends : {"\n", " \t\r"}) {
      const auto at = text.find_last_of(ends, text.size() - 2);
      if (at != std::string::npos) return from + static_cast<std::int64_t>(at) + 1;
      if (tail < kBlock) break;
    }
    if (tail == kBlock) break;
  }
  auto end = text.size() - 1;
  while (end > 1 && !utf8::begins_code_point(text[end])) --end;
  return begin + static_cast<std::int64_t>(end);
}

struct Block {
  const std::filesystem::path* file;
  std::int64_t file_size;
  std::int64_t begin, end;
};

// The files are opened again for every block: there may be more of them than descriptors.
void read(const Block& block, std::string& text) {
  const InputFile file(*block.file);
  file.require_size(block.file_size);
  text.resize(static_cast<std::size_t>(block.end - block.begin));
  file.read(block.begin, std::as_writable_bytes(std::span(text)));
}

std::string nothing_in(std::span<const std::filesystem::path> paths) {
  if (paths.empty()) return "there is no text: name a file";
  if (paths.size() > 1) {
    return fmt::format("there are no words in any of the {} files, {} to {}", paths.size(),
                       excerpt_of_path(paths.front()), excerpt_of_path(paths.back()));
  }
  return fmt::format("{} has no words: it {}", excerpt_of_path(paths.front()),
                     files::size(paths.front()).value_or(0) == 0
                         ? "is empty"
                         : "holds nothing but white space and control characters");
}

text::NormalizerRules rules_of(const VocabularyOptions& options) {
  return {.handle_chinese_chars = options.handle_chinese_chars,
          .strip_accents = options.strip_accents.value_or(options.lowercase),
          .lowercase = options.lowercase};
}

// The words of all files. Blocks are counted apart and added up in order, so that the result does
// not depend on who was faster.
text::WordCounts count_words(std::span<const std::filesystem::path> paths,
                             const VocabularyOptions& options) {
  std::vector<Block> blocks;
  std::int64_t total = 0;
  for (const auto& path : paths) {
    const InputFile file(path);
    total += file.size();
    for (std::int64_t begin = 0; begin < file.size();) {
      const auto end = end_of_block(file, begin);
      blocks.push_back({&path, file.size(), begin, end});
      begin = end;
    }
  }
  const text::CharActions actions(rules_of(options));
  ProgressCounter progress(options.progress, "reading", total, "bytes");
  const auto round = static_cast<std::size_t>(std::max(1, num_threads())) * 2;
  std::vector<text::WordCounts> parts(std::min(round, blocks.size()));
  std::vector<std::string> texts(parts.size());
  text::WordCounts words;
  for (std::size_t first = 0; first < blocks.size(); first += round) {
    const auto count = std::min(round, blocks.size() - first);
    parallel_for(static_cast<std::int64_t>(count), 1, [&](std::int64_t i) {
      const Block& block = blocks[first + static_cast<std::size_t>(i)];
      auto& part = parts[static_cast<std::size_t>(i)];
      part.clear();
      Counter counter(part);
      auto& text = texts[static_cast<std::size_t>(i)];
      read(block, text);
      const utf8::ValidText valid(text);
      text::WordScanner(actions, kMaxChars, valid.text(), 0, OffsetUnit::bytes, counter).run();
    });
    for (std::size_t i = 0; i < count; ++i) {
      progress.advance(blocks[first + i].end - blocks[first + i].begin);
      words.add(parts[i]);
      if (words.size() > options.max_words) words.keep_most_frequent(options.max_words / 2);
    }
  }
  return words;
}

}  // namespace

std::vector<std::string> train_vocabulary(std::span<const std::filesystem::path> files,
                                          const VocabularyOptions& options) {
  if (options.size == 0 || options.max_words < 2) {
    throw ArgumentError("a vocabulary of size 0, or from fewer than 2 words, holds nothing");
  }
  const auto words = count_words(files, options);
  if (words.size() == 0) throw FormatError(nothing_in(files));
  ProgressCounter progress(options.progress, "merging", static_cast<std::int64_t>(options.size),
                           "tokens");
  return text::merge_words(words, options,
                           [&progress](std::int64_t tokens) { progress.advance(tokens); });
}

void save_vocabulary(const std::filesystem::path& path, std::span<const std::string> tokens) {
  std::string text;
  for (const auto& token : tokens) text.append(token).push_back('\n');
  files::write_text(path, text);
}

}  // namespace cloze
