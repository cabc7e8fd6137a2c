// The settings of models that compare token by token.
#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/config.h"
#include "cloze/error.h"
#include "core/io/files.h"
#include "core/io/known_fields.h"
#include "core/json.h"
#include "core/json_fields.h"
#include "core/strings.h"
#include "sentence/model_settings.h"
#include "sentence/modules_file.h"
#include "sentence/search/search_settings.h"

namespace cloze {
namespace {

using Json = nlohmann::json;
using enum KnownField::Effect;

constexpr std::string_view kRemedy = "the pooling none gives the vectors of tokens before it";
constexpr std::int64_t kUsualExpansion = 32;  // tokens of ColBERT's queries

constexpr std::array kMaskFields{
    KnownField{"skiplist_words"},
    KnownField{"skiplist_tasks"},
    KnownField{"keep_only_token_ids"},
};

constexpr std::array kArtifactFields{
    KnownField{"query_token_id"},
    KnownField{"doc_token_id"},
    KnownField{"query_maxlen"},
    KnownField{"doc_maxlen"},
    KnownField{"attend_to_mask_tokens"},
    KnownField{"mask_punctuation"},
    KnownField{"similarity", refused, R"(null|"cosine")", "Cloze compares tokens by their cosine"},
};

/// Python's string.punctuation.
std::vector<std::string> punctuation() {
  std::vector<std::string> marks;
  for (const char mark : std::string_view(R"(!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~)")) {
    marks.emplace_back(1, mark);
  }
  return marks;
}

std::optional<std::int64_t> length_of(const Json& config, const char* name,
                                      const std::string& origin) {
  const auto length = json_count(config, name, origin);
  if (length && *length < 1) {
    throw FormatError(fmt::format("{}: \"{}\" is 0, no length of a text", origin, name));
  }
  return length;
}

std::vector<std::string> words_of(const Json& config, const char* name, const std::string& origin) {
  constexpr std::size_t kMost = 100'000;
  auto words = json_field<std::vector<std::string>>(config, name, origin)
                   .value_or(std::vector<std::string>());
  if (words.size() <= kMost) return words;
  throw FormatError(fmt::format("{}: \"{}\" is a list of {} words; it may have {}", origin, name,
                                words.size(), kMost));
}

/// Reads the modules of sentence-transformers and PyLate.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& directory) : directory_(directory) {}

  [[nodiscard]] MultiVectorSettings read(const std::vector<ModuleEntry>& modules) {
    auto model = read_model_settings(directory_, settings_.warnings, true);
    settings_.file = kModelSettingsFile;
    settings_.prompts = std::move(model.prompts);
    settings_.mean = model.mean_max_similarity;
    read_pylate(model);
    for (const auto& module : modules) add(module);
    // PyLate, and what is made of a model of sentence vectors, do the rest without modules.
    if (model.model_type == "ColBERT") {
      finish(skiplist_.value_or(punctuation()));
    } else if (model.model_type == "SentenceTransformer") {
      finish(skiplist_.value_or(prefixes_ ? punctuation() : std::vector<std::string>()));
    }
    if (!transforms_) {
      throw ModelError(
          fmt::format("{} names no Transformer", (directory_ / "modules.json").string()));
    }
    return std::move(settings_);
  }

