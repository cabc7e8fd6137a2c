#include "cloze/sentence_transformer.h"

#include <algorithm>
#include <utility>

#include "cloze/error.h"
#include "cloze/hub.h"
#include "cloze/sentence_settings.h"
#include "cloze/similarity.h"
#include "core/progress_counter.h"
#include "pipelines/batches.h"
#include "sentence/embedder.h"

namespace cloze {

struct SentenceTransformer::Impl {
  Tokenizer tokenizer;
  Embedder embedder;
  std::int64_t max_length = 0;
  bool states_max_length = false;
};

namespace {

EmbedOptions embed_options(const SentenceTransformerOptions& options,
                           const SentenceSettings& settings) {
  EmbedOptions embed{.pooling = options.pooling.value_or(settings.pooling),
                     .normalize = options.normalize.value_or(settings.normalize),
                     .layers = options.layers,
                     .batch_tokens = options.pipeline.batch_tokens};
  if (embed.pooling == Pooling::none) {
    throw ArgumentError(
        "a sentence vector needs a pooling: FeatureExtractionPipeline gives the tokens' vectors");
  }
  for (const auto& dense : settings.dense) embed.dense.push_back(Dense::from_pretrained(dense));
  return embed;
}

}  // namespace

SentenceTransformer::SentenceTransformer(std::shared_ptr<const Impl> impl)
    : impl_(std::move(impl)) {}

SentenceTransformer::SentenceTransformer(BertModel model, Tokenizer tokenizer,
                                         const SentenceTransformerOptions& options) {
  require_same_vocabulary(tokenizer, model.config());
  const auto reads = model.config().max_position_embeddings;
  impl_ = std::make_shared<const Impl>(
      Impl{std::move(tokenizer), Embedder(std::move(model), embed_options(options, {})), reads});
}

SentenceTransformer SentenceTransformer::from_pretrained(
    const std::filesystem::path& directory_or_name, const SentenceTransformerOptions& options) {
  const auto root = find_model(directory_or_name.string(), options.pipeline.progress);
  const auto directory = transformer_directory(root);
  SentenceSettings settings;
  if (!options.pooling) settings = sentence_settings(root).value_or(settings);
  auto embed = embed_options(options, settings);
  auto tokenizer = Tokenizer::from_pretrained(directory);
  auto model = BertModel::from_pretrained(directory, options.pipeline.load);
  require_same_vocabulary(tokenizer, model.config());
  const auto reads = model.config().max_position_embeddings;
  return SentenceTransformer(std::make_shared<const Impl>(
      Impl{.tokenizer = std::move(tokenizer),
           .embedder = Embedder(std::move(model), std::move(embed)),
           .max_length = std::min(reads, settings.max_seq_length.value_or(reads)),
           .states_max_length = settings.max_seq_length.has_value()}));
}

Tensor SentenceTransformer::encode(const Texts& texts, const SentenceEncodeOptions& options,
                                   const ProgressCallback& progress) const {
  const TextLimits limits{
      .max_length = options.max_length > 0 ? options.max_length : impl_->max_length,
      .truncate = options.truncate.value_or(impl_->states_max_length),
      .name = options.name};
  const auto sequences =
      internal::tokenize(impl_->tokenizer, texts, limits, config().max_position_embeddings);
  ProgressCounter counter(progress, "encoding", static_cast<std::int64_t>(texts.size()), "texts");
  return impl_->embedder.embed(sequences, [&](std::span<const std::size_t> done) {
    counter.advance(static_cast<std::int64_t>(done.size()));
  });
}

// NOLINTNEXTLINE(readability-convert-member-functions-to-static): as sentence-transformers has it
Tensor SentenceTransformer::similarity(const Tensor& a, const Tensor& b) const {
  return cosine_similarity(a, b);
}

std::int64_t SentenceTransformer::dimension() const { return impl_->embedder.columns(); }

std::int64_t SentenceTransformer::max_length() const { return impl_->max_length; }

Pooling SentenceTransformer::pooling() const { return impl_->embedder.options().pooling; }

bool SentenceTransformer::normalizes() const { return impl_->embedder.options().normalize; }

const Tokenizer& SentenceTransformer::tokenizer() const { return impl_->tokenizer; }

const BertConfig& SentenceTransformer::config() const { return impl_->embedder.model().config(); }

}  // namespace cloze
