/// \file
/// Sparse vectors: how much of each word of the vocabulary is in a text, as sentence-transformers'
/// `SparseEncoder` makes them of a masked language model (SPLADE, Formal et al., arXiv:2109.10086).
/// An inverted index finds them.
///
///     const std::string name = "naver/splade-cocondenser-ensembledistil";
///     const auto model = cloze::SparseEncoder::from_pretrained(name);
///     const std::vector<std::string> texts{"a happy dog", "taxes are due"};
///     const auto vectors = model.encode(texts);
///     for (const auto& [token, id, weight] : model.decode(vectors, 0, 5)) use(token, weight);
///     const auto scores = model.similarity(vectors, vectors);  // [2, 2], dot products
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cloze/pipeline.h"
#include "cloze/prompts.h"
#include "cloze/similarity.h"
#include "cloze/tensor.h"

#pragma GCC visibility push(default)
namespace cloze {

/// Vectors of which only the values over 0 are kept, row after row (CSR, as scipy.sparse.csr_array
/// has it).
struct SparseVectors {
  std::vector<std::int64_t> row_ends{0};  ///< [rows + 1]: row i is the elements from i to i + 1
  std::vector<std::int32_t> indices{};    ///< columns, ascending in each row
  std::vector<float> values{};            ///< [the same]
  std::int64_t columns = 0;

  [[nodiscard]] std::size_t rows() const { return row_ends.size() - 1; }
  /// Throw ArgumentError for a row that is not there.
  [[nodiscard]] std::span<const std::int32_t> indices_of(std::size_t row) const;
  [[nodiscard]] std::span<const float> values_of(std::size_t row) const;
  /// All values, f32 [rows, columns].
  [[nodiscard]] Tensor to_dense() const;
};

/// The similarity of two sparse vectors, ids ascending. Throws ArgumentError for spans that do not
/// fit.
[[nodiscard]] double sparse_similarity(std::span<const std::int32_t> a_indices,
                                       std::span<const float> a_values,
                                       std::span<const std::int32_t> b_indices,
                                       std::span<const float> b_values,
                                       SimilarityFunction function = SimilarityFunction::dot);

/// A word of a text.
struct WeightedToken {
  std::string token{};  ///< as the vocabulary has it
  std::int32_t id = 0;
  float weight = 0;
};

/// What becomes of the logits x of a text's tokens.
struct SpladeOptions {
  bool sum = false;    ///< over the tokens; otherwise their maximum
  bool twice = false;  ///< log(1 + log(1 + relu(x))) ("log1p_relu") instead of log(1 + relu(x))
};

/// What to use instead of what the directory says.
struct SparseEncoderOptions {
  PipelineOptions pipeline{};
  std::optional<SpladeOptions> splade{};
  std::optional<std::int64_t> max_active_dims{};  ///< only the so many greatest weights of a text
  std::optional<SimilarityFunction> similarity_fn{};
};

/// How texts are encoded.
struct SparseEncodeOptions {
  std::int64_t max_length = 0;  ///< tokens, special ones included; 0: `max_length()`
  /// Cut a longer text instead of throwing. Absent: cut it where the directory has modules, as
  /// sentence-transformers does.
  std::optional<bool> truncate{};
  TextName name{};    ///< of a text in messages; empty: "text 3", counted from 1
  TextsCut on_cut{};  ///< told how many texts were cut
  /// What goes before each text (of a pair: before the first), here or by its name among
  /// `prompts()`. Absent: the directory's default prompt, if it has one.
  std::optional<std::string> prompt{};
  std::optional<std::string> prompt_name{};
};

/// Texts to sparse vectors; immutable, and safe to share between threads.
class SparseEncoder {
 public:
  /// Loads a SparseEncoder's directory or any masked language model (BERT, DistilBERT, an ELECTRA
  /// generator), or a model by its name (see find_model). Throws as BertForMaskedLM does;
  /// ModelError also for modules and settings that Cloze does not have; ArgumentError for a
  /// `max_active_dims` under 1.
  [[nodiscard]] static SparseEncoder from_pretrained(const std::filesystem::path& directory_or_name,
                                                     const SparseEncoderOptions& options = {});

  /// A vector for each text or pair. Throws TextTooLong; ArgumentError for a limit over what the
  /// model reads, an unknown prompt and one that leaves no room for a text; Cancelled.
  [[nodiscard]] SparseVectors encode(const Texts& texts, const SparseEncodeOptions& options = {},
                                     const ProgressCallback& progress = {}) const;

  /// The words of a row, greatest weight first; the `top_k` greatest, 0: all. Throws ArgumentError
  /// for a row that is not there and a negative `top_k`.
  [[nodiscard]] std::vector<WeightedToken> decode(const SparseVectors& vectors, std::size_t row,
                                                  std::int64_t top_k = 0) const;

  /// The similarity of every row of `a` to every row of `b`, by similarity_fn(): f32 [rows of a,
  /// rows of b].
  [[nodiscard]] Tensor similarity(const SparseVectors& a, const SparseVectors& b) const;

  [[nodiscard]] std::int64_t dimension() const;   ///< columns: the vocabulary's size
  [[nodiscard]] std::int64_t max_length() const;  ///< as SentenceTransformer::max_length
  [[nodiscard]] const SpladeOptions& splade() const;
  [[nodiscard]] std::optional<std::int64_t> max_active_dims() const;
  [[nodiscard]] SimilarityFunction similarity_fn() const;  ///< dot where nothing is stated
  [[nodiscard]] const Prompts& prompts() const;
  /// What its files state that Cloze does not know, and what is probably not as it should be.
  [[nodiscard]] const std::vector<std::string>& warnings() const;
  [[nodiscard]] const Tokenizer& tokenizer() const;
  [[nodiscard]] const BertConfig& config() const;

 private:
  struct [[gnu::visibility("hidden")]] Impl;
  explicit SparseEncoder(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace cloze

#pragma GCC visibility pop
