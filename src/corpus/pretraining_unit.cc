#include "corpus/pretraining_unit.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze {
namespace {

// What random numbers are for: each purpose has its own, independent of the others'.
enum class Purpose : std::uint64_t { blocks = 0xDA7A0001, units, content, order, sample };

std::uint64_t seed_of(std::uint64_t seed, Purpose purpose, std::int64_t epoch) {
  const auto words =
      Philox(seed, static_cast<std::uint64_t>(purpose)).block(static_cast<std::uint64_t>(epoch));
  return static_cast<std::uint64_t>(words[0]) << 32U | words[1];
}

double thread_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

template <class... Values>
void require(bool holds, fmt::format_string<Values...> message, Values&&... values) {
  if (!holds) throw ArgumentError(fmt::format(message, std::forward<Values>(values)...));
}

PretrainingDataOptions checked(PretrainingDataOptions options) {
  const std::int64_t least = options.next_sentence ? 5 : 3;
  require(options.max_length >= least && options.max_length <= (1 << 20),
          "sequences of {} tokens: take {} to {}", options.max_length, least, 1 << 20);
  require(options.short_sequence_probability >= 0 && options.short_sequence_probability <= 1,
          "the probability of short sequences is {} and must lie in [0, 1]",
          options.short_sequence_probability);
  require(options.max_predictions >= 0, "there cannot be {} predictions a sequence",
          options.max_predictions);
  require(options.duplicate_factor >= 0, "there cannot be {} versions of the data",
          options.duplicate_factor);
  require(options.batch_sequences >= 0, "there cannot be {} sequences in a batch",
          options.batch_sequences);
  require(options.batch_sequences > 0 || options.batch_tokens >= options.max_length,
          "batches of {} tokens cannot hold a sequence of {}: take at least as many",
          options.batch_tokens, options.max_length);
  require(options.unit_blocks >= 1 && options.unit_blocks <= (1 << 16),
          "units of {} blocks: take 1 to {}", options.unit_blocks, 1 << 16);
  require(options.workers >= 0 && options.workers <= 1024, "there cannot be {} background threads",
          options.workers);
  require(options.epochs >= 0, "there cannot be {} epochs", options.epochs);
  options.max_predictions = options.predictions();
  return options;
}

MaskingOptions masking(const PretrainingDataOptions& options) {
  return {.probability = options.masked_probability,
          .max_predictions = options.predictions(),
          .whole_words = options.whole_words};
}

}  // namespace

std::int64_t PretrainingDataOptions::predictions() const {
  if (max_predictions > 0) return max_predictions;
  // A hair less, so that 0.15 * 100 = 15.000000000000002 is 15.
  const auto length = static_cast<double>(max_length);
  const double wanted = std::ceil(length * masked_probability - 1e-9);
  if (!(wanted < length))
    return std::max<std::int64_t>(1, max_length);  // or what is no probability
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::max(0.0, wanted)));
}

DocumentSelection::DocumentSelection(std::shared_ptr<const Corpus> corpus, double held_out_share,
                                     bool held_out)
    : corpus_(std::move(corpus)),
      order_(static_cast<std::uint64_t>(corpus_->documents()), 0, 0x0E1D0075),
      held_out_(held_out) {
  const auto all = corpus_->documents();
  if (!(held_out_share >= 0 && held_out_share < 1)) {
    throw ArgumentError(fmt::format("the share of held-out documents is {} and must lie in [0, 1)",
                                    held_out_share));
  }
  if (held_out_share > 0) {
    const auto wanted = std::llround(held_out_share * static_cast<double>(all));
    held_ = static_cast<std::uint64_t>(std::max<std::int64_t>(2, wanted));
    if (all - static_cast<std::int64_t>(held_) < 2) {
      throw ArgumentError(fmt::format(
          "the text has {} document{}, of which two at least are to be held out and two to be "
          "trained on: part documents by blank lines, or evaluate on files of their own",
          all, all == 1 ? "" : "s"));
    }
  } else if (held_out) {
    throw ArgumentError("no share of the documents is held out, so there is nothing to evaluate");
  }
  const auto held = static_cast<std::int64_t>(held_);
  documents_ = held_out ? held : all - held;
  for (std::int64_t block = 0; block < corpus_->blocks(); ++block) {
    if (any_of(corpus_->documents_of(block))) blocks_.push_back(static_cast<std::uint32_t>(block));
  }
}

bool DocumentSelection::contains(std::int64_t document) const {
  if (held_ == 0) return true;
  return (order_(static_cast<std::uint64_t>(document)) < held_) == held_out_;
}

bool DocumentSelection::any_of(Corpus::Documents range) const {
  for (auto document = range.first; document <= range.last; ++document) {
    if (contains(document)) return true;
  }
  return false;
}

std::int64_t PreparedUnit::length(std::int64_t index) const {
  return sequences_[static_cast<std::size_t>(index)].tokens;
}

