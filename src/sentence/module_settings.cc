#include "sentence/module_settings.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/io/known_fields.h"
#include "core/json.h"
#include "core/json_fields.h"

namespace cloze {
namespace {

using Json = nlohmann::json;
using enum KnownField::Effect;

constexpr std::string_view kSentenceOnly =
    "Cloze applies this module to the sentence's vector only (\"sentence_embedding\")";
constexpr std::string_view kTokensOnly =
    "in this model Cloze applies this module to the tokens' vectors only (\"token_embeddings\")";

/// The fields that say what a module is applied to.
void check_level(const Json& config, ModuleLevel level, const std::string& origin) {
  using Table = std::array<KnownField, 2>;
  constexpr Table kSentence{
      {{"module_input_name", refused, R"(null|"sentence_embedding")", kSentenceOnly},
       {"module_output_name", refused, R"(null|"sentence_embedding")", kSentenceOnly}}};
  constexpr Table kTokens{
      {{"module_input_name", refused, R"(null|"token_embeddings")", kTokensOnly},
       {"module_output_name", refused, R"(null|"token_embeddings")", kTokensOnly}}};
  refuse_fields(config, level == ModuleLevel::tokens ? kTokens : kSentence, origin);
}

constexpr std::array kPoolingFields{
    KnownField{"pooling_mode"},
    KnownField{"include_prompt"},
    KnownField{"pooling_mode_cls_token"},
    KnownField{"pooling_mode_mean_tokens"},
    KnownField{"pooling_mode_max_tokens"},
    KnownField{"pooling_mode_mean_sqrt_len_tokens"},
    KnownField{"pooling_mode_weightedmean_tokens"},
    KnownField{"pooling_mode_lasttoken"},
    // The width is the model's, whatever is written here.
    KnownField{"embedding_dimension", harmless},
    KnownField{"word_embedding_dimension", harmless},
};

constexpr std::array kNormalizeFields{
    KnownField{"module_input_name"},
    KnownField{"module_output_name"},
};

constexpr std::array kDenseFields{
    KnownField{"in_features"},
    KnownField{"out_features"},
    KnownField{"bias"},
    KnownField{"activation_function"},
    KnownField{"use_residual"},
    KnownField{"module_input_name"},
    KnownField{"module_output_name"},
    // Only for a new module: a stored one has its weights.
    KnownField{"init_weight", harmless},
    KnownField{"init_bias", harmless},
};

constexpr std::array<std::pair<std::string_view, Pooling>, 6> kModes{
    {{"cls", Pooling::cls},
     {"max", Pooling::max},
     {"mean", Pooling::mean},
     {"mean_sqrt_len_tokens", Pooling::mean_sqrt_len},
     {"weightedmean", Pooling::weighted_mean},
     {"lasttoken", Pooling::last_token}}};

Pooling pooling_mode(const Json& mode, const std::string& origin) {
  if (!mode.is_string()) {
    throw FormatError(fmt::format("{}: \"pooling_mode\" has {}, which is no name of a pooling",
                                  origin, json_excerpt(mode)));
  }
  for (const auto& [name, pooling] : kModes) {
    if (mode == name) return pooling;
  }
  throw ModelError(
      fmt::format("{} asks for the pooling {}, which Cloze does not have: choose another pooling",
                  origin, in_quotes(mode.get_ref<const std::string&>())));
}

/// Adds the modes that a list, or a single name, states.
void add_modes(const Json& modes, const std::string& origin, std::vector<Pooling>& poolings) {
  constexpr std::size_t kMost = 64;
  if (!modes.is_array()) {
    poolings.push_back(pooling_mode(modes, origin));
    return;
  }
  if (modes.empty() || modes.size() > kMost) {
    throw FormatError(
        fmt::format("{}: \"pooling_mode\" is a list of {} names; it must have 1 to {}", origin,
                    modes.size(), kMost));
  }
  for (const auto& mode : modes) poolings.push_back(pooling_mode(mode, origin));
}

}  // namespace

PoolingSettings read_pooling_settings(const std::filesystem::path& directory,
                                      std::vector<std::string>& warnings) {
  const auto path = directory / "config.json";
  const auto origin = path.string();
  const auto config = read_json_object(path);
  constexpr std::string_view kPrefix = "pooling_mode_";
  for (const auto& field : config.items()) {
    const auto& name = field.key();
    const bool known = std::any_of(kPoolingFlags.begin(), kPoolingFlags.end(),
                                   [&](const auto& flag) { return name == flag.first; });
    if (!name.starts_with(kPrefix) || known || field.value() == false) continue;
    throw ModelError(
        fmt::format("{} asks for the pooling {}, which Cloze does not have: choose another pooling",
                    origin, in_quotes(name.substr(kPrefix.size()))));
  }
  check_fields(config, kPoolingFields, origin, warnings);
  PoolingSettings settings;
  settings.include_prompt = json_field<bool>(config, "include_prompt", origin).value_or(true);
  if (const auto modes = config.find("pooling_mode"); modes != config.end() && !modes->is_null()) {
    add_modes(*modes, origin, settings.poolings);
  } else {
    for (const auto& [name, pooling] : kPoolingFlags) {
      if (json_field<bool>(config, name, origin).value_or(false)) {
        settings.poolings.push_back(pooling);
      }
    }
  }
  if (settings.poolings.empty()) settings.poolings.push_back(Pooling::mean);
  return settings;
}

void check_normalize_settings(const std::filesystem::path& directory,
                              std::vector<std::string>& warnings, ModuleLevel level) {
  const auto path = directory / "config.json";
  if (!files::exists(path)) return;
  const auto config = read_json_object(path);
  check_fields(config, kNormalizeFields, path.string(), warnings);
  check_level(config, level, path.string());
}

void check_dense_settings(const std::filesystem::path& directory,
                          std::vector<std::string>& warnings, ModuleLevel level) {
  const auto path = directory / "config.json";
  const auto config = read_json_object(path);
  check_fields(config, kDenseFields, path.string(), warnings);
  check_level(config, level, path.string());
}

}  // namespace cloze
