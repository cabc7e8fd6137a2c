/// \file
/// What a CrossEncoder's directory says about the scores that it gives.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/config.h"
#include "cloze/prompts.h"

namespace cloze {

/// What becomes of a logit: the classes of torch.nn that Cloze computes.
enum class ScoreActivation : std::uint8_t { identity, sigmoid, tanh, relu };

/// "Identity", "Sigmoid", ...
[[nodiscard]] std::string_view name_of(ScoreActivation activation);

/// The activation of a logit.
[[nodiscard]] double activate(double logit, ScoreActivation activation);

struct RankingSettings {
  /// As stated, in the order in which sentence-transformers looks: `activation_fn` in
  /// config_sentence_transformers.json (since 6), `sentence_transformers.activation_fn` in
  /// config.json (4, 5), `sbert_ce_default_activation_function` there (before).
  std::optional<ScoreActivation> activation{};
  std::string activation_file{};  ///< which states it
  Prompts prompts{};
  std::optional<std::int64_t> max_seq_length{};
  std::string transformer_file{};  ///< which states that, "sentence_bert_config.json"
  bool do_lower_case = false;
  std::vector<std::string> warnings{};
};

/// Reads what lies in `root`, where modules.json would be, and beside the configuration `config`.
/// As sentence-transformers does it, config_sentence_transformers.json and sentence_bert_config.json
/// count beside modules.json alone; without, prompts can be named, and a warning says what is not
/// taken. Throws FormatError, and ModelError for an activation or a module that Cloze does not have.
[[nodiscard]] RankingSettings ranking_settings(const std::filesystem::path& root,
                                               const BertConfig& config);

}  // namespace cloze