void PreparedUnit::append_to(internal::PretrainingBatch& batch, std::int64_t index) const {
  const auto& sequence = sequences_[static_cast<std::size_t>(index)];
  auto& inputs = batch.inputs;
  const auto begin = static_cast<std::int32_t>(inputs.total_tokens());
  const auto* const ids = ids_.data() + sequence.token;
  inputs.input_ids.insert(inputs.input_ids.end(), ids, ids + sequence.tokens);
  const auto end = inputs.input_ids.size();
  inputs.token_type_ids.resize(static_cast<std::size_t>(begin) + sequence.second, 0);
  inputs.token_type_ids.resize(end, 1);
  for (std::uint32_t i = 0; i < sequence.tokens; ++i) {
    inputs.position_ids.push_back(static_cast<std::int32_t>(i));
  }
  inputs.cu_seqlens.push_back(static_cast<std::int32_t>(end));
  for (std::uint32_t i = 0; i < sequence.predictions; ++i) {
    batch.masked_positions.push_back(begin + positions_[sequence.masked + i]);
    batch.masked_labels.push_back(labels_[sequence.masked + i]);
  }
  if (pairs_) batch.next_sentence_labels.push_back(sequence.random_next ? 1 : 0);
}

UnitMaker::UnitMaker(std::shared_ptr<const Corpus> corpus, Tokenizer tokenizer,
                     const PretrainingDataOptions& options)
    : options_(checked(options)),
      tokenizer_(std::move(tokenizer)),
      selection_(std::move(corpus), options.held_out_share, options.held_out),
      vocabulary_(tokenizer_) {
  const Masker probe(vocabulary_, masking(options_));  // checks the masking's options
  if (options_.next_sentence && selection_.documents() < 2) {
    throw ArgumentError(
        "the text is a single document, and next-sentence prediction takes random sentences from "
        "another one: part documents by blank lines, give each a file of its own, or train "
        "without next-sentence prediction");
  }
  const auto blocks = static_cast<std::int64_t>(selection_.blocks().size());
  units_ = (blocks + options_.unit_blocks - 1) / options_.unit_blocks;
}

// Text → tokens.
struct UnitMaker::Reader {
  explicit Reader(const UnitMaker& from) : maker(from) {}

  const UnitMaker& maker;
  Batch tokens;  // sentences one after another
  TokenizedDocuments documents;
  std::int64_t text_bytes = 0;

  // The selected documents of a block, but for document `except`.
  void read(std::int64_t block, std::int64_t except = -1) {
    maker.selection_.corpus().read(block, buffer_, parts_);
    for (const auto& part : parts_) {
      if (part.document == except || !maker.selection_.contains(part.document)) continue;
      text_bytes += static_cast<std::int64_t>(part.text.size());
      sentences_.clear();
      maker.selection_.corpus().sentences(part.text, sentences_);
      const auto first = tokens.cu_seqlens.size() - 1;
      for (const auto sentence : sentences_) add(sentence);
      const auto last = tokens.cu_seqlens.size() - 1;
      if (last > first) documents.parts.push_back({part.document, first, last});
    }
  }

  // To be called once all is read.
  void finish() {
    documents.ids = std::move(tokens.input_ids);
    documents.bounds = std::move(tokens.cu_seqlens);
  }

 private:
  void add(std::string_view sentence) {
    static constexpr EncodeOptions options{.add_special_tokens = false};
    maker.tokenizer_.append_to(tokens, sentence, options);
    auto& bounds = tokens.cu_seqlens;
    const auto end = bounds.back();
    bounds.pop_back();
    const auto begin = bounds.back();
    const auto length = end - begin;
    if (length == 0) return;  // characters that the tokenizer drops
    // A sentence too long for a sequence (text without full stops) would mostly be cut off: it
    // becomes several of even length, two of which fit into a pair.
    const bool pairs = maker.options_.next_sentence;
    const auto room = static_cast<std::int32_t>(maker.options_.max_length - (pairs ? 3 : 2));
    const auto most = pairs ? room / 2 : room;
    const std::int64_t pieces = length <= room ? 1 : (length + most - 1) / most;
    for (std::int64_t piece = 1; piece <= pieces; ++piece) {
      bounds.push_back(begin + static_cast<std::int32_t>(length * piece / pieces));
    }
  }

  std::string buffer_;
  std::vector<DocumentPart> parts_;
  std::vector<std::string_view> sentences_;
};

