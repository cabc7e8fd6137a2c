/// \file
/// `config_sentence_transformers.json`: what sentence-transformers says about a model as a whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/prompts.h"
#include "cloze/similarity.h"

namespace cloze {

inline constexpr std::string_view kModelSettingsFile = "config_sentence_transformers.json";

struct ModelSettings {
  std::string model_type = "SentenceTransformer";
  bool states_type = false;
  Prompts prompts{};
  SimilarityFunction similarity_fn = SimilarityFunction::cosine;
  bool states_similarity = false;
  bool mean_max_similarity = false;  ///< of models that compare token by token: "meanmaxsim"
  std::optional<std::int64_t> max_active_dims{};  ///< of a SparseEncoder
  std::optional<std::int64_t> truncate_dim{};
  std::optional<std::string> activation_fn{};  ///< of a CrossEncoder: a path of Python
};

/// Reads the file; the defaults where there is none. Adds what it does not know to `warnings`.
/// `multi_vector`: the model compares token by token, though the file may not say so.
/// Throws FormatError, and ModelError for a default prompt that is not there.
[[nodiscard]] ModelSettings read_model_settings(const std::filesystem::path& directory,
                                                std::vector<std::string>& warnings,
                                                bool multi_vector = false);

}  // namespace cloze
