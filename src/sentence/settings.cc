#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/config.h"
#include "cloze/error.h"
#include "cloze/sentence_settings.h"
#include "core/io/files.h"
#include "core/json.h"
#include "core/json_fields.h"
#include "sentence/model_settings.h"
#include "sentence/module_settings.h"
#include "sentence/modules_file.h"
#include "sentence/text_settings.h"

namespace cloze {
namespace {

using Json = nlohmann::json;

/// Reads the modules one after another, in the order of the list, as sentence-transformers runs
/// them.
class ModuleReader {
 public:
  ModuleReader(const std::filesystem::path& directory, SentenceSettings settings)
      : directory_(&directory), settings_(std::move(settings)) {}

  void read(const ModuleEntry& module) {
    const auto& [type, path] = module;
    const auto name = module.name();
    if (module.foreign()) {
      refuse_module(*directory_, type, " of another program, whose code Cloze does not run");
    }
    if (module.is_transformer()) {
      require_first(type);
      const auto read =
          read_transformer_settings(path, TransformerTask::features, settings_.warnings);
      settings_.max_seq_length = read.max_seq_length;
      settings_.do_lower_case = read.do_lower_case;
      settings_.transformer_file = read.file;
    } else if (name == "Pooling") {
      if (pools_) refuse_module(*directory_, type, " after another Pooling");
      auto read = read_pooling_settings(path, settings_.warnings);
      settings_.poolings = std::move(read.poolings);
      settings_.include_prompt = read.include_prompt;
      pools_ = true;
    } else if (name == "Dense") {
      check_dense_settings(path, settings_.warnings);
      require_pooled(type);
      settings_.steps.push_back({.kind = SentenceStep::Kind::dense, .directory = path});
    } else if (name == "Normalize") {
      check_normalize_settings(path, settings_.warnings);
      require_pooled(type);
      settings_.steps.push_back({.kind = SentenceStep::Kind::normalize});
    } else if (name != "Dropout") {  // which does nothing outside of training
      refuse_module(*directory_, type, ", which Cloze does not have");
    }
    first_ = false;
  }

  [[nodiscard]] SentenceSettings take() {
    if (pools_ && !unpooled_.empty()) refuse_module(*directory_, unpooled_, " before the Pooling");
    if (pools_) return std::move(settings_);
    throw ModelError(
        fmt::format("{} has no Pooling: this model makes vectors of tokens (the pooling none gives "
                    "those before "
                    "its further modules), and a sentence's vector needs a pooling of your choice",
                    (*directory_ / "modules.json").string()));
  }

