/// \file
/// Batches for pre-training from text files: sentences, pairs, masks and shuffling, made in
/// background threads, the same at any number of them (docs/pretraining-data.md).
///
///     auto corpus = Corpus::open(paths);
///     PretrainingData data(corpus, tokenizer, {.max_length = 128, .batch_tokens = 4096});
///     internal::PretrainingBatch batch;
///     while (data.next(batch)) train(batch), save(data.position());
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bert/training/pretraining.h"
#include "cloze/config.h"
#include "cloze/tokenizer.h"
#include "corpus/corpus.h"

namespace cloze {

/// What is made of the text. The defaults are those of google-research/bert's
/// create_pretraining_data, except that every epoch has masks and pairs of its own.
struct PretrainingDataOptions {
  std::int64_t max_length = 128;            ///< tokens of a sequence, special ones included
  bool next_sentence = true;                ///< pairs; else single sequences
  double short_sequence_probability = 0.1;  ///< of a document to be cut shorter than max_length
  double masked_probability = 0.15;         ///< of a sequence's tokens
  std::int64_t max_predictions = 0;         ///< masked tokens a sequence at most; 0: see below
  bool whole_words = false;                 ///< all pieces of a word are masked or none
  /// 0: every epoch has its own pairs and masks. D > 0: only D different epochs are made, over and
  /// over in a new order (Google's dupe_factor).
  std::int64_t duplicate_factor = 0;

  /// Batches of so many sequences, or, if 0, of at most `batch_tokens` tokens.
  std::int64_t batch_sequences = 0;
  std::int64_t batch_tokens = 4096;

  /// This share of the documents (at least two) is not trained on: `evaluation_set` is made of it.
  double held_out_share = 0;

  std::uint64_t seed = 0;
  std::int64_t epochs = 0;  ///< 0: without end
  int workers = 1;          ///< background threads; 0: `next` does the work itself
  /// Blocks of the corpus (16 KiB or more) that are mixed together. Sequences of one document come
  /// as far apart as a unit is long.
  std::int64_t unit_blocks = 64;
  bool held_out = false;  ///< the held-out documents instead of the others

  /// `max_predictions`, or what follows from length and probability: 20 for 128, 77 for 512.
  [[nodiscard]] std::int64_t predictions() const;
};

/// A place in the endless sequence of training examples: the next one to be delivered.
struct DataPosition {
  std::int64_t epoch = 0;
  std::int64_t unit = 0;      ///< below units_per_epoch()
  std::int64_t sequence = 0;  ///< of the unit, in its shuffled order
  friend bool operator==(const DataPosition&, const DataPosition&) = default;
};

/// What preparing has cost.
struct PreparationCost {
  std::int64_t text_bytes = 0;  ///< of the units made so far
  double cpu_seconds = 0;       ///< of the threads that made them
  double waited_seconds = 0;    ///< that `next` waited for a unit, the first one not counted
  std::int64_t waits = 0;       ///< how often, the first one not counted
  double first_wait_seconds = 0;
};

/// Throws ModelError when a model of `config` cannot be trained on such data: ids without an
/// embedding, sequences longer than its positions, pairs but one token type.
void require_fitting(const Tokenizer& tokenizer, const PretrainingDataOptions& options,
                     const BertConfig& config);

/// The stream of batches. One thread calls it. Batch after batch it delivers every sequence of
/// every unit of every epoch, none twice and none left out; a batch may reach over the end of an
/// epoch, and only the very last one is smaller for want of sequences.
class PretrainingData {
 public:
  /// Begins at `position`, in constant time. Throws ArgumentError (options or position that make no
  /// sense, too few documents for pairs or for holding some out), ModelError (no [MASK] in the
  /// vocabulary), FormatError (nothing but white space in the text).
  PretrainingData(const std::shared_ptr<const Corpus>& corpus, Tokenizer tokenizer,
                  const PretrainingDataOptions& options, const DataPosition& position = {});
  PretrainingData(const PretrainingData&) = delete;
  PretrainingData& operator=(const PretrainingData&) = delete;
  PretrainingData(PretrainingData&&) noexcept;
  PretrainingData& operator=(PretrainingData&&) noexcept;
  ~PretrainingData();

  /// Replaces `batch` by the next one, of at most `max_sequences` sequences unless that is 0; false
  /// when all `epochs` are through. Rethrows what a background thread threw (a file that has
  /// vanished).
  bool next(internal::PretrainingBatch& batch, std::int64_t max_sequences = 0);

  /// Of the first sequence that has not been delivered: begin there to go on after this batch.
  [[nodiscard]] DataPosition position() const;

  /// Goes on from there. Throws ArgumentError.
  void seek(const DataPosition& position);

  [[nodiscard]] const PretrainingDataOptions& options() const;
  [[nodiscard]] std::int64_t units_per_epoch() const;
  [[nodiscard]] std::int64_t documents() const;  ///< that are read: without (or only) the held out
  /// Estimated from a sample of the text.
  [[nodiscard]] std::int64_t tokens_per_epoch() const;

  /// Of all that the sequences and their order depend on: corpus, vocabulary and options, but for
  /// the size of batches, `epochs` and `workers`. A position means the same while it is the same.
  [[nodiscard]] std::uint64_t fingerprint() const;

  /// What a person should know, a sentence each: a vocabulary that does not fit the text, documents
  /// of one sentence.
  [[nodiscard]] const std::vector<std::string>& warnings() const;

  [[nodiscard]] PreparationCost cost() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Batches for evaluation, with masks that stay: of the held-out documents, or, where
/// `options.held_out_share` is 0, of all (a corpus of its own). At most `max_sequences` sequences,
/// spread over the documents; 0: all. Options as for training; their seed counts, their epochs and
/// position do not. Throws as the constructor of PretrainingData.
[[nodiscard]] std::vector<internal::PretrainingBatch> evaluation_set(
    const std::shared_ptr<const Corpus>& corpus, Tokenizer tokenizer,
    PretrainingDataOptions options, std::int64_t max_sequences = 0);

}  // namespace cloze
