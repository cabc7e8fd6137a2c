#include "cli/text_comparer.h"

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "cloze/multi_vector_encoder.h"
#include "cloze/sentence_settings.h"
#include "cloze/sentence_transformer.h"
#include "cloze/similarity.h"
#include "cloze/sparse_encoder.h"

namespace cloze::cli {
namespace {

/// The first texts of a piece's pairs, or the second ones, or both by turns.
enum class Side : std::uint8_t { first, second, both };
std::vector<std::string_view> side_of(const Piece& piece, Side side) {
  std::vector<std::string_view> texts;
  for (const auto& item : piece.items) {
    if (side != Side::second) texts.push_back(item.text);
    if (side != Side::first) texts.push_back(*item.pair);
  }
  return texts;
}

/// The limits of a piece whose items are given as both of their texts.
TextLimits limits_of_both(const Piece& piece) {
  auto limits = piece.limits;
  limits.name = [&piece](std::size_t text) { return piece.limits.name(text / 2); };
  return limits;
}

/// Where the user states none, and roles decide, the prompt of the role.
template <class EncodeOptions>
void set_prompt(EncodeOptions& options, const PromptOptions& stated,
                const std::optional<std::string>& of_role) {
  stated.apply_to(options);
  if (of_role && !options.prompt && !options.prompt_name) options.prompt = of_role;
}

class SentenceComparer final : public TextComparer {
 public:
  SentenceComparer(SentenceTransformer model, CompareSettings settings)
      : model_(std::move(model)), settings_(std::move(settings)) {}

  [[nodiscard]] std::int64_t reads() const override {
    return model_.config().max_position_embeddings;
  }

  void keep_queries(const std::vector<std::string>& queries, const TextLimits& limits) override {
    queries_ = model_.encode(queries, sentence_options(limits, settings_.query));
  }

  [[nodiscard]] std::vector<std::vector<double>> scores(const Piece& piece) const override {
    const auto texts =
        model_.encode(piece.items, sentence_options(piece.limits, settings_.text), piece.progress);
    const auto columns = static_cast<std::size_t>(queries_.dim(1));
    std::vector<std::vector<double>> scores;
    for (std::int64_t q = 0; q < queries_.dim(0); ++q) {
      const auto query =
          queries_.values<float>().subspan(static_cast<std::size_t>(q) * columns, columns);
      scores.push_back(similarities(texts, query, model_.similarity_fn()));
    }
    return scores;
  }

  [[nodiscard]] std::vector<double> pair_scores(const Piece& piece) const override {
    return pair_similarities(
        model_.encode(side_of(piece, Side::both),
                      sentence_options(limits_of_both(piece), settings_.query), piece.progress),
        model_.similarity_fn());
  }

 private:
  SentenceTransformer model_;
  CompareSettings settings_;
  Tensor queries_;
};

/// The rows of a matrix.
std::vector<std::vector<double>> rows_of(const Tensor& scores) {
  const auto columns = static_cast<std::size_t>(scores.dim(1));
  std::vector<std::vector<double>> rows;
  for (auto rest = scores.values<float>(); !rest.empty(); rest = rest.subspan(columns)) {
    rows.emplace_back(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(columns));
  }
  return rows;
}

class SparseComparer final : public TextComparer {
 public:
  SparseComparer(SparseEncoder model, CompareSettings settings)
      : model_(std::move(model)), settings_(std::move(settings)) {
    if (!settings_.role_prompts) return;
    of_query_ = model_.prompts().for_queries();
    of_document_ = model_.prompts().for_documents();
  }

  [[nodiscard]] std::int64_t reads() const override {
    return model_.config().max_position_embeddings;
  }

  void keep_queries(const std::vector<std::string>& queries, const TextLimits& limits) override {
    auto options = options_of(limits);
    set_prompt(options, settings_.query, of_query_);
    queries_ = model_.encode(queries, options);
  }

  [[nodiscard]] std::vector<std::vector<double>> scores(const Piece& piece) const override {
    auto options = options_of(piece.limits);
    set_prompt(options, settings_.text, of_document_);
    return rows_of(
        model_.similarity(queries_, model_.encode(piece.items, options, piece.progress)));
  }

  [[nodiscard]] std::vector<double> pair_scores(const Piece& piece) const override {
    auto options = options_of(limits_of_both(piece));
    set_prompt(options, settings_.query, {});
    const auto vectors = model_.encode(side_of(piece, Side::both), options, piece.progress);
    std::vector<double> scores;
    for (std::size_t row = 0; row + 1 < vectors.rows(); row += 2) {
      scores.push_back(sparse_similarity(vectors.indices_of(row), vectors.values_of(row),
                                         vectors.indices_of(row + 1), vectors.values_of(row + 1),
                                         model_.similarity_fn()));
    }
    return scores;
  }

