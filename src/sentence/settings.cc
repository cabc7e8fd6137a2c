#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "checkpoint/known_fields.h"
#include "cloze/config.h"
#include "cloze/error.h"
#include "cloze/sentence_settings.h"
#include "core/io/files.h"
#include "core/json.h"
#include "sentence/model_settings.h"
#include "sentence/module_settings.h"
#include "sentence/text_settings.h"

namespace cloze {
namespace {

using Json = nlohmann::json;

Json read_json(const std::filesystem::path& path) {
  return parse_json(files::read_text(path), path.string());
}

/// A module's place, which must lie inside the directory and be short enough for a path.
std::filesystem::path module_path(const std::filesystem::path& directory, const Json& module) {
  constexpr std::size_t kLongest = 255;
  const std::filesystem::path path(module.value("path", ""));
  if (path.is_absolute() || path.native().size() > kLongest ||
      std::find(path.begin(), path.end(), "..") != path.end()) {
    throw FormatError(fmt::format("{} names the module {}, which is not inside the directory",
                                  (directory / "modules.json").string(), in_quotes(path.string())));
  }
  return path.empty() ? directory : directory / path;
}

/// "Transformer" of "sentence_transformers.models.Transformer": whatever package it lives in.
std::string module_name(const Json& module) {
  const auto type = module.at("type").get<std::string>();
  return type.substr(type.rfind('.') + 1);
}

/// Whether a module is a BERT: 2019's sentence-transformers had a class for each kind of model.
bool is_transformer(std::string_view name) {
  return name == "Transformer" || name == "BERT" || name == "DistilBERT";
}

/// Throws ModelError for a module of which only sentence-transformers, or other code, knows what it
/// computes.
[[noreturn]] void refuse_module(const std::string& origin, const std::string& type,
                                std::string_view why) {
  throw ModelError(
      fmt::format("{} has a module {}{}: a pooling of your choice gives the vectors "
                  "before it",
                  origin, in_quotes(type), why));
}

/// Reads the modules one after another, in the order of the list, as sentence-transformers runs
/// them.
class ModuleReader {
 public:
  ModuleReader(const std::filesystem::path& directory, SentenceSettings settings)
      : directory_(&directory),
        origin_((directory / "modules.json").string()),
        settings_(std::move(settings)) {}

  void read(const Json& module) {
    const auto type = module.at("type").get<std::string>();
    const auto name = module_name(module);
    const auto path = module_path(*directory_, module);
    if (type.find('.') != std::string::npos && !type.starts_with("sentence_transformers.")) {
      refuse_module(origin_, type, " of another program, whose code Cloze does not run");
    }
    warn_of_fields(module);
    if (is_transformer(name)) {
      require_first(type);
      const auto read =
          read_transformer_settings(path, TransformerTask::features, settings_.warnings);
      settings_.max_seq_length = read.max_seq_length;
      settings_.do_lower_case = read.do_lower_case;
      settings_.transformer_file = read.file;
    } else if (name == "Pooling") {
      if (pools_) refuse_module(origin_, type, " after another Pooling");
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
      refuse_module(origin_, type, ", which Cloze does not have");
    }
    first_ = false;
  }

  [[nodiscard]] SentenceSettings take() {
    if (pools_ && !unpooled_.empty()) refuse_module(origin_, unpooled_, " before the Pooling");
    if (pools_) return std::move(settings_);
    throw ModelError(
        fmt::format("{} has no Pooling: this model makes vectors of tokens (the pooling none gives "
                    "those before "
                    "its further modules), and a sentence's vector needs a pooling of your choice",
                    origin_));
  }

 private:
  void require_first(const std::string& type) const {
    if (!first_) refuse_module(origin_, type, " that is not the first");
  }
  void require_pooled(const std::string& type) {
    if (!pools_) unpooled_ = type;
  }
  void warn_of_fields(const Json& module) {
    using enum KnownField::Effect;
    constexpr std::array kFields{
        KnownField{"idx", harmless}, KnownField{"name", harmless}, KnownField{"path"},
        KnownField{"type"},
        KnownField{"kwargs", refused, "null|[]|{}", "Cloze's modules take no arguments of a call"}};
    check_fields(module, kFields, origin_, settings_.warnings);
  }

  const std::filesystem::path* directory_;
  std::string origin_;
  SentenceSettings settings_;
  std::string unpooled_;
  bool first_ = true, pools_ = false;
};

/// What is said about texts and vectors as a whole. Throws ModelError for a model of another kind.
void read_whole_model(const std::filesystem::path& directory, SentenceSettings& settings) {
  auto model = read_model_settings(directory, settings.warnings);
  if (model.model_type != "SentenceTransformer") {
    throw ModelError(fmt::format(
        "{}: \"model_type\" is {}, and this needs a SentenceTransformer: {}",
        (directory / kModelSettingsFile).string(), in_quotes(model.model_type),
        model.model_type == "CrossEncoder"
            ? "it scores pairs of texts (cloze rank); a pooling of your choice gives vectors"
            : "a pooling of your choice gives vectors of its encoder"));
  }
  settings.prompts = std::move(model.prompts);
  settings.similarity_fn = model.similarity_fn;
  settings.truncate_dim = model.truncate_dim;
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
  SentenceSettings settings{.poolings = {Pooling::cls},
                            .similarity_fn = SimilarityFunction::dot};
  if (config.projection_dim > 0) {
    settings.steps.push_back({.kind = SentenceStep::Kind::projection, .directory = directory});
  }
  return settings;
}

}  // namespace

std::filesystem::path transformer_directory(const std::filesystem::path& directory) {
  const auto path = directory / "modules.json";
  if (!files::exists(path)) return directory;
  try {
    for (const auto& module : read_json(path)) {
      if (is_transformer(module_name(module))) return module_path(directory, module);
    }
  } catch (const Json::exception& error) {
    throw FormatError(fmt::format("{} is not a list of modules: {}", path.string(),
                                  describe_json_error(error.what())));
  }
  return directory;
}

std::optional<SentenceSettings> sentence_settings(const std::filesystem::path& directory) {
  const auto path = directory / "modules.json";
  if (!files::exists(path)) return dpr_settings(directory);
  const auto modules = read_json(path);
  try {
    SentenceSettings settings;
    read_whole_model(directory, settings);
    ModuleReader reader(directory, std::move(settings));
    for (const auto& module : modules) reader.read(module);
    return reader.take();
  } catch (const Json::exception& error) {
    throw FormatError(
        fmt::format("{} and what it names are not sentence-transformers' settings: {}",
                    path.string(), describe_json_error(error.what())));
  }
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
