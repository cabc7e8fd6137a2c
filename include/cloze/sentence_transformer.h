/// \file
/// Sentence vectors, as sentence-transformers' `SentenceTransformer` makes them: pooling, dense
/// layers, normalization and the maximal length are what the model's directory says (modules.json),
/// and can be overridden. A directory that says nothing gets the mean over the tokens.
///
///     const auto model = cloze::SentenceTransformer::from_pretrained("all-MiniLM-L6-v2");
///     const std::vector<std::string> texts{"a happy dog", "a puppy plays", "taxes are due"};
///     const auto vectors = model.encode(texts);                        // [3, 384]
///     const auto scores = model.similarity(vectors, vectors);         // [3, 3], cosines
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cloze/pipeline.h"
#include "cloze/pooling.h"
#include "cloze/tensor.h"

#pragma GCC visibility push(default)
namespace cloze {

/// What to use instead of what the directory says.
struct SentenceTransformerOptions {
  PipelineOptions pipeline{};
  /// Instead of what the directory says, its dense layers, normalization and maximal length
  /// included.
  std::optional<Pooling> pooling{};
  /// Instead of what the directory says: whether every vector is scaled to length 1.
  std::optional<bool> normalize{};
  /// Which hidden states are pooled, as transformers counts them (-1: the last); several are
  /// concatenated.
  std::vector<std::int64_t> layers{-1};
};

/// How `SentenceTransformer::encode` treats long texts.
struct SentenceEncodeOptions {
  std::int64_t max_length = 0;  ///< tokens, special ones included; 0: `max_length()`
  /// Cut a longer text instead of throwing. Absent: cut it where the directory states a maximal
  /// length, as sentence-transformers does.
  std::optional<bool> truncate{};
  TextName name{};  ///< of a text in messages; empty: "text 3", counted from 1
};

/// Texts to one vector each; immutable, and safe to share between threads.
class SentenceTransformer {
 public:
  /// Loads a sentence-transformers directory or any BERT, or a model by its name (see find_model).
  /// Throws as the model's `from_pretrained`; ModelError for a pooling or module that Cloze does
  /// not have; ArgumentError for layers that the model does not have and for Pooling::none.
  [[nodiscard]] static SentenceTransformer from_pretrained(
      const std::filesystem::path& directory_or_name,
      const SentenceTransformerOptions& options = {});

  /// Sentence vectors of a model that is loaded already; `options.pipeline.load` means nothing.
  SentenceTransformer(BertModel model, Tokenizer tokenizer,
                      const SentenceTransformerOptions& options = {});

  /// A vector for each text or pair: f32 [texts, dimension()]. Throws TextTooLong, ArgumentError
  /// for a limit over what the model reads, Cancelled.
  [[nodiscard]] Tensor encode(const Texts& texts, const SentenceEncodeOptions& options = {},
                              const ProgressCallback& progress = {}) const;

  /// The cosine of every row of `a` with every row of `b`: f32 [rows of a, rows of b].
  [[nodiscard]] Tensor similarity(const Tensor& a, const Tensor& b) const;

  /// Columns of every vector.
  [[nodiscard]] std::int64_t dimension() const;
  /// Tokens of a text, special ones included: what the directory states, else what the model reads.
  [[nodiscard]] std::int64_t max_length() const;
  [[nodiscard]] Pooling pooling() const;
  [[nodiscard]] bool normalizes() const;
  [[nodiscard]] const Tokenizer& tokenizer() const;
  [[nodiscard]] const BertConfig& config() const;

 private:
  struct [[gnu::visibility("hidden")]] Impl;
  explicit SentenceTransformer(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace cloze

#pragma GCC visibility pop