PreparedUnit UnitMaker::make(std::int64_t epoch, std::int64_t unit,
                             const std::atomic<bool>& stop) const {
  const auto content = options_.duplicate_factor > 0 ? epoch % options_.duplicate_factor : epoch;
  const auto seed = options_.seed;
  // Which unit of this content comes at this place of the epoch, and its blocks.
  const Permutation units(static_cast<std::uint64_t>(units_), seed_of(seed, Purpose::units, epoch),
                          0);
  const auto drawn = static_cast<std::int64_t>(units(static_cast<std::uint64_t>(unit)));
  const auto all = selection_.blocks();
  const auto count = static_cast<std::int64_t>(all.size());
  const Permutation order(all.size(), seed_of(seed, Purpose::blocks, content), 0);
  std::vector<std::uint32_t> blocks;
  for (auto i = drawn * count / units_; i < (drawn + 1) * count / units_; ++i) {
    blocks.push_back(all[order(static_cast<std::uint64_t>(i))]);
  }
  auto made = make_of(
      blocks,
      RandomStream(seed_of(seed, Purpose::content, content), static_cast<std::uint64_t>(drawn)),
      stop);
  RandomStream(seed_of(seed, Purpose::order, epoch), static_cast<std::uint64_t>(drawn))
      .shuffle(std::span(made.sequences_));
  return made;
}

PreparedUnit UnitMaker::sample() const {
  const auto all = selection_.blocks();
  const auto count = std::min<std::size_t>(all.size(), 16);
  std::vector<std::uint32_t> blocks;
  for (std::size_t i = 0; i < count; ++i) blocks.push_back(all[i * all.size() / count]);
  return make_of(blocks, RandomStream(options_.seed, static_cast<std::uint64_t>(Purpose::sample)),
                 false);
}

PreparedUnit UnitMaker::make_of(std::span<const std::uint32_t> blocks, RandomStream random,
                                const std::atomic<bool>& stop) const {
  const auto begin = thread_seconds();
  Reader reader(*this);
  for (const auto block : blocks) {
    if (stop) return {};
    reader.read(block);
  }
  const auto& parts = reader.documents.parts;
  const auto own = parts.size();
  PreparedUnit unit;
  unit.pairs_ = options_.next_sentence;
  unit.text_bytes_ = reader.text_bytes;
  unit.several_sentences_ = std::any_of(
      parts.begin(), parts.end(), [](const auto& part) { return part.last - part.first > 1; });
  unit.unknown_ = std::count(reader.tokens.input_ids.begin(), reader.tokens.input_ids.end(),
                             tokenizer_.unk_token_id());
  if (options_.next_sentence && own > 0) add_other_document(reader, random);
  reader.finish();
  if (!stop) make_sequences(reader.documents, own, random, unit);
  unit.cpu_seconds_ = thread_seconds() - begin;
  return unit;
}

// Where all parts are of one document (a long one, in a small corpus), random sentences come from a
// block from elsewhere.
void UnitMaker::add_other_document(Reader& reader, RandomStream& random) const {
  const auto& parts = reader.documents.parts;
  const auto own = parts.size();
  const auto document = parts.front().document;
  const bool alone = std::all_of(parts.begin(), parts.end(),
                                 [&](const auto& part) { return part.document == document; });
  if (!alone) return;
  const auto all = selection_.blocks();
  const auto start = random.below(static_cast<std::uint32_t>(all.size()));
  for (std::size_t i = 0; i < all.size() && parts.size() == own; ++i) {
    const auto block = all[(start + i) % all.size()];
    const auto range = selection_.corpus().documents_of(block);
    if (range.first == document && range.last == document) continue;
    reader.read(block, document);
  }
}

void UnitMaker::make_sequences(const TokenizedDocuments& documents, std::size_t parts,
                               RandomStream& random, PreparedUnit& unit) const {
  Masker masker(vocabulary_, masking(options_));
  const SegmentOptions segments{options_.max_length, options_.short_sequence_probability};
  auto& ids = unit.ids_;
  ids.reserve(documents.ids.size() + documents.ids.size() / 16);
  const SegmentSink sink = [&](std::span<const std::int32_t> first,
                               std::span<const std::int32_t> second, bool random_next) {
    PreparedUnit::Sequence sequence{};
    sequence.token = static_cast<std::uint32_t>(ids.size());
    sequence.masked = static_cast<std::uint32_t>(unit.positions_.size());
    sequence.random_next = random_next;
    ids.push_back(vocabulary_.cls());
    ids.insert(ids.end(), first.begin(), first.end());
    ids.push_back(vocabulary_.sep());
    sequence.second = static_cast<std::uint32_t>(ids.size()) - sequence.token;
    if (options_.next_sentence) {
      ids.insert(ids.end(), second.begin(), second.end());
      ids.push_back(vocabulary_.sep());
    }
    sequence.tokens = static_cast<std::uint32_t>(ids.size()) - sequence.token;
    masker.mask(std::span(ids).subspan(sequence.token), random, unit.positions_, unit.labels_);
    sequence.predictions = static_cast<std::uint32_t>(unit.positions_.size()) - sequence.masked;
    unit.sequences_.push_back(sequence);
  };
  for (std::size_t part = 0; part < parts; ++part) {
    if (options_.next_sentence) {
      cut_pairs(documents, part, segments, random, sink);
    } else {
      cut_single(documents, part, segments, random, sink);
    }
  }
}

}  // namespace cloze
