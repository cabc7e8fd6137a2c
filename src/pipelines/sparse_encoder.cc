#include "cloze/sparse_encoder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "bert/vocabulary_model.h"
#include "cloze/error.h"
#include "cloze/hub.h"
#include "cloze/sentence_settings.h"
#include "core/io/files.h"
#include "core/parallel.h"
#include "core/progress_counter.h"
#include "pipelines/batches.h"
#include "pipelines/prompted.h"
#include "pipelines/warnings.h"
#include "sentence/lower_case.h"
#include "sentence/search/search_settings.h"

namespace cloze {

struct SparseEncoder::Impl {
  Tokenizer tokenizer;
  std::shared_ptr<const internal::VocabularyModel> model;
  std::int64_t batch_tokens = 0;
  std::int64_t max_length = 0;
  bool truncates = false;  ///< unless told otherwise
  SpladeOptions splade{};
  std::optional<std::int64_t> max_active_dims{};
  SimilarityFunction similarity_fn = SimilarityFunction::dot;
  Prompts prompts{};
  std::vector<std::string> warnings{};
};

namespace {

/// What a similarity sums over the columns of two vectors.
double term(double x, double y, SimilarityFunction function) {
  switch (function) {
    case SimilarityFunction::euclidean:
      return (x - y) * (x - y);
    case SimilarityFunction::manhattan:
      return std::abs(x - y);
    case SimilarityFunction::cosine:
    case SimilarityFunction::dot:
      break;
  }
  return x * y;
}

double length_of(std::span<const float> values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

void require_row(const SparseVectors& vectors, std::size_t row) {
  if (row < vectors.rows()) return;
  throw ArgumentError(fmt::format("there is no row {}: the vectors are {}", row, vectors.rows()));
}

std::size_t end_of(const SparseVectors& vectors, std::size_t row) {
  return static_cast<std::size_t>(vectors.row_ends[row]);
}

}  // namespace

std::span<const std::int32_t> SparseVectors::indices_of(std::size_t row) const {
  require_row(*this, row);
  return std::span(indices).subspan(end_of(*this, row),
                                    end_of(*this, row + 1) - end_of(*this, row));
}

std::span<const float> SparseVectors::values_of(std::size_t row) const {
  require_row(*this, row);
  return std::span(values).subspan(end_of(*this, row), end_of(*this, row + 1) - end_of(*this, row));
}

Tensor SparseVectors::to_dense() const {
  auto dense = Tensor::zeros(DType::f32, {static_cast<std::int64_t>(rows()), columns});
  const auto to = dense.mutable_values<float>();
  for (std::size_t row = 0; row < rows(); ++row) {
    const auto first = row * static_cast<std::size_t>(columns);
    for (auto at = end_of(*this, row); at < end_of(*this, row + 1); ++at) {
      to[first + static_cast<std::size_t>(indices[at])] = values[at];
    }
  }
  return dense;
}

double sparse_similarity(std::span<const std::int32_t> a_indices, std::span<const float> a_values,
                         std::span<const std::int32_t> b_indices, std::span<const float> b_values,
                         SimilarityFunction function) {
  if (a_indices.size() != a_values.size() || b_indices.size() != b_values.size()) {
    throw ArgumentError("a sparse vector has as many indices as values");
  }
  double sum = 0;
  std::size_t i = 0, j = 0;
  const bool shared_alone =
      function == SimilarityFunction::dot || function == SimilarityFunction::cosine;
  while (i < a_indices.size() || j < b_indices.size()) {
    const bool has_a =
        i < a_indices.size() && (j == b_indices.size() || a_indices[i] <= b_indices[j]);
    const bool has_b =
        j < b_indices.size() && (i == a_indices.size() || b_indices[j] <= a_indices[i]);
    if (has_a && has_b) {
      sum += term(a_values[i], b_values[j], function);
    } else if (!shared_alone) {
      sum += term(has_a ? a_values[i] : 0, has_b ? b_values[j] : 0, function);
    }
    i += has_a ? 1 : 0;
    j += has_b ? 1 : 0;
  }
  switch (function) {
    case SimilarityFunction::cosine: {
      const double lengths = length_of(a_values) * length_of(b_values);
      return lengths > 0 ? sum / lengths : 0;
    }
    case SimilarityFunction::euclidean:
      return -std::sqrt(sum);
    case SimilarityFunction::manhattan:
      return -sum;
    case SimilarityFunction::dot:
      break;
  }
  return sum;
}

SparseEncoder::SparseEncoder(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

SparseEncoder SparseEncoder::from_pretrained(const std::filesystem::path& directory_or_name,
                                             const SparseEncoderOptions& options) {
  if (options.pipeline.batch_tokens < 1) {
    throw ArgumentError(
        fmt::format("batch_tokens is {}: it must be at least 1", options.pipeline.batch_tokens));
  }
  if (options.max_active_dims.value_or(1) < 1) {
    throw ArgumentError(fmt::format("the {} greatest weights were asked for: keep at least 1",
                                    *options.max_active_dims));
  }
  const auto root = find_model(directory_or_name.string(), options.pipeline.progress);
  const auto directory = transformer_directory(root);
  // Told how words are weighed, Cloze needs no modules: those that a directory has may be others'.
  const bool follows = vector_kind(root) == VectorKind::sparse || !options.splade;
  auto settings = follows ? sparse_settings(root) : SparseSettings();
  const auto splade = options.splade.value_or(SpladeOptions{settings.sum, settings.twice});
  auto tokenizer = Tokenizer::from_pretrained(directory);
  auto model = internal::VocabularyModel::from_pretrained(
      directory, {.sum = splade.sum, .twice = splade.twice}, options.pipeline.load);
  const auto& config = model->config();
  require_same_vocabulary(tokenizer, config);
  auto warnings = internal::model_warnings(config, tokenizer, directory);
  warnings.insert(warnings.begin(), settings.warnings.begin(), settings.warnings.end());
  if (settings.do_lower_case) tokenizer = lower_cased(tokenizer);
  const auto reads = config.max_position_embeddings;
  const auto limit = settings.max_seq_length.value_or(tokenizer.model_max_length().value_or(reads));
  return SparseEncoder(std::make_shared<const Impl>(
      Impl{.tokenizer = std::move(tokenizer),
           .model = std::move(model),
           .batch_tokens = options.pipeline.batch_tokens,
           .max_length = std::min(limit, reads),
           .truncates = follows && files::exists(root / "modules.json"),
           .splade = splade,
           .max_active_dims =
               options.max_active_dims ? options.max_active_dims : settings.max_active_dims,
           .similarity_fn = options.similarity_fn.value_or(settings.similarity_fn),
           .prompts = std::move(settings.prompts),
           .warnings = std::move(warnings)}));
}

SparseVectors SparseEncoder::encode(const Texts& texts, const SparseEncodeOptions& options,
                                    const ProgressCallback& progress) const {
  const TextLimits limits{
      .max_length = options.max_length > 0 ? options.max_length : impl_->max_length,
      .truncate = options.truncate.value_or(impl_->truncates),
      .name = options.name,
      .on_cut = options.on_cut};
  const auto prompt = impl_->prompts.resolve(options.prompt, options.prompt_name);
  const auto sequences = internal::tokenize_prompted(impl_->tokenizer, texts, prompt, limits,
                                                     config().max_position_embeddings);
  std::vector<internal::WordWeights> words(texts.size());
  internal::for_each_batch(sequences, {"encoding", "texts", impl_->batch_tokens, progress},
                           [&](const Batch& batch, std::span<const std::size_t> indices) {
                             auto found =
                                 impl_->model->run(batch, impl_->max_active_dims.value_or(0));
                             for (std::size_t i = 0; i < indices.size(); ++i)
                               words[indices[i]] = std::move(found[i]);
                           });
  SparseVectors vectors{.columns = dimension()};
  for (const auto& each : words) {
    vectors.indices.insert(vectors.indices.end(), each.ids.begin(), each.ids.end());
    vectors.values.insert(vectors.values.end(), each.weights.begin(), each.weights.end());
    vectors.row_ends.push_back(static_cast<std::int64_t>(vectors.indices.size()));
  }
  return vectors;
}

std::vector<WeightedToken> SparseEncoder::decode(const SparseVectors& vectors, std::size_t row,
                                                 std::int64_t top_k) const {
  if (top_k < 0) throw ArgumentError(fmt::format("the {} greatest weights were asked for", top_k));
  const auto indices = vectors.indices_of(row);
  const auto values = vectors.values_of(row);
  std::vector<WeightedToken> words;
  words.reserve(indices.size());
  for (std::size_t i = 0; i < indices.size(); ++i) {
    // A model may have more rows than the tokenizer has tokens: padding of the matrix.
    const bool known = indices[i] < impl_->tokenizer.vocab_size();
    words.push_back({known ? std::string(impl_->tokenizer.id_to_token(indices[i])) : "", indices[i],
                     values[i]});
  }
  std::stable_sort(words.begin(), words.end(),
                   [](const auto& a, const auto& b) { return a.weight > b.weight; });
  const auto most = static_cast<std::size_t>(top_k);
  if (top_k > 0 && words.size() > most) words.resize(most);
  return words;
}

Tensor SparseEncoder::similarity(const SparseVectors& a, const SparseVectors& b) const {
  if (a.columns != b.columns) {
    throw ArgumentError(
        fmt::format("vectors of {} and {} columns cannot be compared", a.columns, b.columns));
  }
  const auto width = b.rows();
  auto scores = Tensor::zeros(
      DType::f32, {static_cast<std::int64_t>(a.rows()), static_cast<std::int64_t>(width)});
  const auto to = scores.mutable_values<float>();
  parallel_for(static_cast<std::int64_t>(a.rows() * width), 64, [&](std::int64_t index) {
    const auto at = static_cast<std::size_t>(index), i = at / width, j = at % width;
    to[at] = static_cast<float>(sparse_similarity(a.indices_of(i), a.values_of(i), b.indices_of(j),
                                                  b.values_of(j), impl_->similarity_fn));
  });
  return scores;
}

std::int64_t SparseEncoder::dimension() const { return config().vocab_size; }
std::int64_t SparseEncoder::max_length() const { return impl_->max_length; }
const SpladeOptions& SparseEncoder::splade() const { return impl_->splade; }
std::optional<std::int64_t> SparseEncoder::max_active_dims() const {
  return impl_->max_active_dims;
}
SimilarityFunction SparseEncoder::similarity_fn() const { return impl_->similarity_fn; }
const Prompts& SparseEncoder::prompts() const { return impl_->prompts; }
const std::vector<std::string>& SparseEncoder::warnings() const { return impl_->warnings; }
const Tokenizer& SparseEncoder::tokenizer() const { return impl_->tokenizer; }
const BertConfig& SparseEncoder::config() const { return impl_->model->config(); }

}  // namespace cloze
