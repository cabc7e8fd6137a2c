/// \file
/// What a sentence-transformers directory says about the way from a text to its vector: every field
/// that sentence-transformers 2 to 6 write is honoured, changes nothing, or is refused by its name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cloze/pooling.h"
#include "cloze/prompts.h"
#include "cloze/similarity.h"

#pragma GCC visibility push(default)
namespace cloze {

/// A module after the pooling.
struct SentenceStep {
  enum class Kind : std::uint8_t {
    dense,      ///< a linear layer
    normalize,  ///< vectors are scaled to length 1
    /// DPR's `encode_proj` or Stanford ColBERT's `linear`, which lie in the model's own checkpoint.
    projection,
  };
  Kind kind = Kind::normalize;
  std::filesystem::path directory{};  ///< of the Dense module, or of the model

  [[nodiscard]] bool linear() const { return kind != Kind::normalize; }
};

/// What such a directory says.
struct SentenceSettings {
  std::vector<Pooling> poolings{Pooling::mean};  ///< side by side, in their order
  bool include_prompt = true;                    ///< false: the prompt's tokens are not pooled
  std::vector<SentenceStep> steps{};  ///< between the pooling and the end, in their order
  /// Tokens of a text at most; absent where the directory leaves it to the tokenizer
  /// (`model_max_length`) and to what the model reads.
  std::optional<std::int64_t> max_seq_length{};
  std::string transformer_file{};  ///< which says so: "sentence_bert_config.json"; empty: none
  bool do_lower_case = false;      ///< texts are lower-cased before all else
  Prompts prompts{};
  SimilarityFunction similarity_fn = SimilarityFunction::cosine;
  std::optional<std::int64_t> truncate_dim{};  ///< first columns of a vector that are kept
  std::vector<std::string> warnings{};         ///< what is stated and means nothing to Cloze

  [[nodiscard]] bool normalizes() const {  ///< whether vectors have length 1 at the end
    return !steps.empty() && steps.back().kind == SentenceStep::Kind::normalize;
  }
};

/// Reads `modules.json`, the modules' own settings, `sentence_bert_config.json` (or its names for
/// other models) and `config_sentence_transformers.json`. Without `modules.json` one of DPR's
/// encoders says by its config.json what transformers' DPRQuestionEncoder computes: the first
/// token's hidden state, projected where `projection_dim` is not 0, compared by dot product; of any
/// other model nothing is returned. Throws FormatError for what cannot be read, and ModelError for
/// what Cloze does not have: other modules, a directory without a Pooling (it makes vectors of
/// tokens alone), a model of another kind (CrossEncoder, SparseEncoder, HF_ColBERT, ...), and any
/// setting that it cannot honour.
[[nodiscard]] std::optional<SentenceSettings> sentence_settings(
    const std::filesystem::path& directory);

/// What a model makes of a text.
enum class VectorKind : std::uint8_t {
  tokens,        ///< it does not say: the vectors of the tokens
  sentence,      ///< a vector: SentenceTransformer, DPR
  sparse,        ///< a weight for each word of the vocabulary: SparseEncoder
  multi_vector,  ///< a vector for each token, to be compared token by token: MultiVectorEncoder
};

/// What `modules.json`, the `model_type` of `config_sentence_transformers.json` and config.json
/// say. Throws FormatError for a file that cannot be read.
[[nodiscard]] VectorKind vector_kind(const std::filesystem::path& directory);

/// Where the transformer of a model directory lies: the directory itself, or what `modules.json`
/// names (older sentence-transformers have `0_Transformer`). Throws FormatError as
/// sentence_settings does.
[[nodiscard]] std::filesystem::path transformer_directory(const std::filesystem::path& directory);

}  // namespace cloze

#pragma GCC visibility pop
