/// \file
/// What a directory says about the vectors that search engines of other kinds than one vector a text
/// work with: sentence-transformers' SparseEncoder, and models that compare token by token
/// (MultiVectorEncoder, PyLate's ColBERT, Stanford's HF_ColBERT).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cloze/prompts.h"
#include "cloze/sentence_settings.h"
#include "cloze/similarity.h"
#include "sentence/module_settings.h"

namespace cloze {

/// Of a SparseEncoder that weighs the words of the vocabulary (SPLADE).
struct SparseSettings {
  bool sum = false;    ///< SpladePooling's "pooling_strategy": "sum", else "max"
  bool twice = false;  ///< its "activation_function": "log1p_relu", else "relu"
  std::string
      pooling_file{};  ///< which states both, relative to the directory; empty: nothing does
  std::optional<std::int64_t> max_active_dims{};
  std::optional<std::int64_t> max_seq_length{};
  std::string transformer_file{};
  bool do_lower_case = false;
  Prompts prompts{};
  SimilarityFunction similarity_fn = SimilarityFunction::dot;
  std::vector<std::string> warnings{};
};

/// Reads `modules.json` and what it names; the defaults, sentence-transformers' for a masked language
/// model, where there is none. Throws FormatError, and ModelError for what Cloze does not have: other
/// modules (Router, SparseStaticEmbedding, SparseAutoEncoder), settings that it cannot honour.
[[nodiscard]] SparseSettings sparse_settings(const std::filesystem::path& directory);

/// Of a model that compares token by token.
struct MultiVectorSettings {
  std::vector<SentenceStep> steps{};  ///< on the vector of each token, in their order
  /// Queries are filled up with [MASK], whose vectors count too.
  std::optional<QueryExpansion> expansion{};
  bool scores_expansion = false;  ///< there is a MultiVectorMask: what is not attended to counts
  std::optional<std::int64_t> query_length{}, document_length{}, max_seq_length{};
  std::vector<std::string> skiplist{};  ///< tokens whose vectors are left out
  bool skips_in_queries = false, skips_in_documents = true;
  std::vector<std::int32_t> keep_only{};  ///< not empty: of documents only these tokens' vectors
  /// Prompts whose first word is a token of the vocabulary that the tokenizer would take apart.
  std::vector<std::string> markers{};
  bool mean = false;  ///< scores are divided by the query's tokens ("meanmaxsim")
  std::string transformer_file{};
  std::string file{};  ///< which says how queries and documents are read
  bool do_lower_case = false;
  Prompts prompts{};
  std::vector<std::string> warnings{};
};

/// Reads `modules.json` and what it names, or config.json and `artifact.metadata` of a Stanford
/// ColBERT. Throws FormatError, and ModelError for what Cloze does not have (token pooling), settings
/// that it cannot honour, and a directory that is no such model.
[[nodiscard]] MultiVectorSettings multi_vector_settings(const std::filesystem::path& directory);

}  // namespace cloze
