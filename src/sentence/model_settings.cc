#include "sentence/model_settings.h"

#include <algorithm>
#include <array>

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

constexpr std::array kFields{
    KnownField{"model_type"},
    KnownField{"prompts"},
    KnownField{"default_prompt_name"},
    KnownField{"similarity_fn_name"},
    KnownField{"truncate_dim"},
    KnownField{"activation_fn"},
    KnownField{"__version__", harmless},
    KnownField{"requirements", harmless},
    KnownField{"keep_in_fp32_modules", harmless},
    KnownField{"max_active_dims"},
};

/// What PyLate adds.
constexpr std::array kMultiVectorFields{
    KnownField{"query_prefix"},
    KnownField{"document_prefix"},
    KnownField{"query_length"},
    KnownField{"document_length"},
    KnownField{"query_expansion"},
    KnownField{"do_query_expansion"},
    KnownField{"attend_to_expansion_tokens"},
    KnownField{"attend_to_mask_tokens"},
    KnownField{"skiplist_words"},
};

/// Whether a model of this type compares token by token.
bool is_multi_vector(const std::string& type) {
  return type == "MultiVectorEncoder" || type == "ColBERT";
}

Prompts read_prompts(const Json& config, const std::string& origin) {
  Prompts prompts;
  if (const auto stated = config.find("prompts"); stated != config.end() && !stated->is_null()) {
    if (!stated->is_object()) {
      throw FormatError(fmt::format("{}: \"prompts\" is {}, not an object of texts", origin,
                                    json_excerpt(*stated)));
    }
    for (const auto& [name, text] : stated->items()) {
      if (!text.is_string() && !text.is_null()) {
        throw FormatError(fmt::format("{}: the prompt {} is {}, not a text", origin,
                                      in_quotes(name), json_excerpt(text)));
      }
      prompts.prompts[name] = text.is_null() ? "" : text.get<std::string>();
    }
  }
  prompts.default_prompt_name = json_field<std::string>(config, "default_prompt_name", origin);
  if (prompts.default_prompt_name) {
    try {
      (void)prompts.resolve({}, {});
    } catch (const ArgumentError& error) {
      throw ModelError(fmt::format("{}: \"default_prompt_name\" is {}, and {}", origin,
                                   in_quotes(*prompts.default_prompt_name), error.what()));
    }
  }
  return prompts;
}

}  // namespace

ModelSettings read_model_settings(const std::filesystem::path& directory,
                                  std::vector<std::string>& warnings, bool multi_vector) {
  ModelSettings settings;
  const auto path = directory / kModelSettingsFile;
  if (!files::exists(path)) return settings;
  const auto origin = path.string();
  const auto config = read_json_object(path);
  if (const auto type = json_field<std::string>(config, "model_type", origin)) {
    settings.model_type = *type;
    settings.states_type = true;
  }
  refuse_fields(config, kFields, origin);
  auto unknown = unknown_fields(config, kFields);
  const bool known = is_multi_vector(settings.model_type) || !settings.states_type;
  std::erase_if(unknown, [&](const std::string& name) {
    return known && std::any_of(kMultiVectorFields.begin(), kMultiVectorFields.end(),
                                [&](const KnownField& field) { return field.name == name; });
  });
  if (!unknown.empty()) warnings.push_back(warning_of_unknown(unknown, origin));
  settings.prompts = read_prompts(config, origin);
  const auto name = json_field<std::string>(config, "similarity_fn_name", origin);
  if (multi_vector || is_multi_vector(settings.model_type)) {
    settings.mean_max_similarity = name == "meanmaxsim";  // all others mean MaxSim there
  } else if (name) {
    settings.states_similarity = true;
    try {
      settings.similarity_fn = similarity_function_from(*name);
    } catch (const ArgumentError& error) {
      throw ModelError(
          fmt::format("{}: \"similarity_fn_name\": {}", origin, std::string(error.what())));
    }
  }
  if (const auto value = config.find("truncate_dim"); value != config.end() && !value->is_null()) {
    settings.truncate_dim = required_json_whole<std::int64_t>(config, "truncate_dim", origin, 1);
  }
  if (const auto value = config.find("max_active_dims");
      value != config.end() && !value->is_null()) {
    settings.max_active_dims =
        required_json_whole<std::int64_t>(config, "max_active_dims", origin, 1);
  }
  settings.activation_fn = json_field<std::string>(config, "activation_fn", origin);
  return settings;
}

}  // namespace cloze
