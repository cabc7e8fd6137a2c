/// \file
/// Feature extraction: the hidden states of a BERT for each token of a text, as transformers'
/// `FeatureExtractionPipeline` gives them, of any layers, pooled on request. For sentence vectors
/// see sentence_transformer.h.
///
///     const auto extract = cloze::FeatureExtractionPipeline::from_pretrained("bert-base-uncased");
///     const std::vector<std::string> texts{"Hello, my dog is cute"};
///     const auto features = extract(texts);       // features[0].vectors: [tokens, 768]
///     const auto last_four = extract(texts, {.layers = {-1, -2, -3, -4}});
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cloze/pipeline.h"
#include "cloze/pooling.h"
#include "cloze/tensor.h"

#pragma GCC visibility push(default)
namespace cloze {

/// Which hidden states become vectors, and how.
struct FeatureExtractionOptions {
  /// Which hidden states, as indices of transformers' `hidden_states`: 0 the embeddings, -1 the
  /// last layer. Several are concatenated.
  std::vector<std::int64_t> layers{-1};
  Pooling pooling = Pooling::none;  ///< one vector a text instead of one a token
  bool normalize = false;           ///< scale every vector to length 1
  TextLimits limits{};
};

/// What the model makes of one text.
struct TextFeatures {
  std::vector<std::int32_t> ids{};  ///< its tokens: tokenizer().id_to_token names them
  Tensor vectors{};                 ///< f32 [tokens, columns]; [1, columns] with a pooling
};

/// Texts to vectors of their tokens; immutable, and safe to share between threads.
class FeatureExtractionPipeline : public Pipeline<BertModel> {
 public:
  /// Throws as Pipeline does.
  [[nodiscard]] static FeatureExtractionPipeline from_pretrained(
      const std::filesystem::path& directory_or_name, const PipelineOptions& options = {});
  FeatureExtractionPipeline(BertModel model, Tokenizer tokenizer, std::int64_t batch_tokens = 8192);

  /// The features of each text or pair. Throws ArgumentError for a layer that the model does not
  /// have and for other layers than the last with the pooler, ModelError for a missing pooler,
  /// TextTooLong, Cancelled.
  [[nodiscard]] std::vector<TextFeatures> operator()(const Texts& texts,
                                                     const FeatureExtractionOptions& options = {},
                                                     const ProgressCallback& progress = {}) const;

  /// Columns of the vectors: the hidden size times the number of layers.
  [[nodiscard]] std::int64_t columns(const FeatureExtractionOptions& options = {}) const;

 private:
  FeatureExtractionPipeline(const std::filesystem::path& directory_or_name,
                            const PipelineOptions& options);
};

}  // namespace cloze

#pragma GCC visibility pop
