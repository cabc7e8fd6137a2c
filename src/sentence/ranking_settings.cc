#include "sentence/ranking_settings.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/sentence_settings.h"
#include "core/io/files.h"
#include "core/json.h"
#include "core/json_fields.h"
#include "core/strings.h"
#include "sentence/model_settings.h"
#include "sentence/module_settings.h"

namespace cloze {
namespace {

constexpr std::array<std::pair<std::string_view, ScoreActivation>, 4> kScoreActivations{
    {{"Identity", ScoreActivation::identity},
     {"Sigmoid", ScoreActivation::sigmoid},
     {"Tanh", ScoreActivation::tanh},
     {"ReLU", ScoreActivation::relu}}};

constexpr auto kConfig = "config.json";

/// Of a path such as "torch.nn.modules.linear.Identity".
ScoreActivation activation_of(const std::string& path, const std::string& origin) {
  const auto name = std::string_view(path).substr(path.rfind('.') + 1);
  for (const auto& [known, activation] : kScoreActivations) {
    if (known == name && (known == path || path.starts_with("torch."))) return activation;
  }
  throw ModelError(fmt::format(
      "{} says that scores are made by {}, which Cloze does not compute; it has torch's Identity, "
      "Sigmoid, Tanh and ReLU",
      origin, in_quotes(path)));
}

/// `sentence_transformers.activation_fn`, else `sbert_ce_default_activation_function`.
std::optional<std::string> stated_in_config(const BertConfig& config) {
  const auto extra = parse_json_object(config.extra_json, "BertConfig::extra_json");
  const auto section = extra.find("sentence_transformers");
  if (section != extra.end() && section->is_object() && section->contains("activation_fn")) {
    return json_field<std::string>(*section, "activation_fn", kConfig);
  }
  return json_field<std::string>(extra, "sbert_ce_default_activation_function", kConfig);
}

/// The modules of a CrossEncoder, which sentence-transformers 6 lists: a Transformer alone.
void check_modules(const std::filesystem::path& path) {
  const auto modules = parse_json(files::read_text(path), path.string());
  try {
    for (const auto& module : modules) {
      const auto type = module.at("type").get<std::string>();
      if (type.starts_with("sentence_transformers.") && type.ends_with(".Transformer")) continue;
      throw ModelError(
          fmt::format("{} has a module {}, which Cloze does not have in a model that scores pairs",
                      path.string(), in_quotes(type)));
    }
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(fmt::format("{} is not a list of modules: {}", path.string(),
                                  describe_json_error(error.what())));
  }
}

/// Of a file that sentence-transformers reads beside modules.json alone.
std::string warning_of_unread(const std::filesystem::path& file) {
  return fmt::format(
      "{}: there is no modules.json beside it, without which sentence-transformers does not read "
      "it: no default prompt, activation or limit is taken from it",
      excerpt_of_path(file));
}

}  // namespace

std::string_view name_of(ScoreActivation activation) {
  return kScoreActivations.at(static_cast<std::size_t>(activation)).first;
}

double activate(double logit, ScoreActivation activation) {
  switch (activation) {
    case ScoreActivation::sigmoid:
      return 1 / (1 + std::exp(-logit));
    case ScoreActivation::tanh:
      return std::tanh(logit);
    case ScoreActivation::relu:
      return std::max(logit, 0.0);
    case ScoreActivation::identity:
      break;
  }
  return logit;
}

RankingSettings ranking_settings(const std::filesystem::path& root, const BertConfig& config) {
  RankingSettings settings;
  auto model = read_model_settings(root, settings.warnings);
  // What another kind of model says of itself does not describe this one.
  const auto path = root / "modules.json";
  const bool lists = files::exists(path);
  const bool own = lists && model.model_type == "CrossEncoder";
  if (own) {
    check_modules(path);
    const auto read = read_transformer_settings(transformer_directory(root),
                                                TransformerTask::classification, settings.warnings);
    settings.max_seq_length = read.max_seq_length;
    settings.transformer_file = read.file;
    settings.do_lower_case = read.do_lower_case;
    settings.prompts = std::move(model.prompts);
  } else if (!lists) {
    const bool other_activation =
        model.activation_fn && model.activation_fn != stated_in_config(config);
    if (model.prompts.default_prompt_name || other_activation) {
      settings.warnings.push_back(warning_of_unread(root / kModelSettingsFile));
    }
    constexpr auto kTransformerFile = "sentence_bert_config.json";
    if (files::exists(root / kTransformerFile)) {
      settings.warnings.push_back(warning_of_unread(root / kTransformerFile));
    }
    // Whoever names a prompt may have it.
    settings.prompts.prompts = std::move(model.prompts.prompts);
  }
  if (own && model.activation_fn) {
    settings.activation_file = kModelSettingsFile;
    settings.activation = activation_of(*model.activation_fn, (root / kModelSettingsFile).string());
  } else if (const auto stated = stated_in_config(config)) {
    settings.activation_file = kConfig;
    settings.activation = activation_of(*stated, (transformer_directory(root) / kConfig).string());
  }
  return settings;
}

}  // namespace cloze
