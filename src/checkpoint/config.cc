#include "cloze/config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "checkpoint/config_fields.h"
#include "checkpoint/fields.h"
#include "checkpoint/find_weights.h"
#include "checkpoint/labels.h"
#include "checkpoint/read_config.h"
#include "checkpoint/variants.h"
#include "cloze/error.h"
#include "core/io/files.h"
#include "core/json.h"
#include "formats/tensorflow/tensor_bundle.h"

namespace cloze {
namespace {

using internal::Fields;
using nlohmann::json;

struct ActivationName {
  std::string_view name;
  Activation activation;
};

/// The names of transformers that mean one of Cloze's functions; the first of each is written.
constexpr std::array<ActivationName, 10> kActivations{{{"gelu", Activation::gelu},
                                                       {"gelu_python", Activation::gelu},
                                                       {"gelu_new", Activation::gelu_tanh},
                                                       {"gelu_pytorch_tanh", Activation::gelu_tanh},
                                                       {"gelu_python_tanh", Activation::gelu_tanh},
                                                       {"gelu_fast", Activation::gelu_tanh},
                                                       {"gelu_accurate", Activation::gelu_tanh},
                                                       {"relu", Activation::relu},
                                                       {"silu", Activation::silu},
                                                       {"swish", Activation::silu}}};

constexpr auto kGoogleConfig = "bert_config.json";
constexpr std::int64_t kMostHidden = 1 << 20;

constexpr std::array<std::string_view, 3> kProblemTypes{"regression", "single_label_classification",
                                                        "multi_label_classification"};

Activation take_activation(Fields& fields) {
  std::string name = "gelu";
  fields.take("hidden_act", name);
  std::string known;
  for (const auto& entry : kActivations) {
    if (entry.name == name) return entry.activation;
    known += fmt::format("{}\"{}\"", known.empty() ? "" : ", ", entry.name);
  }
  throw ModelError(fmt::format("{}: \"hidden_act\" is {}, which Cloze does not compute; it has {}",
                               fields.origin(), in_quotes(name), known));
}

}  // namespace

std::string_view name_of(Activation activation) {
  for (const auto& entry : kActivations) {
    if (entry.activation == activation) return entry.name;
  }
  throw ArgumentError("not an activation");
}

BertConfig internal::read_config(const std::filesystem::path& directory) {
  auto path = directory / "config.json";
  if (!files::exists(path)) {
    const auto google = directory / kGoogleConfig;
    if (!files::is_directory(directory)) {
      throw IoError(fmt::format("there is no model directory {}", excerpt_of_path(directory)));
    }
    if (!files::exists(google)) {
      throw IoError(
          fmt::format("{} has no config.json, which describes the model", directory.string()));
    }
    path = google;
  }
  auto config = BertConfig::from_json(files::read_text(path), path.string());
  // modeling.py of google-research/bert computes the tanh approximation under the name "gelu".
  // Where PyTorch weights lie beside its configuration (as pytorch-pretrained-bert saved them), the
  // name is PyTorch's.
  if (path.filename() == kGoogleConfig && config.hidden_act == Activation::gelu) {
    const auto weights = find_weights(directory);
    if (weights && is_bundle_index(*weights)) config.hidden_act = Activation::gelu_tanh;
  }
  return config;
}

BertConfig BertConfig::from_json(std::string_view json, const std::string& origin) {
  auto object = parse_json_object(json, origin);
  const auto type = object.find("model_type");
  if (type != object.end() && *type == "distilbert") internal::rename_distilbert_fields(object);
  Fields fields(std::move(object), origin);
  BertConfig config;
  config.model_type = internal::take_model_type(fields);
  if (config.model_type == "electra") {
    internal::set_electra_sizes(config);
    fields.take("embedding_size", config.embedding_size);
    if (config.embedding_size < 1) {  // 0 means something else in BertConfig
      throw ModelError(fmt::format("{}: \"embedding_size\" is {}; it must be 1 to {}", origin,
                                   config.embedding_size, kMostHidden));
    }
  }
  if (config.model_type == "dpr") fields.take("projection_dim", config.projection_dim);
  internal::check_variant(fields);
  internal::refuse_config_fields(fields.object(), origin);
  fields.take("vocab_size", config.vocab_size);
  fields.take("hidden_size", config.hidden_size);
  fields.take("num_hidden_layers", config.num_hidden_layers);
  fields.take("num_attention_heads", config.num_attention_heads);
  fields.take("intermediate_size", config.intermediate_size);
  config.hidden_act = take_activation(fields);
  fields.take("hidden_dropout_prob", config.hidden_dropout_prob);
  fields.take("attention_probs_dropout_prob", config.attention_probs_dropout_prob);
  fields.take("max_position_embeddings", config.max_position_embeddings);
  fields.take("type_vocab_size", config.type_vocab_size);
  fields.take("initializer_range", config.initializer_range);
  fields.take("layer_norm_eps", config.layer_norm_eps);
  if (const auto value = fields.extract("pad_token_id")) {
    config.pad_token_id = value->is_null() ? -1 : fields.integer(*value, "pad_token_id");
  }
  fields.take("tie_word_embeddings", config.tie_word_embeddings);
  fields.take("classifier_dropout", config.classifier_dropout);
  fields.take("problem_type", config.problem_type);
  fields.take("architectures", config.architectures);
  config.id2label = internal::take_labels(fields);
  config.extra_json = fields.rest();
  internal::refuse_reader(config, origin);
  config.validate(origin);
  return config;
}

void BertConfig::validate(const std::string& origin) const {
  const auto refuse = [&origin](const std::string& what) {
    throw ModelError(fmt::format("{}: {}", origin, what));
  };
  struct Size {
    const char* name;
    std::int64_t value, most;
  };
  // The bounds leave far more room than any BERT takes, and keep products within 64 bits.
  const std::array<Size, 7> sizes{{{"vocab_size", vocab_size, INT32_MAX},
                                   {"hidden_size", hidden_size, kMostHidden},
                                   {"num_hidden_layers", num_hidden_layers, 10'000},
                                   {"num_attention_heads", num_attention_heads, 1 << 20},
                                   {"intermediate_size", intermediate_size, 1 << 23},
                                   {"max_position_embeddings", max_position_embeddings, 1 << 24},
                                   {"type_vocab_size", type_vocab_size, 1 << 16}}};
  for (const auto& size : sizes) {
    if (size.value < 1 || size.value > size.most) {
      refuse(fmt::format("\"{}\" is {}; it must be 1 to {}", size.name, size.value, size.most));
    }
  }
  if (hidden_size % num_attention_heads != 0) {
    refuse(fmt::format("\"hidden_size\" {} cannot be divided by \"num_attention_heads\" {}",
                       hidden_size, num_attention_heads));
  }
  const std::array<std::pair<Size, const char*>, 2> own{
      {{{"embedding_size", embedding_size, kMostHidden}, "electra"},
       {{"projection_dim", projection_dim, kMostHidden}, "dpr"}}};
  for (const auto& [size, type] : own) {
    if (size.value < 0 || size.value > size.most) {
      refuse(fmt::format("\"{}\" is {}; it must be 0 to {}", size.name, size.value, size.most));
    }
    if (size.value > 0 && model_type != type) {
      refuse(fmt::format("\"{}\" is {}, which belongs to \"model_type\": \"{}\"", size.name,
                         size.value, type));
    }
  }
  constexpr std::int64_t kMostParameters = 1'000'000'000'000;
  const std::int64_t parameters =
      (vocab_size + max_position_embeddings + type_vocab_size + hidden_size) * embedding_width() +
      num_hidden_layers * (4 * hidden_size * hidden_size + 2 * hidden_size * intermediate_size);
  if (parameters > kMostParameters) {
    refuse(fmt::format("its sizes make {} parameters, which no BERT has and no machine holds",
                       parameters));
  }
  if (pad_token_id < -1 || pad_token_id >= vocab_size) {
    refuse(fmt::format("\"pad_token_id\" is {}, outside the vocabulary of {}", pad_token_id,
                       vocab_size));
  }
  const std::array<std::pair<const char*, double>, 3> probabilities{
      {{"hidden_dropout_prob", hidden_dropout_prob},
       {"attention_probs_dropout_prob", attention_probs_dropout_prob},
       {"classifier_dropout", classifier_dropout.value_or(0.0)}}};
  for (const auto& [name, value] : probabilities) {
    if (!(value >= 0.0 && value <= 1.0)) {  // so written for NaN
      refuse(fmt::format("\"{}\" is {}; a probability is 0 to 1", name, value));
    }
  }
  const std::array<std::pair<const char*, double>, 2> positives{
      {{"layer_norm_eps", layer_norm_eps}, {"initializer_range", initializer_range}}};
  for (const auto& [name, value] : positives) {
    if (!(value >= 0.0 && std::isfinite(value))) {
      refuse(fmt::format("\"{}\" is {}; it must be 0 or more", name, value));
    }
  }
  internal::check_summary(*this, origin);
  if (static_cast<std::int64_t>(id2label.size()) > internal::kMostLabels) {
    refuse(fmt::format("{} labels are too many for a head", id2label.size()));
  }
  if (problem_type.empty()) return;
  if (std::find(kProblemTypes.begin(), kProblemTypes.end(), problem_type) == kProblemTypes.end()) {
    refuse(fmt::format("\"problem_type\" is {}; it is one of \"{}\"", in_quotes(problem_type),
                       fmt::join(kProblemTypes, "\", \"")));
  }
  if (problem_type == "single_label_classification" && num_labels() == 1) {
    refuse(
        "\"problem_type\" is \"single_label_classification\" with one label, which leaves nothing "
        "to choose; a single output is \"regression\"");
  }
}

std::string BertConfig::to_json() const {
  validate();
  json merged = parse_json_object(extra_json, "BertConfig::extra_json");
  const bool electra = model_type == "electra";
  merged["model_type"] = electra ? "electra" : "bert";
  if (electra) merged["embedding_size"] = embedding_width();
  merged["vocab_size"] = vocab_size;
  merged["hidden_size"] = hidden_size;
  merged["num_hidden_layers"] = num_hidden_layers;
  merged["num_attention_heads"] = num_attention_heads;
  merged["intermediate_size"] = intermediate_size;
  merged["hidden_act"] = name_of(hidden_act);
  merged["hidden_dropout_prob"] = hidden_dropout_prob;
  merged["attention_probs_dropout_prob"] = attention_probs_dropout_prob;
  merged["max_position_embeddings"] = max_position_embeddings;
  merged["type_vocab_size"] = type_vocab_size;
  merged["initializer_range"] = initializer_range;
  merged["layer_norm_eps"] = layer_norm_eps;
  merged["pad_token_id"] = pad_token_id < 0 ? json() : json(pad_token_id);
  merged["tie_word_embeddings"] = tie_word_embeddings;
  merged["classifier_dropout"] = classifier_dropout ? json(*classifier_dropout) : json();
  if (!problem_type.empty()) merged["problem_type"] = problem_type;
  if (!architectures.empty()) merged["architectures"] = architectures;

  // Keys in sorted order, but the numbers of id2label as numbers: "2" before "10".
  nlohmann::ordered_json by_id;
  if (!id2label.empty()) merged["label2id"] = json::object();
  for (std::size_t i = 0; i < id2label.size(); ++i) {
    by_id[std::to_string(i)] = id2label[i];
    merged["label2id"][id2label[i]] = i;
    merged["id2label"] = json();  // its place in the order
  }
  nlohmann::ordered_json ordered;
  for (const auto& [key, value] : merged.items()) ordered[key] = value;
  if (!by_id.empty()) ordered["id2label"] = std::move(by_id);
  try {
    return ordered.dump(2, ' ', true) + "\n";
  } catch (const json::type_error&) {
    throw ArgumentError("a string of this BertConfig is not UTF-8, which JSON needs");
  }
}

void BertConfig::save_pretrained(const std::filesystem::path& directory) const {
  const auto text = to_json();
  make_directory(directory);
  files::write_text(directory / "config.json", text);
}

}  // namespace cloze
