/// \file
/// A vector for each token of a text, to be compared token by token (late interaction): ColBERT
/// (Khattab and Zaharia, arXiv:2004.12832), as sentence-transformers' `MultiVectorEncoder`, PyLate
/// and Stanford's checkpoints (HF_ColBERT) have it. The score of a document for a query is MaxSim:
/// the sum over the query's tokens of the greatest product with a token of the document.
///
///     const auto model = cloze::MultiVectorEncoder::from_pretrained("colbert-ir/colbertv2.0");
///     const std::vector<std::string> passages{"It left on Monday.", "We open at nine."};
///     for (const auto& hit : model.rank("Where is my parcel?", passages, {.top_k = 10})) {
///       use(passages[hit.index], hit.score);
///     }
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/pipeline.h"
#include "cloze/prompts.h"
#include "cloze/tensor.h"

#pragma GCC visibility push(default)
namespace cloze {

/// Which side of a search a text is on: models read queries and documents in different ways.
enum class TextRole : std::uint8_t {
  query,     ///< with the prompt "query", filled up with [MASK] where the model has that
  document,  ///< with the prompt "document", without the skiplist's tokens
};

/// "query" or "document". Throws ArgumentError for another name.
[[nodiscard]] TextRole text_role_from(std::string_view name);

/// The vectors of a text's tokens that count.
struct TokenVectors {
  std::vector<std::int32_t> ids{};  ///< the tokens: tokenizer().id_to_token names them
  Tensor vectors{};                 ///< f32 [tokens, dimension()]
};

/// How texts are encoded.
struct MultiVectorEncodeOptions {
  TextRole role = TextRole::document;
  std::int64_t max_length = 0;  ///< tokens, special ones included; 0: `max_length(role)`
  /// Cut a longer text instead of throwing. Absent: cut it, as sentence-transformers does.
  std::optional<bool> truncate{};
  TextName name{};    ///< of a text in messages; empty: "text 3", counted from 1
  TextsCut on_cut{};  ///< told how many texts were cut
  /// What goes before each text, here or by its name among `prompts()`. Absent: the role's prompt,
  /// if there is one.
  std::optional<std::string> prompt{};
  std::optional<std::string> prompt_name{};
};

/// A document with its score for a query.
struct ScoredDocument {
  std::size_t index = 0;
  double score = 0;
};

/// How the documents of a query are ranked.
struct MultiVectorRankOptions {
  std::int64_t top_k = 0;  ///< the best documents; 0: all
  TextName name{};         ///< of a document in messages
};

/// Texts to the vectors of their tokens; immutable, and safe to share between threads.
class MultiVectorEncoder {
 public:
  /// Loads such a model's directory, or a model by its name (see find_model). Throws as BertModel
  /// does; ModelError also for a directory that is no such model, and for modules and settings that
  /// Cloze does not have.
  [[nodiscard]] static MultiVectorEncoder from_pretrained(
      const std::filesystem::path& directory_or_name, const PipelineOptions& options = {});

  /// The vectors of each text. Throws ArgumentError for pairs, a limit over what the model reads,
  /// an unknown prompt and one that leaves no room for a text; TextTooLong where texts are not cut;
  /// Cancelled.
  [[nodiscard]] std::vector<TokenVectors> encode(const Texts& texts,
                                                 const MultiVectorEncodeOptions& options = {},
                                                 const ProgressCallback& progress = {}) const;

  /// The score of every document for every query, f32 [queries, documents]: MaxSim, or where the
  /// model says so ("meanmaxsim") its mean over the query's tokens. A text without vectors scores
  /// 0.
  [[nodiscard]] Tensor similarity(std::span<const TokenVectors> queries,
                                  std::span<const TokenVectors> documents) const;

  /// The documents, best first for the query; equal scores in order. Throws ArgumentError for a
  /// negative `top_k`, and as encode does.
  [[nodiscard]] std::vector<ScoredDocument> rank(std::string_view query, const Texts& documents,
                                                 const MultiVectorRankOptions& options = {},
                                                 const ProgressCallback& progress = {}) const;

  [[nodiscard]] std::int64_t dimension() const;  ///< columns of a token's vector
  /// Tokens of a text in this role, special ones included.
  [[nodiscard]] std::int64_t max_length(TextRole role) const;
  [[nodiscard]] bool expands_queries() const;  ///< whether they are filled up with [MASK]
  [[nodiscard]] bool means() const;            ///< whether similarity() is a mean
  [[nodiscard]] const Prompts& prompts() const;
  /// What its files state that Cloze does not know, and what is probably not as it should be.
  [[nodiscard]] const std::vector<std::string>& warnings() const;
  [[nodiscard]] const Tokenizer& tokenizer() const;
  [[nodiscard]] const BertConfig& config() const;

 private:
  struct [[gnu::visibility("hidden")]] Impl;
  explicit MultiVectorEncoder(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace cloze

#pragma GCC visibility pop