 private:
  void require_first(const std::string& type) const {
    if (!first_) refuse_module(*directory_, type, " that is not the first");
  }
  void require_pooled(const std::string& type) {
    if (!pools_) unpooled_ = type;
  }
  const std::filesystem::path* directory_;
  SentenceSettings settings_;
  std::string unpooled_;
  bool first_ = true, pools_ = false;
};

/// What else to do with a model of another type.
std::string_view remedy_for(const std::string& type) {
  if (type == "CrossEncoder") {
    return "it scores pairs of texts (cloze rank); a pooling of your choice gives vectors";
  }
  if (type == "SparseEncoder") {
    return "it weighs the words of a vocabulary (SparseEncoder; cloze encode, similarity and rank)";
  }
  if (type == "MultiVectorEncoder" || type == "ColBERT") {
    return "it compares token by token (MultiVectorEncoder; cloze encode, similarity and rank)";
  }
  return "a pooling of your choice gives vectors of its encoder";
}

/// What is said about texts and vectors as a whole. Throws ModelError for a model of another kind.
void read_whole_model(const std::filesystem::path& directory, SentenceSettings& settings) {
  auto model = read_model_settings(directory, settings.warnings);
  if (model.model_type != "SentenceTransformer") {
    throw ModelError(
        fmt::format("{}: \"model_type\" is {}, and this needs a SentenceTransformer: {}",
                    (directory / kModelSettingsFile).string(), in_quotes(model.model_type),
                    remedy_for(model.model_type)));
  }
  settings.prompts = std::move(model.prompts);
  settings.similarity_fn = model.similarity_fn;
  settings.truncate_dim = model.truncate_dim;
}

/// The model's type as config_sentence_transformers.json states it; empty where it does not.
std::string read_model_type(const std::filesystem::path& directory) {
  const auto path = directory / kModelSettingsFile;
  if (!files::exists(path)) return "";
  return json_field<std::string>(read_json_object(path), "model_type", path.string()).value_or("");
}

bool is_stanford_colbert(const std::filesystem::path& directory) {
  const auto path = directory / "config.json";
  if (!files::exists(path)) return false;
  const auto config = read_json_object(path);
  const auto names = config.find("architectures");
  return names != config.end() && names->is_array() &&
         std::find(names->begin(), names->end(), "HF_ColBERT") != names->end();
}

/// What transformers computes as the `pooler_output` of DPR's encoders; nothing for another model.
std::optional<SentenceSettings> dpr_settings(const std::filesystem::path& directory) {
  const auto path = directory / "config.json";
  if (!files::exists(path)) return std::nullopt;
  const auto text = files::read_text(path);
  const auto object = parse_json_object(text, path.string());
  const auto type = object.find("model_type");
  if (type == object.end() || *type != "dpr") return std::nullopt;
  const auto config = BertConfig::from_json(text, path.string());
  SentenceSettings settings{.poolings = {Pooling::cls}, .similarity_fn = SimilarityFunction::dot};
  if (config.projection_dim > 0) {
    settings.steps.push_back({.kind = SentenceStep::Kind::projection, .directory = directory});
  }
  return settings;
}

}  // namespace

std::filesystem::path transformer_directory(const std::filesystem::path& directory) {
  for (const auto& module : read_modules(directory, nullptr).value_or(std::vector<ModuleEntry>())) {
    if (module.is_transformer()) return module.directory;
  }
  return directory;
}

std::optional<SentenceSettings> sentence_settings(const std::filesystem::path& directory) {
  SentenceSettings settings;
  const auto modules = read_modules(directory, &settings.warnings);
  if (!modules) {
    if (!is_stanford_colbert(directory)) return dpr_settings(directory);
    throw ModelError(fmt::format("{}: this is an HF_ColBERT, which makes no vector of a text: {}",
                                 (directory / "config.json").string(), remedy_for("ColBERT")));
  }
  try {
    read_whole_model(directory, settings);
    ModuleReader reader(directory, std::move(settings));
    for (const auto& module : *modules) reader.read(module);
    return reader.take();
  } catch (const Json::exception& error) {
    throw FormatError(
        fmt::format("{} and what it names are not sentence-transformers' settings: {}",
                    (directory / "modules.json").string(), describe_json_error(error.what())));
  }
}

VectorKind vector_kind(const std::filesystem::path& directory) {
  std::vector<std::string> warnings;
  const auto modules = read_modules(directory, nullptr);
  if (!modules) {
    if (dpr_settings(directory)) return VectorKind::sentence;
    return is_stanford_colbert(directory) ? VectorKind::multi_vector : VectorKind::tokens;
  }
  const auto has = [&](std::string_view name) {
    return std::any_of(modules->begin(), modules->end(),
                       [&](const ModuleEntry& module) { return module.name() == name; });
  };
  const auto type = read_model_type(directory);
  if (type == "SparseEncoder") return VectorKind::sparse;
  if (type == "MultiVectorEncoder" || type == "ColBERT") return VectorKind::multi_vector;
  if (type.empty() && has("SpladePooling")) return VectorKind::sparse;
  if (type.empty() && has("Dense") && !has("Pooling")) return VectorKind::multi_vector;
  return VectorKind::sentence;
}

SentenceSettings text_settings(const std::filesystem::path& directory) {
  SentenceSettings settings;
  if (!files::exists(directory / "modules.json")) return settings;
  auto model = read_model_settings(directory, settings.warnings);
  if (model.model_type != "SentenceTransformer") return settings;  // nothing about vectors
  settings.prompts = std::move(model.prompts);
  settings.similarity_fn = model.similarity_fn;
  settings.do_lower_case = read_transformer_settings(transformer_directory(directory),
                                                     TransformerTask::features, settings.warnings)
                               .do_lower_case;
  return settings;
}

}  // namespace cloze
