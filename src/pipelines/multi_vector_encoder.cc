#include "cloze/multi_vector_encoder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bert/context_pool.h"
#include "checkpoint/finite.h"
#include "cloze/error.h"
#include "cloze/hub.h"
#include "cloze/sentence_settings.h"
#include "core/strings.h"
#include "core/vectors.h"
#include "ops/linear.h"
#include "pipelines/batches.h"
#include "pipelines/prompted.h"
#include "pipelines/scores.h"
#include "pipelines/warnings.h"
#include "sentence/dense.h"
#include "sentence/embedder.h"
#include "sentence/lower_case.h"
#include "sentence/pooling.h"
#include "sentence/search/search_settings.h"
#include "sentence/search/special_tokens.h"

namespace cloze {
namespace {

/// Of two roles, each at its own place.
template <class T>
using ByRole = std::array<T, 2>;

std::size_t place_of(TextRole role) { return static_cast<std::size_t>(role); }

/// Texts of one role: which of their tokens count.
struct Reading {
  std::int64_t max_length = 0;
  std::unordered_set<std::int32_t> skiplist{};   ///< tokens whose vectors are left out
  std::unordered_set<std::int32_t> keep_only{};  ///< not empty: all others are
};

}  // namespace

struct MultiVectorEncoder::Impl {
  Tokenizer tokenizer;
  BertModel model;
  std::vector<EmbedStep> steps{};
  std::int64_t batch_tokens = 0;
  std::int64_t columns = 0;
  ByRole<Reading> readings{};
  std::optional<QueryExpansion> expansion{};
  std::int32_t expansion_id = 0;
  bool scores_expansion = false;
  bool mean = false;
  Prompts prompts{};
  std::vector<std::string> warnings{};
  /// Working memory of similarity.
  std::shared_ptr<internal::ContextPool> contexts =
      std::make_shared<internal::ContextPool>(ops::cpu());