 private:
  static SparseEncodeOptions options_of(const TextLimits& limits) {
    SparseEncodeOptions options{.max_length = limits.max_length, .name = limits.name};
    if (limits.truncate) options.truncate = true;
    return options;
  }

  SparseEncoder model_;
  CompareSettings settings_;
  std::optional<std::string> of_query_, of_document_;
  SparseVectors queries_;
};

/// Queries and documents are read in different ways, whatever the prompts.
class MultiVectorComparer final : public TextComparer {
 public:
  MultiVectorComparer(MultiVectorEncoder model, CompareSettings settings)
      : model_(std::move(model)), settings_(std::move(settings)) {}

  [[nodiscard]] std::int64_t reads() const override {
    return model_.config().max_position_embeddings;
  }

  void keep_queries(const std::vector<std::string>& queries, const TextLimits& limits) override {
    queries_ = model_.encode(queries, options_of(TextRole::query, limits));
  }

  [[nodiscard]] std::vector<std::vector<double>> scores(const Piece& piece) const override {
    return rows_of(model_.similarity(
        queries_,
        model_.encode(piece.items, options_of(TextRole::document, piece.limits), piece.progress)));
  }

  [[nodiscard]] std::vector<double> pair_scores(const Piece& piece) const override {
    const auto queries =
        model_.encode(side_of(piece, Side::first), options_of(TextRole::query, piece.limits));
    const auto documents = model_.encode(
        side_of(piece, Side::second), options_of(TextRole::document, piece.limits), piece.progress);
    std::vector<double> scores;
    for (std::size_t i = 0; i < queries.size(); ++i) {
      const auto score =
          model_.similarity(std::span(queries).subspan(i, 1), std::span(documents).subspan(i, 1));
      scores.push_back(score.values<float>()[0]);
    }
    return scores;
  }

 private:
  [[nodiscard]] MultiVectorEncodeOptions options_of(TextRole role, const TextLimits& limits) const {
    MultiVectorEncodeOptions options{
        .role = role, .max_length = limits.max_length, .name = limits.name};
    (role == TextRole::query ? settings_.query : settings_.text).apply_to(options);
    return options;
  }

  MultiVectorEncoder model_;
  CompareSettings settings_;
  std::vector<TokenVectors> queries_;
};

/// The name of a similarity function; none where the user names none.
std::optional<SimilarityFunction> function_of(const CompareSettings& settings) {
  if (settings.function.empty()) return std::nullopt;
  return as_usage([&] { return similarity_function_from(settings.function); });
}

std::unique_ptr<TextComparer> load_sentence(const TextCommand& command,
                                            const CompareSettings& settings) {
  SentenceTransformerOptions options{.pipeline = command.model.pipeline_options(),
                                     .similarity_fn = function_of(settings)};
  if (!settings.pooling.empty()) {
    options.pooling = as_usage([&] { return pooling_from(settings.pooling); });
    if (options.pooling == Pooling::none) throw UsageError("similarity needs a pooling, not none");
  }
  if (settings.dimensions > 0) options.truncate_dim = settings.dimensions;
  auto model = SentenceTransformer::from_pretrained(command.model.root(), options);
  tell_warnings(model.warnings());
  return std::make_unique<SentenceComparer>(std::move(model), settings);
}

std::unique_ptr<TextComparer> load_sparse(const TextCommand& command,
                                          const CompareSettings& settings) {
  SparseEncoderOptions options{.pipeline = command.model.pipeline_options(),
                               .similarity_fn = function_of(settings)};
  if (!settings.pooling.empty()) options.splade = SpladeOptions{};
  auto model = SparseEncoder::from_pretrained(command.model.root(), options);
  tell_warnings(model.warnings());
  return std::make_unique<SparseComparer>(std::move(model), settings);
}

std::unique_ptr<TextComparer> load_multi_vector(const TextCommand& command,
                                                const CompareSettings& settings) {
  if (!settings.function.empty()) {
    throw UsageError("this model compares token by token (MaxSim): --function is not for it");
  }
  auto model =
      MultiVectorEncoder::from_pretrained(command.model.root(), command.model.pipeline_options());
  tell_warnings(model.warnings());
  return std::make_unique<MultiVectorComparer>(std::move(model), settings);
}

}  // namespace

std::unique_ptr<TextComparer> load_comparer(const TextCommand& command,
                                            const CompareSettings& settings) {
  auto kind = VectorKind::sentence;
  if (settings.pooling == "splade") {
    kind = VectorKind::sparse;
  } else if (settings.pooling.empty()) {
    kind = vector_kind(command.model.root());
  }
  if (kind != VectorKind::sparse && kind != VectorKind::multi_vector) {
    return load_sentence(command, settings);
  }
  if (settings.dimensions > 0) {
    throw UsageError("--dimensions is for models that make one vector of a text");
  }
  return kind == VectorKind::sparse ? load_sparse(command, settings)
                                    : load_multi_vector(command, settings);
}

}  // namespace cloze::cli
