/// \file
/// The settings files of sentence-transformers' modules, each with the table of its fields.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cloze/pooling.h"

namespace cloze {

/// How ColBERT fills a query up: sentence-transformers' `query_expansion`.
struct QueryExpansion {
  bool fixed = true;    ///< longer queries are cut to `length`; otherwise they stay as they are
  bool attend = false;  ///< other tokens attend to what was added
  std::string token{};  ///< what is added; empty: [MASK]
  std::int64_t length = 32;  ///< tokens of a query, special ones included
};

/// Of a Transformer: `sentence_bert_config.json`, or the file's name for another model.
struct TransformerSettings {
  std::string file{};  ///< its name; empty where there is none
  std::optional<std::int64_t> max_seq_length{};
  bool do_lower_case = false;
  // Of models that compare token by token.
  std::optional<std::int64_t> query_length{}, document_length{};
  bool states_expansion = false;  ///< also that there is none
  std::optional<QueryExpansion> expansion{};
};

/// What a Transformer module is asked for: the vectors of tokens (for one vector a text, or to be
/// compared one by one), a classifier's logits, or those of the vocabulary at each token.
enum class TransformerTask : std::uint8_t {
  features,
  late_interaction,
  classification,
  predictions
};

/// The field `query_expansion` of an object; nothing where it is null. Throws FormatError, and
/// ModelError for one that Cloze does not have.
[[nodiscard]] std::optional<QueryExpansion> read_query_expansion(const nlohmann::json& config,
                                                                 const std::string& origin);

/// Reads the file in `directory`; adds what it does not know to `warnings`. Throws FormatError, and
/// ModelError for what changes the vectors in a way that Cloze does not have.
[[nodiscard]] TransformerSettings read_transformer_settings(const std::filesystem::path& directory,
                                                            TransformerTask task,
                                                            std::vector<std::string>& warnings);

/// Booleans of older sentence-transformers, in the order in which the vectors stand side by side.
inline constexpr std::array<std::pair<const char*, Pooling>, 6> kPoolingFlags{
    {{"pooling_mode_cls_token", Pooling::cls},
     {"pooling_mode_max_tokens", Pooling::max},
     {"pooling_mode_mean_tokens", Pooling::mean},
     {"pooling_mode_mean_sqrt_len_tokens", Pooling::mean_sqrt_len},
     {"pooling_mode_weightedmean_tokens", Pooling::weighted_mean},
     {"pooling_mode_lasttoken", Pooling::last_token}}};

/// Of a Pooling.
struct PoolingSettings {
  std::vector<Pooling> poolings{};
  bool include_prompt = true;
};

/// Reads `config.json` in `directory`, as above.
[[nodiscard]] PoolingSettings read_pooling_settings(const std::filesystem::path& directory,
                                                    std::vector<std::string>& warnings);

/// What a module is applied to.
enum class ModuleLevel : std::uint8_t { sentence, tokens };

/// Looks at the `config.json` of a Normalize, which sentence-transformers 5.3 and later write.
void check_normalize_settings(const std::filesystem::path& directory,
                              std::vector<std::string>& warnings,
                              ModuleLevel level = ModuleLevel::sentence);

/// The same of a Dense module; `read_dense` (dense.h) reads it.
void check_dense_settings(const std::filesystem::path& directory,
                          std::vector<std::string>& warnings,
                          ModuleLevel level = ModuleLevel::sentence);

}  // namespace cloze
