#include "cloze/sentence_transformer.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "cloze/hub.h"
#include "cloze/sentence_settings.h"
#include "core/io/files.h"
#include "core/progress_counter.h"
#include "pipelines/batches.h"
#include "pipelines/prompted.h"
#include "pipelines/token_limit.h"
#include "pipelines/warnings.h"
#include "sentence/embedder.h"
#include "sentence/lower_case.h"
#include "sentence/text_settings.h"

namespace cloze {

struct SentenceTransformer::Impl {
  Tokenizer tokenizer;
  Embedder embedder;
  std::int64_t max_length = 0;
  bool truncates = false;  ///< unless told otherwise
  bool include_prompt = true;
  Prompts prompts{};
  SimilarityFunction similarity_fn = SimilarityFunction::cosine;
  std::vector<std::string> warnings{};
};

namespace {

EmbedOptions embed_options(const SentenceTransformerOptions& options,
                           const SentenceSettings& settings) {
  EmbedOptions embed{.poolings = settings.poolings,
                     .truncate_dim = settings.truncate_dim,
                     .normalize = options.normalize.value_or(false),
                     .layers = options.layers,
                     .batch_tokens = options.pipeline.batch_tokens};
  if (options.pooling) embed.poolings = {*options.pooling};
  if (options.truncate_dim) embed.truncate_dim = options.truncate_dim;
  if (embed.poolings.front() == Pooling::none) {
    throw ArgumentError(
        "a sentence vector needs a pooling: FeatureExtractionPipeline gives the tokens' vectors");
  }
  auto steps = settings.steps;
  if (options.normalize == false) {
    while (!steps.empty() && steps.back().kind == SentenceStep::Kind::normalize) steps.pop_back();
  }
  embed.steps = std::move(steps);
  return embed;
}

}  // namespace

SentenceTransformer::SentenceTransformer(std::shared_ptr<const Impl> impl)
    : impl_(std::move(impl)) {}

SentenceTransformer::SentenceTransformer(BertModel model, Tokenizer tokenizer,
                                         const SentenceTransformerOptions& options) {
  require_same_vocabulary(tokenizer, model.config());
  const auto reads = internal::token_limit(tokenizer, model.config());
  impl_ = std::make_shared<const Impl>(
      Impl{.tokenizer = std::move(tokenizer),
           .embedder = Embedder(std::move(model), embed_options(options, {})),
           .max_length = reads,
           .similarity_fn = options.similarity_fn.value_or(SimilarityFunction::cosine)});
}

SentenceTransformer SentenceTransformer::from_pretrained(
    const std::filesystem::path& directory_or_name, const SentenceTransformerOptions& options) {
  const auto root = find_model(directory_or_name.string(), options.pipeline.progress);
  const auto directory = transformer_directory(root);
  std::optional<SentenceSettings> stated;
  if (!options.pooling) stated = sentence_settings(root);
  // As sentence-transformers does; DPR's encoders have no such rule.
  const bool truncates = stated.has_value() && files::exists(root / "modules.json");
  auto settings = stated ? *std::move(stated) : text_settings(root);
  auto embed = embed_options(options, settings);
  auto tokenizer = Tokenizer::from_pretrained(directory);
  auto model = BertModel::from_pretrained(directory, options.pipeline.load);
  require_same_vocabulary(tokenizer, model.config());
  auto warnings = internal::model_warnings(model.config(), tokenizer, directory);
  warnings.insert(warnings.begin(), settings.warnings.begin(), settings.warnings.end());
  if (settings.do_lower_case) tokenizer = lower_cased(tokenizer);
  const auto reads = model.config().max_position_embeddings;
  const auto limit =
      settings.max_seq_length
          ? std::min(*settings.max_seq_length, reads)
          : (options.pooling ? reads : internal::token_limit(tokenizer, model.config()));
  return SentenceTransformer(std::make_shared<const Impl>(
      Impl{.tokenizer = std::move(tokenizer),
           .embedder = Embedder(std::move(model), std::move(embed)),
           .max_length = limit,
           .truncates = truncates,
           .include_prompt = settings.include_prompt,
           .prompts = std::move(settings.prompts),
           .similarity_fn = options.similarity_fn.value_or(settings.similarity_fn),
           .warnings = std::move(warnings)}));
}

Tensor SentenceTransformer::encode(const Texts& texts, const SentenceEncodeOptions& options,
                                   const ProgressCallback& progress) const {
  const TextLimits limits{
      .max_length = options.max_length > 0 ? options.max_length : impl_->max_length,
      .truncate = options.truncate.value_or(impl_->truncates),
      .name = options.name,
      .on_cut = options.on_cut};
  const auto reads = config().max_position_embeddings;
  const auto prompt = impl_->prompts.resolve(options.prompt, options.prompt_name);
  std::vector<TokenizedText> sequences;
  std::int64_t skipped = 0;
  if (prompt.empty()) {
    sequences = internal::tokenize(impl_->tokenizer, texts, limits, reads);
  } else {
    const auto of_prompt = internal::prompt_tokens(
        impl_->tokenizer, prompt, internal::length_limit(limits.max_length, reads));
    if (!impl_->include_prompt) skipped = of_prompt;
    const internal::PromptedTexts prompted(texts, prompt);
    sequences = internal::tokenize(impl_->tokenizer, prompted.view(), limits, reads);
  }
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    if (sequences[i].length() > skipped) continue;
    throw ArgumentError(fmt::format(
        "{} has no tokens after the prompt, and this model's pooling leaves the prompt's out: end "
        "the prompt with a space",
        internal::name_of_text(options.name, i)));
  }
  ProgressCounter counter(progress, "encoding", static_cast<std::int64_t>(texts.size()), "texts");
  return impl_->embedder.embed(
      sequences,
      [&](std::span<const std::size_t> done) {
        counter.advance(static_cast<std::int64_t>(done.size()));
      },
      skipped);
}

