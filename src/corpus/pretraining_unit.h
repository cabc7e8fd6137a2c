/// \file
/// The unit of preparing pre-training data: some blocks of a corpus, drawn from all over it, become
/// masked sequences in random order. Which ones is a function of (seed, epoch, unit) alone, so that
/// units can be made by any thread at any time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bert/training/pretraining.h"
#include "cloze/tokenizer.h"
#include "core/random_stream.h"
#include "corpus/corpus.h"
#include "corpus/masking.h"
#include "corpus/pretraining_data.h"
#include "corpus/sentence_pairs.h"

namespace cloze {

/// The documents of a corpus that are trained on, or those that are held out of it.
class DocumentSelection {
 public:
  /// Which documents are held out depends on their number and the share alone, not on a seed.
  /// Throws ArgumentError when too few are left on either side.
  DocumentSelection(std::shared_ptr<const Corpus> corpus, double held_out_share, bool held_out);

  [[nodiscard]] const Corpus& corpus() const { return *corpus_; }
  [[nodiscard]] std::int64_t documents() const { return documents_; }
  [[nodiscard]] bool contains(std::int64_t document) const;
  [[nodiscard]] bool any_of(Corpus::Documents range) const;

  /// Numbers of the blocks that hold any of the documents, ascending.
  [[nodiscard]] std::span<const std::uint32_t> blocks() const { return blocks_; }

 private:
  std::shared_ptr<const Corpus> corpus_;
  Permutation order_;
  std::uint64_t held_ = 0;  // documents that are held out: the first of `order_`
  bool held_out_;
  std::int64_t documents_ = 0;
  std::vector<std::uint32_t> blocks_;
};

/// Masked sequences, and the order in which they are delivered.
class PreparedUnit {
 public:
  [[nodiscard]] std::int64_t sequences() const {
    return static_cast<std::int64_t>(sequences_.size());
  }
  /// Tokens of the sequence at place `index` of the order.
  [[nodiscard]] std::int64_t length(std::int64_t index) const;
  /// Appends it to a batch.
  void append_to(internal::PretrainingBatch& batch, std::int64_t index) const;

  [[nodiscard]] std::int64_t tokens() const { return static_cast<std::int64_t>(ids_.size()); }
  [[nodiscard]] std::int64_t unknown() const { return unknown_; }  ///< of the text's tokens
  [[nodiscard]] std::int64_t text_bytes() const { return text_bytes_; }
  [[nodiscard]] double cpu_seconds() const { return cpu_seconds_; }
  /// Whether any document had more than one sentence.
  [[nodiscard]] bool several_sentences() const { return several_sentences_; }

 private:
  friend class UnitMaker;
  // Where a sequence begins in `ids_` and `positions_`; it ends where the next one begins.
  struct Sequence {
    std::uint32_t token, masked;
    std::uint32_t tokens, predictions;
    std::uint32_t second;  // tokens before the second segment
    bool random_next;
  };

  std::vector<Sequence> sequences_;      // in the order of delivery
  std::vector<std::int32_t> ids_;        // masked
  std::vector<std::int32_t> positions_;  // within a sequence
  std::vector<std::int32_t> labels_;
  bool pairs_ = false;
  std::int64_t text_bytes_ = 0, unknown_ = 0;
  double cpu_seconds_ = 0;
  bool several_sentences_ = false;
};

/// Makes units. Immutable; safe to use from many threads.
class UnitMaker {
 public:
  /// Throws as PretrainingData's constructor.
  UnitMaker(std::shared_ptr<const Corpus> corpus, Tokenizer tokenizer,
            const PretrainingDataOptions& options);

  [[nodiscard]] const PretrainingDataOptions& options() const { return options_; }
  [[nodiscard]] const Tokenizer& tokenizer() const { return tokenizer_; }
  [[nodiscard]] const DocumentSelection& selection() const { return selection_; }
  [[nodiscard]] std::int64_t units_per_epoch() const { return units_; }

  /// Gives up early, with part of the unit, once `stop` is true.
  [[nodiscard]] PreparedUnit make(std::int64_t epoch, std::int64_t unit,
                                  const std::atomic<bool>& stop) const;

  /// A unit of blocks spread evenly over the corpus, to look at.
  [[nodiscard]] PreparedUnit sample() const;

 private:
  [[nodiscard]] PreparedUnit make_of(std::span<const std::uint32_t> blocks, RandomStream random,
                                     const std::atomic<bool>& stop) const;
  struct Reader;
  void add_other_document(Reader& reader, RandomStream& random) const;
  void make_sequences(const TokenizedDocuments& documents, std::size_t parts, RandomStream& random,
                      PreparedUnit& unit) const;

  PretrainingDataOptions options_;
  Tokenizer tokenizer_;
  DocumentSelection selection_;
  MaskableVocabulary vocabulary_;
  std::int64_t units_;
};

}  // namespace cloze
