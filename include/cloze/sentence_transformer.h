/// \file
/// Sentence vectors, as sentence-transformers' `SentenceTransformer` makes them: prompts, poolings,
/// dense layers, normalization, dimensions and the maximal length are what the model's directory
/// says (sentence_settings.h), and can be overridden. A directory that says nothing gets the mean
/// over the tokens.
///
///     const auto model = cloze::SentenceTransformer::from_pretrained("all-MiniLM-L6-v2");
///     const std::vector<std::string> texts{"a happy dog", "a puppy plays", "taxes are due"};
///     const auto vectors = model.encode(texts);                        // [3, 384]
///     const auto scores = model.similarity(vectors, vectors);         // [3, 3], cosines
///     const auto query = model.encode(queries, {.prompt_name = "query"});
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cloze/pipeline.h"
#include "cloze/pooling.h"
#include "cloze/prompts.h"
#include "cloze/similarity.h"
#include "cloze/tensor.h"

#pragma GCC visibility push(default)
namespace cloze {

/// What to use instead of what the directory says.
struct SentenceTransformerOptions {
  PipelineOptions pipeline{};
  /// Instead of what the directory says, its dense layers, normalization and maximal length
  /// included.
  std::optional<Pooling> pooling{};
  /// Instead of what the directory says: whether every vector is scaled to length 1, after
  /// `truncate_dim`. `false` leaves out its Normalize modules at the end.
  std::optional<bool> normalize{};
  /// Instead of what the directory says: the first columns of a vector that are kept. As in
  /// sentence-transformers they are cut after the directory's own normalization.
  std::optional<std::int64_t> truncate_dim{};
  std::optional<SimilarityFunction> similarity_fn{};  ///< instead of the directory's
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
  TextName name{};    ///< of a text in messages; empty: "text 3", counted from 1
  TextsCut on_cut{};  ///< told how many texts were cut
  /// What goes before each text (of a pair: before the first), here or by its name among
  /// `prompts()`. Absent: the directory's default prompt, if it has one.
  std::optional<std::string> prompt{};
  std::optional<std::string> prompt_name{};
};

/// Texts to one vector each; immutable, and safe to share between threads.
class SentenceTransformer {
 public:
  /// Loads a sentence-transformers directory or any BERT, or a model by its name (see find_model).
  /// Throws as the model's `from_pretrained` and sentence_settings; ArgumentError for layers that
  /// the model does not have, for Pooling::none and a `truncate_dim` under 1.
  [[nodiscard]] static SentenceTransformer from_pretrained(
      const std::filesystem::path& directory_or_name,
      const SentenceTransformerOptions& options = {});

  /// Sentence vectors of a model that is loaded already; `options.pipeline.load` means nothing.
  SentenceTransformer(BertModel model, Tokenizer tokenizer,
                      const SentenceTransformerOptions& options = {});

  /// A vector for each text or pair: f32 [texts, dimension()]. Throws TextTooLong; ArgumentError
  /// for a limit over what the model reads, an unknown prompt (saying which there are) and one that
  /// leaves no room for a text; Cancelled.
  [[nodiscard]] Tensor encode(const Texts& texts, const SentenceEncodeOptions& options = {},
                              const ProgressCallback& progress = {}) const;

  /// A vector for each sequence of token ids, special ones included where there are any: f32
  /// [sequences, dimension()]. Of `prompt_tokens`, the first tokens of each, the model's directory
  /// says whether they are pooled. For a caller that tokenizes by itself; `encode` gives the same
  /// vectors. Throws ArgumentError for a sequence that is empty, longer than the model reads, or
  /// has no token after the prompt's, and for an id that the model does not embed; Cancelled.
  [[nodiscard]] Tensor encode_ids(std::span<const std::vector<std::int32_t>> sequences,
                                  std::int64_t prompt_tokens = 0,
                                  const ProgressCallback& progress = {}) const;

  /// The similarity of every row of `a` to every row of `b`, by similarity_fn(): f32 [rows of a,
  /// rows of b].
  [[nodiscard]] Tensor similarity(const Tensor& a, const Tensor& b) const;

  /// Columns of every vector.
  [[nodiscard]] std::int64_t dimension() const;
  /// Tokens of a text, special ones included: what the directory states (max_seq_length), else what
  /// tokenizer (model_max_length) and model read, whichever is less.
  [[nodiscard]] std::int64_t max_length() const;
  [[nodiscard]] Pooling pooling() const;  ///< the first of poolings()
  [[nodiscard]] const std::vector<Pooling>& poolings() const;
  [[nodiscard]] bool normalizes() const;  ///< whether vectors have length 1
  [[nodiscard]] const Prompts& prompts() const;
  [[nodiscard]] SimilarityFunction similarity_fn() const;
  /// What its files state that Cloze does not know, and what is probably not as it should be.
  [[nodiscard]] const std::vector<std::string>& warnings() const;
  [[nodiscard]] const Tokenizer& tokenizer() const;
  [[nodiscard]] const BertConfig& config() const;

 private:
  struct [[gnu::visibility("hidden")]] Impl;
  explicit SentenceTransformer(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace cloze

#pragma GCC visibility pop