 private:
  /// What PyLate writes beside the model's type.
  void read_pylate(const ModelSettings& model) {
    if (!files::exists(directory_ / kModelSettingsFile)) return;
    const auto origin = (directory_ / kModelSettingsFile).string();
    const auto config = read_json_object(directory_ / kModelSettingsFile);
    const auto has = [&](const char* name) { return config.contains(name); };
    for (const auto& [field, name] :
         {std::pair{"query_prefix", "query"}, std::pair{"document_prefix", "document"}}) {
      if (!has(field)) continue;
      const auto prefix = json_field<std::string>(config, field, origin).value_or("");
      auto& prompt = settings_.prompts.prompts[name];
      if (!prompt.starts_with(prefix)) prompt.insert(0, prefix);
      settings_.markers.push_back(prefix);
      prefixes_ = true;
    }
    settings_.query_length = length_of(config, "query_length", origin);
    settings_.document_length = length_of(config, "document_length", origin);
    if (has("skiplist_words") && !config["skiplist_words"].is_null()) {
      skiplist_ = words_of(config, "skiplist_words", origin);
    }
    if (has("query_expansion")) {
      settings_.expansion = read_query_expansion(config, origin);
      return;
    }
    constexpr std::array kMarks{"query_length",          "document_length",
                                "do_query_expansion",    "attend_to_expansion_tokens",
                                "attend_to_mask_tokens", "query_prefix",
                                "document_prefix",       "skiplist_words"};
    if (std::none_of(kMarks.begin(), kMarks.end(), has)) return;
    if (json_field<bool>(config, "do_query_expansion", origin) == false) return;
    const auto attend = json_field<bool>(config, "attend_to_expansion_tokens", origin);
    settings_.expansion = QueryExpansion{
        .attend = attend.value_or(
            json_field<bool>(config, "attend_to_mask_tokens", origin).value_or(false)),
        .length = settings_.query_length.value_or(kUsualExpansion)};
    settings_.query_length.reset();
    static_cast<void>(model);
  }

  void add(const ModuleEntry& module) {
    const auto name = module.name();
    const bool dense = name == "Dense";
    if (module.foreign() && !(dense && module.type.starts_with("pylate."))) {
      refuse_module(directory_, module.type, " of another program, whose code Cloze does not run",
                    kRemedy);
    }
    if (module.is_transformer()) {
      if (transforms_) refuse_module(directory_, module.type, " that is not the first", kRemedy);
      add_transformer(module);
    } else if (dense) {
      check_dense_settings(module.directory, settings_.warnings, ModuleLevel::tokens);
      settings_.steps.push_back({.kind = SentenceStep::Kind::dense, .directory = module.directory});
    } else if (name == "Normalize") {
      add_normalize(module);
    } else if (name == "MultiVectorMask") {
      add_mask(module);
    } else if (name != "Dropout") {
      refuse_module(directory_, module.type, ", which Cloze does not have", kRemedy);
    }
  }

  void add_transformer(const ModuleEntry& module) {
    const auto read = read_transformer_settings(module.directory, TransformerTask::late_interaction,
                                                settings_.warnings);
    settings_.max_seq_length = read.max_seq_length;
    settings_.do_lower_case = read.do_lower_case;
    settings_.transformer_file = read.file;
    if (read.query_length) settings_.query_length = read.query_length;
    if (read.document_length) settings_.document_length = read.document_length;
    if (read.states_expansion) settings_.expansion = read.expansion;
    if (read.query_length || read.document_length || read.states_expansion) {
      settings_.file = read.file;
    }
    const auto& expansion = settings_.expansion;
    if (expansion && settings_.query_length && *settings_.query_length < expansion->length) {
      throw ModelError(fmt::format(
          "{}: queries are filled up to {} tokens (\"query_expansion\"), and \"query_length\" cuts "
          "them to {}: raise it, or leave it out",
          (directory_ / settings_.file).string(), expansion->length, *settings_.query_length));
    }
    transforms_ = true;
  }

  void add_normalize(const ModuleEntry& module) {
    const auto path = module.directory / "config.json";
    const auto level =
        files::exists(path)
            ? json_field<std::string>(read_json_object(path), "module_input_name", path.string())
            : std::nullopt;
    if (level.value_or("sentence_embedding") == "sentence_embedding") return;  // there is none
    check_normalize_settings(module.directory, settings_.warnings, ModuleLevel::tokens);
    settings_.steps.push_back({.kind = SentenceStep::Kind::normalize});
  }

