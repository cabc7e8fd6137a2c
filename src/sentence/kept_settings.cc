#include "sentence/kept_settings.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "checkpoint/model_names.h"
#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/io/files.h"
#include "core/json.h"
#include "core/json_fields.h"
#include "core/strings.h"
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

std::string_view other_than_mean(const SentenceSettings& settings) {
  if (settings.poolings != std::vector{Pooling::mean}) return "another pooling";
  for (const auto& step : settings.steps) {
    if (step.linear()) return "a dense layer";
  }
  if (settings.truncate_dim) return "fewer dimensions (truncate_dim)";
  if (!settings.include_prompt && !settings.prompts.resolve({}, {}).empty()) {
    return "a prompt that is not pooled";
  }
  return "";
}

std::vector<std::string> left_out_of_training(const std::filesystem::path& root,
                                              std::string_view task) {
  std::vector<std::string> sentences;
  const auto directory = transformer_directory(root);
  const auto config = BertConfig::from_pretrained(directory);
  const auto& classes = config.architectures;
  const bool colbert = std::find(classes.begin(), classes.end(), "HF_ColBERT") != classes.end();
  if (colbert || config.model_type == "dpr") {
    const auto checkpoint = Checkpoint::open(directory);
    const ModelNames names(checkpoint);
    const std::string module = colbert ? "linear." : "encode_proj.";
    std::string found;
    for (const auto* part : {"weight", "bias"}) {
      const auto* stored = names.stored(module + part);
      if (stored != nullptr) found += (found.empty() ? "" : " and ") + *stored;
    }
    if (!found.empty()) {
      sentences.push_back(fmt::format(
          "{}: {}, which the model's own vectors are projected by, {} no part of what is trained, "
          "and left out of the trained model",
          excerpt_of_path(checkpoint.path()), found,
          found.find(' ') == std::string::npos ? "is" : "are"));
    }
  }
  if (task != "sentence-embedding") return sentences;
  const auto says = [&](std::string_view way) {
    sentences.push_back(fmt::format(
        "{} makes its vectors with {}; training takes the mean of the tokens, scaled to length 1, "
        "and the trained model's vectors are made so",
        excerpt_of_path(root), way));
  };
  switch (vector_kind(root)) {
    case VectorKind::sparse:
      says("weights of the vocabulary's words (SparseEncoder)");
      break;
    case VectorKind::multi_vector:
      says("a vector for each token (ColBERT)");
      break;
    default:
      // A directory whose modules Cloze does not have says what they are.
      try {
        const auto settings = sentence_settings(root);
        const auto other = settings ? other_than_mean(*settings) : "";
        if (!other.empty()) says(other);
      } catch (const ModelError& error) {
        sentences.emplace_back(error.what());
      }
  }
  return sentences;
}

}  // namespace cloze
