#include "corpus/pretraining_data.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/fingerprint.h"
#include "core/ordered_prefetch.h"
#include "corpus/pretraining_unit.h"
#include "datasets/batching.h"

namespace cloze {
namespace {

void clear(internal::PretrainingBatch& batch) {
  batch.inputs.clear();
  batch.masked_positions.clear();
  batch.masked_labels.clear();
  batch.next_sentence_labels.clear();
}

std::uint64_t fingerprint_of(const Corpus& corpus, const Tokenizer& tokenizer,
                             const PretrainingDataOptions& options) {
  Fingerprint fingerprint;
  fingerprint.add(corpus.fingerprint());
  for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    fingerprint.add(tokenizer.id_to_token(id));
  }
  fingerprint.add(tokenizer.do_lower_case())
      .add(options.max_length)
      .add(options.next_sentence)
      .add(options.short_sequence_probability)
      .add(options.masked_probability)
      .add(options.predictions())
      .add(options.whole_words)
      .add(options.duplicate_factor)
      .add(options.held_out_share)
      .add(options.seed)
      .add(options.unit_blocks)
      .add(options.held_out);
  return fingerprint.value();
}

}  // namespace

void require_fitting(const Tokenizer& tokenizer, const PretrainingDataOptions& options,
                     const BertConfig& config) {
  require_same_vocabulary(tokenizer, config);
  if (options.max_length > config.max_position_embeddings) {
    throw ModelError(fmt::format(
        "sequences of {} tokens are longer than the model reads ({}, max_position_embeddings)",
        options.max_length, config.max_position_embeddings));
  }
  if (options.next_sentence && config.type_vocab_size < 2) {
    throw ModelError(fmt::format(
        "next-sentence prediction needs two token types and the model has {} (type_vocab_size)",
        config.type_vocab_size));
  }
}

struct PretrainingData::Impl {
  UnitMaker maker;
  std::int64_t units;  // an epoch
  std::int64_t end;    // the number of units in all
  std::int64_t tokens_per_epoch = 0;
  std::uint64_t fingerprint;
  std::vector<std::string> warnings;

  std::int64_t number = 0;    // of the unit that the next sequence is of, counted over epochs
  std::int64_t sequence = 0;  // in it
  std::optional<PreparedUnit> unit;
  std::int64_t empty_units = 0;  // seen one after another
  PreparationCost before;        // of prefetching that has ended, and of units
  std::optional<OrderedPrefetch<PreparedUnit>> prefetch;

  Impl(const std::shared_ptr<const Corpus>& corpus, Tokenizer tokenizer,
       const PretrainingDataOptions& options)
      : maker(corpus, std::move(tokenizer), options),
        units(maker.units_per_epoch()),
        end(std::numeric_limits<std::int64_t>::max()),
        fingerprint(fingerprint_of(*corpus, maker.tokenizer(), maker.options())) {
    if (options.epochs > 0 && options.epochs < end / units) end = options.epochs * units;
    look();
  }

  // Looks at a sample of the text.
  void look() {
    const auto sample = maker.sample();
    const auto& corpus = maker.selection().corpus();
    warnings = corpus.warnings();
    if (sample.sequences() == 0) return;
    const auto share =
        static_cast<double>(sample.tokens()) / static_cast<double>(sample.text_bytes());
    const auto documents = static_cast<double>(maker.selection().documents()) /
                           static_cast<double>(corpus.documents());
    tokens_per_epoch =
        static_cast<std::int64_t>(share * documents * static_cast<double>(corpus.bytes()));
    const auto unknown =
        static_cast<double>(sample.unknown()) / static_cast<double>(sample.tokens());
    if (unknown > 0.1) {
      warnings.push_back(fmt::format(
          "{:.0f} % of the text's tokens are unknown to the vocabulary: it does not fit the text",
          100 * unknown));
    }
    if (maker.options().next_sentence && !sample.several_sentences()) {
      warnings.emplace_back(
          "the documents have one sentence each, so that every second segment is a random one and "
          "next-sentence prediction has nothing to learn: part documents by blank lines, not "
          "sentences, or train without it");
    }
  }

  // Loads the unit of the next sequence; false at the end.
  bool load() {
    while (!unit || sequence >= unit->sequences()) {
      if (unit) {
        if (sequence > unit->sequences()) {
          throw ArgumentError(
              fmt::format("sequence {} of unit {} does not exist: the position is of other data",
                          sequence, number % units));
        }
        ++number;
        sequence = 0;
        unit.reset();
      }
      if (number >= end) return false;
      if (!prefetch) start();
      unit.emplace(prefetch->next());
      before.text_bytes += unit->text_bytes();
      before.cpu_seconds += unit->cpu_seconds();
      empty_units = unit->sequences() == 0 ? empty_units + 1 : 0;
      if (empty_units > units) {
        throw FormatError(fmt::format(
            "nothing is left of the text ({} bytes) once it is tokenized: it holds no words",
            maker.selection().corpus().bytes()));
      }
    }
    return true;
  }

