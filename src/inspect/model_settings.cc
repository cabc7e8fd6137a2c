#include "inspect/model_settings.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "cloze/sentence_settings.h"
#include "core/strings.h"
#include "pipelines/warnings.h"
#include "sentence/model_settings.h"
#include "sentence/ranking_settings.h"
#include "sentence/search/search_settings.h"

namespace cloze::internal {
namespace {

namespace fs = std::filesystem;

/// Where no number of tokens is stated for texts, tokenizer and model decide.
ModelSetting limit(const ModelInfo& info, std::optional<std::int64_t> stated,
                   const std::string& file) {
  const auto reads = info.config.max_position_embeddings;
  const auto tokenizer = info.tokenizer.model_max_length;
  ModelSetting setting{"limit", "", "config.json"};
  auto tokens = reads;
  if (stated && *stated <= reads) {
    tokens = *stated;
    setting.file = file;
  } else if (!stated && tokenizer > 0 && tokenizer <= reads) {
    tokens = tokenizer;
    setting.file = "tokenizer_config.json";
  }
  setting.value = fmt::format("{} tokens", tokens);
  return setting;
}

void add_prompts(const Prompts& prompts, ModelInfo& info) {
  const std::string file(kModelSettingsFile);
  for (const auto& [name, text] : prompts.prompts) {
    info.settings.push_back({fmt::format("prompt {}", name), in_quotes(text), file});
  }
  if (prompts.default_prompt_name) {
    info.settings.push_back({"default prompt", *prompts.default_prompt_name, file});
  }
}

std::string names_of(const std::vector<Pooling>& poolings) {
  std::string names;
  for (const auto pooling : poolings) {
    names += fmt::format("{}{}", names.empty() ? "" : " + ", name_of(pooling));
  }
  return names;
}

/// "mean, normalized, at most 256 tokens".
std::string summary(const SentenceSettings& settings) {
  auto text = names_of(settings.poolings);
  const auto dense = std::count_if(settings.steps.begin(), settings.steps.end(),
                                   [](const SentenceStep& step) { return step.linear(); });
  if (dense > 0) text += fmt::format(", {} dense", dense);
  if (settings.normalizes()) text += ", normalized";
  if (settings.truncate_dim) text += fmt::format(", {} dimensions", *settings.truncate_dim);
  if (settings.max_seq_length) text += fmt::format(", at most {} tokens", *settings.max_seq_length);
  return text;
}

void describe_sentences(const SentenceSettings& stated, ModelInfo& info) {
  auto& settings = info.settings;
  info.sentence_pooling = summary(stated);
  add_prompts(stated.prompts, info);
  if (stated.do_lower_case) {
    settings.push_back({"lower case", "texts are lower-cased first", stated.transformer_file});
  }
  settings.push_back(limit(info, stated.max_seq_length, stated.transformer_file));
  // Without modules it is one of DPR's encoders, whose configuration says all.
  const bool modules = fs::exists(info.directory / "modules.json");
  const std::string file_of_modules = modules ? "modules.json" : "config.json";
  settings.push_back(
      {"pooling",
       names_of(stated.poolings) + (stated.include_prompt ? "" : ", without the prompt's tokens"),
       file_of_modules});
  for (const auto& step : stated.steps) {
    if (step.kind == SentenceStep::Kind::projection) {
      settings.push_back(
          {"projection", fmt::format("{} dimensions", info.config.projection_dim), "config.json"});
    } else if (step.linear()) {
      settings.push_back({"dense", step.directory.filename().string(), "modules.json"});
    } else {
      settings.push_back({"normalization", "length 1", "modules.json"});
    }
  }
  const std::string file(kModelSettingsFile);
  if (stated.truncate_dim) {
    settings.push_back({"dimensions", fmt::format("the first {}", *stated.truncate_dim), file});
  }
  settings.push_back({"similarity", std::string(name_of(stated.similarity_fn)),
                      fs::exists(info.directory / kModelSettingsFile) ? file
                      : modules                                       ? ""
                                                                      : file_of_modules});
}

void describe_sparse(const SparseSettings& stated, ModelInfo& info) {
  info.sentence_pooling =
      fmt::format("weights of words: {} over the tokens of {}", stated.sum ? "sum" : "maximum",
                  stated.twice ? "log(1 + log(1 + relu))" : "log(1 + relu)");
  if (stated.max_active_dims) {
    info.sentence_pooling += fmt::format(", the {} greatest", *stated.max_active_dims);
  }
  add_prompts(stated.prompts, info);
  info.settings.push_back(limit(info, stated.max_seq_length, stated.transformer_file));
  info.settings.push_back(
      {"pooling", stated.sum ? "splade sum" : "splade max", stated.pooling_file});
  info.settings.push_back({"similarity", std::string(name_of(stated.similarity_fn)), ""});
}

void describe_multi_vector(const MultiVectorSettings& stated, ModelInfo& info) {
  info.sentence_pooling = "a vector for each token, compared token by token";
  add_prompts(stated.prompts, info);
  if (stated.expansion) {
    info.settings.push_back(
        {"queries", fmt::format("filled up to {} tokens", stated.expansion->length), stated.file});
  }
  if (stated.document_length) {
    info.settings.push_back(
        {"documents", fmt::format("{} tokens", *stated.document_length), stated.file});
  }
  info.settings.push_back(limit(info, stated.max_seq_length, stated.transformer_file));
  info.settings.push_back({"similarity", stated.mean ? "meanmaxsim" : "maxsim", ""});
}

/// A classifier with one output scores pairs.
void describe_ranking(ModelInfo& info) {
  const auto stated = ranking_settings(info.directory, info.config);
  info.warnings.insert(info.warnings.end(), stated.warnings.begin(), stated.warnings.end());
  add_prompts(stated.prompts, info);
  if (stated.do_lower_case) {
    info.settings.push_back({"lower case", "texts are lower-cased first", stated.transformer_file});
  }
  info.settings.push_back(limit(info, stated.max_seq_length, stated.transformer_file));
  const auto usual = info.config.problem_type == "regression" ? ScoreActivation::identity
                                                              : ScoreActivation::sigmoid;
  info.settings.push_back({"activation", std::string(name_of(stated.activation.value_or(usual))),
                           stated.activation_file});
}

bool ranks(const ModelInfo& info) {
  const auto& names = info.config.architectures;
  const bool classifies = std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return name.ends_with("ForSequenceClassification");
  });
  return classifies && info.config.num_labels() == 1;
}

}  // namespace

void describe_settings(const fs::path& transformer, ModelInfo& info) {
  try {
    const auto kind = vector_kind(info.directory);
    if (ranks(info)) {
      describe_ranking(info);
    } else if (kind == VectorKind::sparse) {
      const auto stated = sparse_settings(info.directory);
      info.warnings = stated.warnings;
      describe_sparse(stated, info);
    } else if (kind == VectorKind::multi_vector) {
      const auto stated = multi_vector_settings(info.directory);
      info.warnings = stated.warnings;
      describe_multi_vector(stated, info);
    } else if (const auto stated = sentence_settings(info.directory)) {
      info.warnings = stated->warnings;
      describe_sentences(*stated, info);
    }
  } catch (const Error& error) {
    info.settings.clear();
    info.sentence_pooling = error.what();
  }
  if (!info.tokenizer.problem.empty()) return;
  const auto more =
      model_warnings(info.config, Tokenizer::from_pretrained(transformer), transformer);
  info.warnings.insert(info.warnings.end(), more.begin(), more.end());
}

}  // namespace cloze::internal
