#include "cloze/vocabulary_trainer.h"

#include <algorithm>
#include <memory>
#include <string_view>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/io/mapped_file.h"
#include "core/parallel.h"
#include "core/progress_counter.h"
#include "core/utf8.h"
#include "text/train/word_counts.h"
#include "text/train/word_merger.h"
#include "text/wordpiece/word_scanner.h"

namespace cloze {
namespace {

constexpr std::size_t kBlock = std::size_t{4} << 20U;
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
std::size_t end_of_block(std::string_view text, std::size_t begin) {
  if (text.size() - begin <= kBlock) return text.size();
  const auto block = text.substr(begin, kBlock);
  for (const auto* ends : {"\n", " \t\r"}) {
    if (const auto at = block.find_last_of(ends); at != std::string_view::npos) {
      return begin + at + 1;
    }
  }
  std::size_t end = begin + kBlock;
  while (end > begin + 1 && !utf8::begins_code_point(text[end])) --end;
  return end;
}

struct Block {
  const MappedFile* file;
  std::size_t begin, end;
};

text::NormalizerRules rules_of(const VocabularyOptions& options) {
  return {.handle_chinese_chars = options.handle_chinese_chars,
          .strip_accents = options.strip_accents.value_or(options.lowercase),
          .lowercase = options.lowercase};
}

// The words of all files. Blocks are counted apart and added up in order, so that the result does
// not depend on who was faster.
text::WordCounts count_words(std::span<const std::filesystem::path> paths,
                             const VocabularyOptions& options) {
  std::vector<std::shared_ptr<const MappedFile>> files;
  std::vector<Block> blocks;
  std::size_t total = 0;
  for (const auto& path : paths) {
    files.push_back(MappedFile::open(path));
    const auto text = files.back()->text();
    total += text.size();
    for (std::size_t begin = 0; begin < text.size();) {
      const auto end = end_of_block(text, begin);
      files.back()->release(files.back()->bytes().subspan(begin, end - begin));
      blocks.push_back({files.back().get(), begin, end});
      begin = end;
    }
  }
  const text::CharActions actions(rules_of(options));
  ProgressCounter progress(options.progress, "reading", static_cast<std::int64_t>(total), "bytes");
  const auto round = static_cast<std::size_t>(std::max(1, num_threads())) * 2;
  std::vector<text::WordCounts> parts(std::min(round, blocks.size()));
  text::WordCounts words;
  for (std::size_t first = 0; first < blocks.size(); first += round) {
    const auto count = std::min(round, blocks.size() - first);
    parallel_for(static_cast<std::int64_t>(count), 1, [&](std::int64_t i) {
      const Block& block = blocks[first + static_cast<std::size_t>(i)];
      auto& part = parts[static_cast<std::size_t>(i)];
      part.clear();
      Counter counter(part);
      const utf8::ValidText valid(block.file->text().substr(block.begin, block.end - block.begin));
      text::WordScanner(actions, kMaxChars, valid.text(), 0, OffsetUnit::bytes, counter).run();
      block.file->release(block.file->bytes().subspan(block.begin, block.end - block.begin));
    });
    for (std::size_t i = 0; i < count; ++i) {
      progress.advance(static_cast<std::int64_t>(blocks[first + i].end - blocks[first + i].begin));
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