  void start() {
    const auto workers = maker.options().workers;
    prefetch.emplace(
        [this](std::int64_t n, const std::atomic<bool>& stop) {
          return maker.make(n / units, n % units, stop);
        },
        OrderedPrefetch<PreparedUnit>::Range{number, end}, workers, workers + 1);
  }

  void stop() {
    before = cost();
    prefetch.reset();
  }

  [[nodiscard]] PreparationCost cost() const {
    auto all = before;
    if (prefetch) {
      all.waited_seconds += prefetch->waited();
      all.first_wait_seconds += prefetch->first_wait();
      all.waits += prefetch->waits();
    }
    return all;
  }
};

PretrainingData::PretrainingData(const std::shared_ptr<const Corpus>& corpus, Tokenizer tokenizer,
                                 const PretrainingDataOptions& options,
                                 const DataPosition& position)
    : impl_(std::make_unique<Impl>(corpus, std::move(tokenizer), options)) {
  seek(position);
}

PretrainingData::PretrainingData(PretrainingData&&) noexcept = default;
PretrainingData& PretrainingData::operator=(PretrainingData&&) noexcept = default;
PretrainingData::~PretrainingData() = default;

bool PretrainingData::next(internal::PretrainingBatch& batch, std::int64_t max_sequences) {
  clear(batch);
  auto& data = *impl_;
  const auto& options = data.maker.options();
  auto most = options.batch_sequences > 0 ? options.batch_sequences
                                          : std::numeric_limits<std::int64_t>::max();
  if (max_sequences > 0) most = std::min(most, max_sequences);
  while (batch.inputs.sequences() < most && data.load()) {
    const bool full =
        batch.inputs.total_tokens() + data.unit->length(data.sequence) > options.batch_tokens;
    if (options.batch_sequences == 0 && full && batch.inputs.sequences() > 0) break;
    data.unit->append_to(batch, data.sequence++);
  }
  return batch.inputs.sequences() > 0;
}

DataPosition PretrainingData::position() const {
  const auto& data = *impl_;
  // A unit that has been delivered whole is left behind.
  const bool done = data.unit && data.sequence == data.unit->sequences();
  const auto number = data.number + (done ? 1 : 0);
  return {number / data.units, number % data.units, done ? 0 : data.sequence};
}

void PretrainingData::seek(const DataPosition& position) {
  auto& data = *impl_;
  const auto& [epoch, unit, sequence] = position;
  if (epoch < 0 || epoch > std::numeric_limits<std::int64_t>::max() / data.units - 1 || unit < 0 ||
      unit >= data.units || sequence < 0) {
    throw ArgumentError(
        fmt::format("there is no sequence {} of unit {} in epoch {}: an epoch has {} units, and "
                    "the position is of other data",
                    sequence, unit, epoch, data.units));
  }
  data.stop();
  data.unit.reset();
  data.number = epoch * data.units + unit;
  data.sequence = sequence;
  data.empty_units = 0;
}

const PretrainingDataOptions& PretrainingData::options() const { return impl_->maker.options(); }
std::int64_t PretrainingData::units_per_epoch() const { return impl_->units; }
std::int64_t PretrainingData::documents() const { return impl_->maker.selection().documents(); }
std::int64_t PretrainingData::tokens_per_epoch() const { return impl_->tokens_per_epoch; }
std::uint64_t PretrainingData::fingerprint() const { return impl_->fingerprint; }
const std::vector<std::string>& PretrainingData::warnings() const { return impl_->warnings; }
PreparationCost PretrainingData::cost() const { return impl_->cost(); }

std::vector<internal::PretrainingBatch> evaluation_set(const std::shared_ptr<const Corpus>& corpus,
                                                       Tokenizer tokenizer,
                                                       PretrainingDataOptions options,
                                                       std::int64_t max_sequences) {
  options.held_out = options.held_out_share > 0;
  options.epochs = 1;
  options.workers = 0;
  PretrainingData data(corpus, std::move(tokenizer), options);
  std::vector<internal::PretrainingBatch> batches;
  std::int64_t sequences = 0;
  internal::PretrainingBatch batch;
  while ((max_sequences == 0 || sequences < max_sequences) &&
         data.next(batch, max_sequences == 0 ? 0 : max_sequences - sequences)) {
    sequences += batch.inputs.sequences();
    batches.push_back(batch);
  }
  return batches;
}

}  // namespace cloze
