/// \file
/// From the vectors of tokens to a sentence's, in ONNX: sentence/pooling.h and sentence/dense.h on
/// padded batches.
#pragma once

#include <cstdint>

#include "cloze/sentence_settings.h"
#include "formats/onnx/onnx_graph.h"

namespace cloze {

struct OnnxSentence {
  OnnxValue value;         ///< [B, width]
  std::int64_t width = 0;  ///< columns
};

/// Poolings, the modules after them and the columns that are kept as `settings` say, of hidden_states [B, L, hidden] and
/// attention_mask [B, L], where padding is on the right. Throws as read_dense, and ModelError where
/// a Dense module does not fit what is before it.
OnnxSentence embed_sentences(OnnxGraph& graph, const OnnxValue& hidden_states,
                             const OnnxValue& attention_mask, std::int64_t hidden,
                             const SentenceSettings& settings);

}  // namespace cloze
