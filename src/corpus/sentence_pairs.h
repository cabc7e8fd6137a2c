/// \file
/// Documents of sentences → the segments of training sequences: pairs for next-sentence prediction,
/// as google-research/bert's create_pretraining_data cuts them, or single segments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/random_stream.h"

namespace cloze {

/// Documents as tokens: sentences one after another, none empty, and which belong to which
/// document.
struct TokenizedDocuments {
  /// A document, or a section of a long one, with its sentences [first, last), at least one.
  struct Part {
    std::int64_t document;
    std::size_t first, last;
  };

  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> bounds{0};  ///< sentence i is ids[bounds[i], bounds[i + 1])
  std::vector<Part> parts;

  /// Tokens of the sentences [first, last).
  [[nodiscard]] std::span<const std::int32_t> tokens(std::size_t first, std::size_t last) const {
    const auto begin = static_cast<std::size_t>(bounds[first]);
    return {ids.data() + begin, static_cast<std::size_t>(bounds[last]) - begin};
  }

  void clear();
};

struct SegmentOptions {
  std::int64_t max_length = 128;            ///< tokens of a sequence, special ones included
  double short_sequence_probability = 0.1;  ///< of a part to be cut to a random shorter length
};

/// Receives the segments of a sequence; `second` is empty for single ones.
using SegmentSink = std::function<void(std::span<const std::int32_t> first,
                                       std::span<const std::int32_t> second, bool random_next)>;

/// The pairs of part `index` by Google's rules (create_instances_from_document):
///  * sentences are collected until they have the target length (max_length - 3, or with
///    `short_sequence_probability`, drawn once a part, uniform from 2 to that) or the part ends;
///  * a random number of them, at least one and not all unless there is only one, is the first
///    segment;
///  * if there is only one, and half of the time, the second begins at a random sentence of another
///    document and fills the target length, and the sentences not used are put back; else the
///    second is the rest;
///  * a pair that is too long loses tokens of its longer segment, each at a random end, until it
///    fits.
/// The other document is a part drawn uniformly from those of `documents` that belong to another
/// document than `index`; where there is none, any other part; of a lone part, the part itself (as
/// Google's does after ten tries).
void cut_pairs(const TokenizedDocuments& documents, std::size_t index,
               const SegmentOptions& options, RandomStream& random, const SegmentSink& sink);

/// The single segments of part `index`: as many whole sentences as have at most the target length
/// (max_length - 2, or shorter as above), every sentence in exactly one segment. One that is longer
/// than the target but fits a sequence is a segment of its own. Sentences must fit a sequence.
void cut_single(const TokenizedDocuments& documents, std::size_t index,
                const SegmentOptions& options, RandomStream& random, const SegmentSink& sink);

}  // namespace cloze
