#include "sentence/kept_settings.h"

#include <vector>

#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/json.h"
#include "core/json_fields.h"
#include "sentence/model_settings.h"

namespace cloze {

std::string kept_model_settings(const std::filesystem::path& root, std::string_view task) {
  const auto path = root / kModelSettingsFile;
  if (!files::exists(path)) return {};
  std::vector<std::string> ignored;
  const auto settings = read_model_settings(root, ignored);
  const bool embeds = task == "sentence-embedding";
  const bool scores = task == "ranking" || task == "regression" || task == "text-classification";
  const bool kept = (embeds && settings.model_type == "SentenceTransformer") ||
                    (scores && settings.model_type == "CrossEncoder");
  return kept ? files::read_text(path) : std::string();
}

void keep_activation(std::string_view model_settings, const std::string& origin,
                     BertConfig& config) {
  if (model_settings.empty()) return;
  const auto settings = parse_json_object(model_settings, origin);
  const auto activation = json_field<std::string>(settings, "activation_fn", origin);
  if (!activation) return;
  auto extra = parse_json_object(config.extra_json, "BertConfig::extra_json");
  auto& section = extra["sentence_transformers"];
  if (!section.is_object()) section = nlohmann::json::object();
  section["activation_fn"] = *activation;
  config.extra_json = extra.dump();
}

}  // namespace cloze
