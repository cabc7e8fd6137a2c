#include "cloze/feature_extraction.h"

#include <utility>

#include "core/progress_counter.h"
#include "pipelines/batches.h"
#include "sentence/embedder.h"

namespace cloze {
namespace {

Embedder embedder_of(const FeatureExtractionPipeline& pipeline,
                     const FeatureExtractionOptions& options) {
  return {pipeline.model(),
          {.poolings = {options.pooling},
           .normalize = options.normalize,
           .layers = options.layers,
           .batch_tokens = pipeline.batch_tokens()}};
}

}  // namespace

FeatureExtractionPipeline::FeatureExtractionPipeline(BertModel model, Tokenizer tokenizer,
                                                     std::int64_t batch_tokens)
    : Pipeline(std::move(model), std::move(tokenizer), batch_tokens) {}

FeatureExtractionPipeline::FeatureExtractionPipeline(const std::filesystem::path& directory_or_name,
                                                     const PipelineOptions& options)
    : Pipeline(directory_or_name, options) {}

FeatureExtractionPipeline FeatureExtractionPipeline::from_pretrained(
    const std::filesystem::path& directory_or_name, const PipelineOptions& options) {
  return {directory_or_name, options};
}

std::vector<TextFeatures> FeatureExtractionPipeline::operator()(
    const Texts& texts, const FeatureExtractionOptions& options,
    const ProgressCallback& progress) const {
  const auto embedder = embedder_of(*this, options);
  auto sequences = internal::tokenize(tokenizer(), texts, options.limits, max_length());
  ProgressCounter counter(progress, "encoding", static_cast<std::int64_t>(texts.size()), "texts");
  const auto on_batch = [&](std::span<const std::size_t> done) {
    counter.advance(static_cast<std::int64_t>(done.size()));
  };
  std::vector<TextFeatures> features(texts.size());
  if (options.pooling == Pooling::none) {
    auto states = embedder.embed_tokens(sequences, on_batch);
    for (std::size_t i = 0; i < features.size(); ++i) features[i].vectors = std::move(states[i]);
  } else {
    const auto vectors = embedder.embed(sequences, on_batch);
    for (std::size_t i = 0; i < features.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i);
      features[i].vectors = vectors.rows(row, row + 1);
    }
  }
  for (std::size_t i = 0; i < features.size(); ++i) features[i].ids = std::move(sequences[i].ids);
  return features;
}

std::int64_t FeatureExtractionPipeline::columns(const FeatureExtractionOptions& options) const {
  return embedder_of(*this, options).columns();
}

}  // namespace cloze