Tensor SentenceTransformer::encode_ids(std::span<const std::vector<std::int32_t>> sequences,
                                       std::int64_t prompt_tokens,
                                       const ProgressCallback& progress) const {
  const auto skipped = impl_->include_prompt ? 0 : prompt_tokens;
  const auto reads = config().max_position_embeddings;
  std::vector<TokenizedText> texts;
  texts.reserve(sequences.size());
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const auto length = static_cast<std::int64_t>(sequences[i].size());
    if (length <= skipped || length > reads) {
      throw ArgumentError(fmt::format("sequence {} has {} tokens: {} to {} can be read", i + 1,
                                      length, skipped + 1, reads));
    }
    texts.push_back({sequences[i], std::vector<std::int32_t>(sequences[i].size(), 0)});
  }
  ProgressCounter counter(progress, "encoding", static_cast<std::int64_t>(texts.size()), "texts");
  return impl_->embedder.embed(
      texts,
      [&](std::span<const std::size_t> done) {
        counter.advance(static_cast<std::int64_t>(done.size()));
      },
      skipped);
}

Tensor SentenceTransformer::similarity(const Tensor& a, const Tensor& b) const {
  return similarity_matrix(a, b, impl_->similarity_fn);
}

std::int64_t SentenceTransformer::dimension() const { return impl_->embedder.columns(); }

std::int64_t SentenceTransformer::max_length() const { return impl_->max_length; }

Pooling SentenceTransformer::pooling() const { return poolings().front(); }

const std::vector<Pooling>& SentenceTransformer::poolings() const {
  return impl_->embedder.options().poolings;
}

bool SentenceTransformer::normalizes() const {
  const auto& options = impl_->embedder.options();
  if (options.normalize) return true;
  return !options.steps.empty() && !options.steps.back().linear() && !impl_->embedder.truncates();
}

const Prompts& SentenceTransformer::prompts() const { return impl_->prompts; }

SimilarityFunction SentenceTransformer::similarity_fn() const { return impl_->similarity_fn; }

const std::vector<std::string>& SentenceTransformer::warnings() const { return impl_->warnings; }

const Tokenizer& SentenceTransformer::tokenizer() const { return impl_->tokenizer; }

const BertConfig& SentenceTransformer::config() const { return impl_->embedder.model().config(); }

}  // namespace cloze
