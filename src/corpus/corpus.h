/// \file
/// Text files of any size as documents, for pre-training: only an index of a few bytes for every
/// 16 KiB of text is held, and the text is read where it is needed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/progress.h"
#include "cloze/text_corpus.h"

namespace cloze {

struct CorpusOptions {
  DocumentBreak documents = DocumentBreak::blank_line;
  LineKind lines = LineKind::automatic;
  /// A block of the index holds whole documents until it has so many bytes; a document that is
  /// longer than twice that is cut into sections, at the begin of a line where there is one.
  std::int64_t block_bytes = 16384;
  ProgressCallback progress{};  ///< told of the bytes read
};

/// One document, or a section of a long one.
struct DocumentPart {
  std::int64_t document = 0;  ///< number of the document, from 0, in the order of the files
  std::string_view text;      ///< its bytes as they are in the file: lines, any encoding errors
};

/// Immutable; safe to use from many threads. A blank line is one of ASCII white space.
class Corpus {
 public:
  /// Reads every file once, from begin to end. A directory stands for the files in it and below,
  /// ordered by path, without those whose names begin with a dot. Throws IoError (missing,
  /// unreadable, a pipe), FormatError (no text in any of them, UTF-16), ArgumentError (no paths).
  [[nodiscard]] static std::shared_ptr<const Corpus> open(
      std::span<const std::filesystem::path> paths, const CorpusOptions& options = {});

  [[nodiscard]] std::int64_t documents() const { return documents_; }
  [[nodiscard]] std::int64_t bytes() const { return bytes_; }  ///< of all files
  [[nodiscard]] std::int64_t files() const { return static_cast<std::int64_t>(files_.size()); }
  [[nodiscard]] const CorpusOptions& options() const { return options_; }

  /// `options().lines`, or what was found out for `automatic`.
  [[nodiscard]] LineKind lines() const { return lines_; }

  /// Changes when any byte of the text, the order of the files, or what parts documents changes:
  /// two corpora of one fingerprint give the same batches.
  [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_; }

  /// What a person should know, a sentence each: files without text.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

  /// Bytes of memory that the index takes.
  [[nodiscard]] std::int64_t index_bytes() const;

  [[nodiscard]] std::int64_t blocks() const { return static_cast<std::int64_t>(index_.size()); }
  /// First and last document of a block.
  struct Documents {
    std::int64_t first, last;
  };
  [[nodiscard]] Documents documents_of(std::int64_t block) const;

  /// The text of a block: `parts` (replaced) look into `buffer` (replaced). Throws IoError, also
  /// when a file has changed its size since `open`.
  void read(std::int64_t block, std::string& buffer, std::vector<DocumentPart>& parts) const;

  /// Appends the sentences of `text`, trimmed, none empty, as `lines()` says.
  void sentences(std::string_view text, std::vector<std::string_view>& sentences) const;

 private:
  struct File {
    std::string path;
    std::int64_t begin;  // of the file, where all files stand one after another
    std::int64_t size;
  };
  // Where a block begins (always with a byte of text), and the document that this is part of.
  struct Block {
    std::int64_t begin;
    std::uint64_t document : 63;
    std::uint64_t continued : 1;  // the document has begun before
  };
  struct Scan;

  Corpus() = default;
  [[nodiscard]] LineKind guess_lines() const;

  CorpusOptions options_;
  std::vector<File> files_;
  std::vector<Block> index_;
  std::vector<std::string> warnings_;
  std::int64_t documents_ = 0;
  std::int64_t bytes_ = 0;
  std::uint64_t fingerprint_ = 0;
  LineKind lines_ = LineKind::automatic;
};

}  // namespace cloze
