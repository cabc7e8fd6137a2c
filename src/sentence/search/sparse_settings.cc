// The settings of a SparseEncoder.
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/io/known_fields.h"
#include "core/json.h"
#include "core/json_fields.h"
#include "core/strings.h"
#include "sentence/model_settings.h"
#include "sentence/modules_file.h"
#include "sentence/search/search_settings.h"

namespace cloze {
namespace {

using enum KnownField::Effect;

constexpr std::string_view kOtherModel =
    "choose a model of a Transformer and a SpladePooling, or another kind of vector";

constexpr std::array kSpladeFields{
    KnownField{"pooling_strategy"},
    KnownField{"activation_function"},
    // The width is the vocabulary's, and chunks change nothing of the result.
    KnownField{"embedding_dimension", harmless},
    KnownField{"word_embedding_dimension", harmless},
    KnownField{"chunk_size", harmless},
};

/// Whether a field is the second of two names; the first where it is absent.
bool is_second(const nlohmann::json& config, const char* field, std::string_view first,
               std::string_view second, const std::string& origin) {
  const auto stated = json_field<std::string>(config, field, origin);
  if (!stated || *stated == first) return false;
  if (*stated == second) return true;
  throw ModelError(fmt::format("{}: \"{}\" is {}, and Cloze has {} and {}", origin, field,
                               in_quotes(*stated), in_quotes(first), in_quotes(second)));
}

void read_splade_pooling(const std::filesystem::path& root, const std::filesystem::path& directory,
                         SparseSettings& settings) {
  const auto path = directory / "config.json";
  const auto origin = path.string();
  const auto config = read_json_object(path);
  check_fields(config, kSpladeFields, origin, settings.warnings);
  settings.sum = is_second(config, "pooling_strategy", "max", "sum", origin);
  settings.twice = is_second(config, "activation_function", "relu", "log1p_relu", origin);
  settings.pooling_file = path.lexically_relative(root).string();
}

}  // namespace

SparseSettings sparse_settings(const std::filesystem::path& directory) {
  SparseSettings settings;
  const auto modules = read_modules(directory, &settings.warnings);
  if (!modules) return settings;
  auto model = read_model_settings(directory, settings.warnings);
  if (model.states_type && model.model_type != "SparseEncoder") {
    throw ModelError(fmt::format("{}: \"model_type\" is {}, and this needs a SparseEncoder",
                                 (directory / kModelSettingsFile).string(),
                                 in_quotes(model.model_type)));
  }
  settings.prompts = std::move(model.prompts);
  if (model.states_similarity) settings.similarity_fn = model.similarity_fn;
  settings.max_active_dims = model.max_active_dims;
  bool transforms = false, pools = false;
  for (const auto& module : *modules) {
    if (module.foreign()) {
      refuse_module(directory, module.type, " of another program, whose code Cloze does not run",
                    kOtherModel);
    }
    if (module.is_transformer() && !transforms) {
      const auto read = read_transformer_settings(module.directory, TransformerTask::predictions,
                                                  settings.warnings);
      settings.max_seq_length = read.max_seq_length;
      settings.do_lower_case = read.do_lower_case;
      settings.transformer_file = read.file;
      transforms = true;
    } else if (module.name() == "SpladePooling" && transforms && !pools) {
      read_splade_pooling(directory, module.directory, settings);
      pools = true;
    } else if (module.name() != "Dropout") {  // which does nothing outside of training
      refuse_module(directory, module.type,
                    module.is_transformer() || module.name() == "SpladePooling"
                        ? " in another place than Cloze has it (one Transformer, then one "
                          "SpladePooling)"
                        : ", which Cloze does not have",
                    kOtherModel);
    }
  }
  if (pools) return settings;
  throw ModelError(fmt::format("{} has no SpladePooling, which makes weights of words: {}",
                               (directory / "modules.json").string(), kOtherModel));
}

}  // namespace cloze