  [[nodiscard]] Tensor vectors_of(const Batch& batch, std::span<const std::int32_t> attended) const;
  /// The rows of a text's tokens that count; `real` of them were not added.
  [[nodiscard]] std::vector<std::size_t> counted(const TokenizedText& text, std::size_t real,
                                                 TextRole role) const;
};

namespace {

constexpr std::array<std::pair<std::string_view, TextRole>, 2> kRoles{
    {{"query", TextRole::query}, {"document", TextRole::document}}};

/// The prompt of a role, unless told otherwise.
std::string prompt_of(const Prompts& prompts, const MultiVectorEncodeOptions& options) {
  if (options.prompt || options.prompt_name) {
    return prompts.resolve(options.prompt, options.prompt_name);
  }
  return options.role == TextRole::query ? prompts.for_queries() : prompts.for_documents();
}

/// What is added to queries.
std::int32_t expansion_token(const Tokenizer& tokenizer, const QueryExpansion& expansion,
                             const std::string& origin) {
  if (expansion.token.empty()) {
    if (const auto mask = tokenizer.mask_token_id()) return *mask;
    throw ModelError(fmt::format(
        "{}: queries are filled up with [MASK], which the tokenizer does not have", origin));
  }
  if (const auto id = tokenizer.token_to_id(expansion.token)) return *id;
  throw ModelError(
      fmt::format("{}: queries are filled up with {}, which the tokenizer does not have", origin,
                  in_quotes(expansion.token)));
}

/// The ids of a skiplist's words; those that are no tokens go to `warnings`.
std::unordered_set<std::int32_t> ids_of(const Tokenizer& tokenizer,
                                        const std::vector<std::string>& words,
                                        const std::string& origin,
                                        std::vector<std::string>& warnings) {
  std::unordered_set<std::int32_t> ids;
  std::vector<std::string> unknown;
  for (const auto& word : words) {
    if (const auto id = tokenizer.token_to_id(word)) {
      ids.insert(*id);
    } else {
      unknown.push_back(word);
    }
  }
  if (!unknown.empty()) {
    warnings.push_back(fmt::format("{}: {} of the skiplist {} no token of the vocabulary", origin,
                                   excerpt_of_list(unknown), unknown.size() == 1 ? "is" : "are"));
  }
  return ids;
}

}  // namespace

TextRole text_role_from(std::string_view name) {
  for (const auto& [known, role] : kRoles) {
    if (known == name) return role;
  }
  throw ArgumentError(
      fmt::format("there is no role {} of a text: it is query or document", in_quotes(name)));
}

MultiVectorEncoder::MultiVectorEncoder(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

MultiVectorEncoder MultiVectorEncoder::from_pretrained(
    const std::filesystem::path& directory_or_name, const PipelineOptions& options) {
  if (options.batch_tokens < 1) {
    throw ArgumentError(
        fmt::format("batch_tokens is {}: it must be at least 1", options.batch_tokens));
  }
  const auto root = find_model(directory_or_name.string(), options.progress);
  const auto directory = transformer_directory(root);
  auto settings = multi_vector_settings(root);
  auto tokenizer = Tokenizer::from_pretrained(directory);
  auto model = BertModel::from_pretrained(directory, options.load);
  const auto& config = model.config();
  require_same_vocabulary(tokenizer, config);
  auto warnings = internal::model_warnings(config, tokenizer, directory);
  warnings.insert(warnings.begin(), settings.warnings.begin(), settings.warnings.end());
  if (settings.do_lower_case) tokenizer = lower_cased(tokenizer);
  tokenizer = with_markers(tokenizer, settings.markers);
  auto steps = embed_steps(settings.steps, config.hidden_size);
  const auto columns = width_after(steps, config.hidden_size);

  const auto origin = settings.file.empty() ? root.string() : (root / settings.file).string();
  const auto reads = config.max_position_embeddings;
  const auto usual = std::min(
      settings.max_seq_length.value_or(tokenizer.model_max_length().value_or(reads)), reads);
  ByRole<Reading> readings;
  auto& query = readings[place_of(TextRole::query)];
  auto& document = readings[place_of(TextRole::document)];
  document.max_length = std::min(settings.document_length.value_or(usual), reads);
  query.max_length = std::min(settings.query_length.value_or(usual), reads);
  std::int32_t expansion_id = 0;
  if (const auto& expansion = settings.expansion) {
    if (expansion->length > reads) {
      throw ModelError(fmt::format(
          "{}: queries are filled up to {} tokens, and the model reads {}: state a smaller length",
          origin, expansion->length, reads));
    }
    if (expansion->fixed) query.max_length = expansion->length;
    expansion_id = expansion_token(tokenizer, *expansion, origin);
  }
  const auto skipped = ids_of(tokenizer, settings.skiplist, origin, warnings);
  if (settings.skips_in_queries) query.skiplist = skipped;
  if (settings.skips_in_documents) document.skiplist = skipped;
  document.keep_only.insert(settings.keep_only.begin(), settings.keep_only.end());
  return MultiVectorEncoder(
      std::make_shared<const Impl>(Impl{.tokenizer = std::move(tokenizer),
                                        .model = std::move(model),
                                        .steps = std::move(steps),
                                        .batch_tokens = options.batch_tokens,
                                        .columns = columns,
                                        .readings = std::move(readings),
                                        .expansion = settings.expansion,
                                        .expansion_id = expansion_id,
                                        .scores_expansion = settings.scores_expansion,
                                        .mean = settings.mean,
                                        .prompts = std::move(settings.prompts),
                                        .warnings = std::move(warnings)}));
}

Tensor MultiVectorEncoder::Impl::vectors_of(const Batch& batch,
                                            std::span<const std::int32_t> attended) const {
  auto rows = model(batch, {.attended = attended}).last_hidden_state;
  apply_steps(steps, rows);
  if (all_finite(rows)) return rows;
  throw ModelError(
      "the modules after the encoder give results that are infinite or NaN: what they compute is "
      "out "
      "of the range of numbers");
}

std::vector<std::size_t> MultiVectorEncoder::Impl::counted(const TokenizedText& text,
                                                           std::size_t real, TextRole role) const {
  const auto& reading = readings[place_of(role)];
  const bool all = scores_expansion || (expansion && expansion->attend);
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < text.ids.size(); ++i) {
    if (i >= real && !all) break;
    if (reading.skiplist.contains(text.ids[i])) continue;
    if (!reading.keep_only.empty() && !reading.keep_only.contains(text.ids[i])) continue;
    rows.push_back(i);
  }
  return rows;
}

std::vector<TokenVectors> MultiVectorEncoder::encode(const Texts& texts,
                                                     const MultiVectorEncodeOptions& options,
                                                     const ProgressCallback& progress) const {
  internal::require_pairs(texts, false, options.name);
  const auto reads = config().max_position_embeddings;
  const TextLimits limits{
      .max_length = options.max_length > 0 ? options.max_length : max_length(options.role),
      .truncate = options.truncate.value_or(true),
      .name = options.name,
      .on_cut = options.on_cut};
  auto sequences = internal::tokenize_prompted(impl_->tokenizer, texts,
                                               prompt_of(impl_->prompts, options), limits, reads);
  std::vector<std::int32_t> real;  // tokens of each text that were not added
  real.reserve(sequences.size());
  for (const auto& text : sequences) real.push_back(static_cast<std::int32_t>(text.ids.size()));
  const bool expands = impl_->expansion && options.role == TextRole::query;
  if (expands) {
    const auto length = static_cast<std::size_t>(impl_->expansion->length);
    for (auto& text : sequences) {
      if (text.ids.size() >= length) continue;
      text.ids.resize(length, impl_->expansion_id);
      text.type_ids.resize(length, 0);
    }
  }
  std::vector<TokenVectors> results(texts.size());
  internal::for_each_batch(
      sequences, {"encoding", "texts", impl_->batch_tokens, progress},
      [&](const Batch& batch, std::span<const std::size_t> indices) {
        std::vector<std::int32_t> attended;
        if (expands && !impl_->expansion->attend) {
          for (const auto index : indices) attended.push_back(real[index]);
        }
        const auto rows = impl_->vectors_of(batch, attended);
        for (std::size_t i = 0; i < indices.size(); ++i) {
          const auto& text = sequences[indices[i]];
          const auto kept =
              impl_->counted(text, static_cast<std::size_t>(real[indices[i]]), options.role);
          auto& result = results[indices[i]];
          result.vectors =
              Tensor::zeros(DType::f32, {static_cast<std::int64_t>(kept.size()), dimension()});
          auto to = result.vectors.mutable_values<float>().begin();
          for (const auto at : kept) {
            const auto row = row_of(rows, batch.cu_seqlens[i] + static_cast<std::int64_t>(at));
            to = std::copy(row.begin(), row.end(), to);
            result.ids.push_back(text.ids[at]);
          }
        }
      });
  return results;
}

Tensor MultiVectorEncoder::similarity(std::span<const TokenVectors> queries,
                                      std::span<const TokenVectors> documents) const {
  for (const auto& texts : {queries, documents}) {
    for (const auto& text : texts) {
      if (text.vectors.shape().size() == 2 && text.vectors.dim(1) == dimension()) continue;
      throw ArgumentError(fmt::format("vectors of shape {} are not this model's, [tokens, {}]",
                                      to_string(text.vectors.shape()), dimension()));
    }
  }
  const auto width = documents.size();
  auto scores = Tensor::zeros(
      DType::f32, {static_cast<std::int64_t>(queries.size()), static_cast<std::int64_t>(width)});
  const auto to = scores.mutable_values<float>();
  for (std::size_t q = 0; q < queries.size(); ++q) {
    const auto& query = queries[q].vectors;
    if (query.empty()) continue;
    for (std::size_t d = 0; d < width; ++d) {
      const auto& document = documents[d].vectors;
      if (document.empty()) continue;
      const auto lease = impl_->contexts->borrow();
      auto& context = lease.context();
      const auto products = context.matrix(DType::f32, query.dim(0), document.dim(0));
      ops::multiply(context, {ops::matrix_of(query)}, {ops::matrix_of(document), true}, products);
      double sum = 0;
      for (std::int64_t row = 0; row < products.rows; ++row) {
        const auto* first = reinterpret_cast<const float*>(products.row(row));
        sum += *std::max_element(first, first + products.cols);
      }
      to[q * width + d] =
          static_cast<float>(impl_->mean ? sum / static_cast<double>(products.rows) : sum);
    }
  }
  return scores;
}

std::vector<ScoredDocument> MultiVectorEncoder::rank(std::string_view query, const Texts& documents,
                                                     const MultiVectorRankOptions& options,
                                                     const ProgressCallback& progress) const {
  const auto count = internal::checked_top_k(options.top_k);
  const std::vector<std::string_view> one{query};
  const auto of_query = encode(one, {.role = TextRole::query});
  const auto of_documents = encode(documents, {.name = options.name}, progress);
  const auto scores = similarity(of_query, of_documents);
  std::vector<ScoredDocument> ranked;
  for (const float score : scores.values<float>()) ranked.push_back({ranked.size(), score});
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.score > b.score; });
  if (ranked.size() > count) ranked.resize(count);
  return ranked;
}

std::int64_t MultiVectorEncoder::dimension() const { return impl_->columns; }
std::int64_t MultiVectorEncoder::max_length(TextRole role) const {
  return impl_->readings[place_of(role)].max_length;
}
bool MultiVectorEncoder::expands_queries() const { return impl_->expansion.has_value(); }
bool MultiVectorEncoder::means() const { return impl_->mean; }
const Prompts& MultiVectorEncoder::prompts() const { return impl_->prompts; }
const std::vector<std::string>& MultiVectorEncoder::warnings() const { return impl_->warnings; }
const Tokenizer& MultiVectorEncoder::tokenizer() const { return impl_->tokenizer; }
const BertConfig& MultiVectorEncoder::config() const { return impl_->model.config(); }

}  // namespace cloze