  void add_mask(const ModuleEntry& module) {
    const auto path = module.directory / "config.json";
    const auto origin = path.string();
    const auto config = read_json_object(path);
    check_fields(config, kMaskFields, origin, settings_.warnings);
    settings_.scores_expansion = true;
    settings_.skiplist = words_of(config, "skiplist_words", origin);
    if (const auto tasks = config.find("skiplist_tasks");
        tasks != config.end() && !tasks->is_null()) {
      const auto names = tasks->is_string() ? std::vector{tasks->get<std::string>()}
                                            : words_of(config, "skiplist_tasks", origin);
      const auto has = [&](std::string_view task) {
        return std::find(names.begin(), names.end(), task) != names.end();
      };
      settings_.skips_in_queries = has("query");
      settings_.skips_in_documents = has("document");
    }
    if (const auto ids = config.find("keep_only_token_ids");
        ids != config.end() && !ids->is_null()) {
      settings_.keep_only = required_json_counts(config, "keep_only_token_ids", origin);
    }
  }

  /// The mask and the normalization that older directories do not list.
  void finish(std::vector<std::string> skiplist) {
    settings_.scores_expansion = true;
    settings_.skiplist = std::move(skiplist);
    settings_.steps.push_back({.kind = SentenceStep::Kind::normalize});
  }

  const std::filesystem::path& directory_;
  MultiVectorSettings settings_;
  std::optional<std::vector<std::string>> skiplist_;
  bool transforms_ = false, prefixes_ = false;
};

/// Stanford's ColBERT: the projection lies among the model's weights, and `artifact.metadata` says
/// the rest.
MultiVectorSettings stanford_settings(const std::filesystem::path& directory) {
  constexpr auto kArtifact = "artifact.metadata";
  MultiVectorSettings settings;
  const auto path = directory / kArtifact;
  const auto origin = path.string();
  Json artifact = Json::object();
  if (files::exists(path)) {
    artifact = read_json_object(path);
    refuse_fields(artifact, kArtifactFields, origin);  // the rest is about training
    settings.file = kArtifact;
  }
  const auto marker = [&](const char* field, const char* usual) {
    const auto stated = json_field<std::string>(artifact, field, origin).value_or("");
    return (stated.empty() ? usual : stated) + " ";
  };
  settings.prompts.prompts = {{"query", marker("query_token_id", "[unused0]")},
                              {"document", marker("doc_token_id", "[unused1]")}};
  for (const auto& [role, prompt] : settings.prompts.prompts) settings.markers.push_back(prompt);
  settings.document_length = length_of(artifact, "doc_maxlen", origin);
  settings.expansion = QueryExpansion{
      .attend = json_field<bool>(artifact, "attend_to_mask_tokens", origin).value_or(false),
      .length = length_of(artifact, "query_maxlen", origin).value_or(kUsualExpansion)};
  if (json_field<bool>(artifact, "mask_punctuation", origin).value_or(true)) {
    settings.skiplist = punctuation();
  }
  settings.scores_expansion = true;
  settings.steps = {{.kind = SentenceStep::Kind::projection, .directory = directory},
                    {.kind = SentenceStep::Kind::normalize}};
  return settings;
}

}  // namespace

MultiVectorSettings multi_vector_settings(const std::filesystem::path& directory) {
  if (vector_kind(directory) != VectorKind::multi_vector) {
    throw ModelError(
        fmt::format("{} does not say that it compares texts token by token: choose a ColBERT "
                    "(HF_ColBERT), or a "
                    "MultiVectorEncoder of sentence-transformers or PyLate",
                    excerpt_of_path(directory)));
  }
  std::vector<std::string> warnings;
  const auto modules = read_modules(directory, &warnings);
  auto settings = modules ? Reader(directory).read(*modules) : stanford_settings(directory);
  settings.warnings.insert(settings.warnings.begin(), warnings.begin(), warnings.end());
  return settings;
}

}  // namespace cloze
