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
#include "checkpoint/find_weights.h"
#include "checkpoint/read_config.h"
#include "cloze/error.h"
#include "core/io/files.h"
#include "core/json.h"
#include "formats/tensorflow/tensor_bundle.h"

namespace cloze {
namespace {

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

constexpr std::array<std::string_view, 3> kProblemTypes{"regression", "single_label_classification",
                                                        "multi_label_classification"};

/// Takes fields out of a configuration's object, each as the type that it must have; what is left
/// at the end is what Cloze does not know.
class Fields {
 public:
  Fields(json object, const std::string& origin) : object_(std::move(object)), origin_(&origin) {}

  [[nodiscard]] bool has(const char* name) const { return object_.contains(name); }

  /// The value of a field that stays; null if absent.
  [[nodiscard]] json peek(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() ? json() : *found;
  }

  void take(const char* name, std::int64_t& target) {
    if (auto value = extract(name)) target = integer(*value, name);
  }

  void take(const char* name, double& target) {
    if (auto value = extract(name)) target = number(*value, name);
  }

  void take(const char* name, bool& target) {
    if (auto value = extract(name)) {
      if (!value->is_boolean()) wrong_type(name, "true or false", *value);
      target = value->get<bool>();
    }
  }

  void take(const char* name, std::optional<double>& target) {
    if (auto value = extract(name); value && !value->is_null()) target = number(*value, name);
  }

  void take(const char* name, std::string& target) {
    if (auto value = extract(name); value && !value->is_null()) target = string(*value, name);
  }

  void take(const char* name, std::vector<std::string>& target) {
    if (auto value = extract(name); value && !value->is_null()) {
      if (!value->is_array()) wrong_type(name, "an array of strings", *value);
      for (const auto& item : *value) target.push_back(string(item, name));
    }
  }

  [[nodiscard]] std::optional<json> extract(const char* name) {
    const auto found = object_.find(name);
    if (found == object_.end()) return std::nullopt;
    std::optional<json> value(std::move(*found));
    object_.erase(found);
    return value;
  }

  [[nodiscard]] std::int64_t integer(const json& value, const char* name) const {
    if (!value.is_number_integer()) wrong_type(name, "an integer", value);
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) {
      wrong_type(name, "a smaller integer", value);
    }
    return value.get<std::int64_t>();
  }

  [[noreturn]] void wrong_type(const char* name, std::string_view expected,
                               const json& found) const {
    throw FormatError(
        fmt::format("{}: \"{}\" must be {}, found {}", *origin_, name, expected, shown(found)));
  }

  /// A value, short enough for a message.
  [[nodiscard]] static std::string shown(const json& value) {
    if (value.is_string()) return in_quotes(value.get_ref<const std::string&>());
    if (value.is_object()) return "an object";
    if (value.is_array()) return "an array";
    return value.dump();
  }

  [[nodiscard]] std::string rest() const { return object_.dump(); }
  [[nodiscard]] const json& object() const { return object_; }
  [[nodiscard]] const std::string& origin() const { return *origin_; }

 private:
  [[nodiscard]] double number(const json& value, const char* name) const {
    if (!value.is_number()) wrong_type(name, "a number", value);
    return value.get<double>();
  }

  [[nodiscard]] std::string string(const json& value, const char* name) const {
    if (!value.is_string()) wrong_type(name, "a string", value);
    return value.get<std::string>();
  }

  json object_;
  const std::string* origin_;
};

/// Why a relative of BERT is not computed, for those that people take for one.
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kRelatives{
    {{"roberta", "its vocabulary is byte-level BPE and its positions begin at 2"},
     {"xlm-roberta", "its vocabulary is SentencePiece and its positions begin at 2"},
     {"camembert", "its vocabulary is SentencePiece and its positions begin at 2"},
     {"albert", "its layers share their weights and its vocabulary is SentencePiece"},
     {"mpnet", "its attention adds relative positions"},
     {"deberta", "its attention takes content and position apart"},
     {"deberta-v2", "its attention takes content and position apart"},
     {"modernbert", "its positions are rotary and its layers others"},
     {"nomic_bert", "its positions are rotary and its layers others"},
     {"xlnet", "it permutes its text"},
     {"mobilebert", "its layers have bottlenecks"}}};

/// Takes the model's type; refuses models that are not BERT, by name.
std::string take_model_type(Fields& fields) {
  constexpr std::array kNeeded{"vocab_size", "hidden_size", "num_hidden_layers",
                               "num_attention_heads"};
  const auto type = fields.extract("model_type");
  if (type && !type->is_null()) {
    if (!type->is_string()) fields.wrong_type("model_type", "a string", *type);
    for (const auto* known : {"bert", "distilbert", "electra", "dpr"}) {
      if (*type == known) return known;
    }
    std::string why;
    for (const auto& [name, reason] : kRelatives) {
      if (*type == name) why = fmt::format(" ({})", reason);
    }
    throw ModelError(
        fmt::format("{}: this is a {} model{}, and Cloze computes BERT, DistilBERT, ELECTRA and "
                    "DPR's encoders (\"model_type\": \"bert\", \"distilbert\", \"electra\" or "
                    "\"dpr\"); choose a checkpoint of one of those",
                    fields.origin(), Fields::shown(*type), why));
  }
  // Google's bert_config.json does not name its type: its sizes must speak for it.
  for (const auto* name : kNeeded) {
    if (!fields.has(name)) {
      throw ModelError(fmt::format(
          "{}: neither \"model_type\" nor \"{}\" is there, so this does not describe a BERT",
          fields.origin(), name));
    }
  }
  return "bert";
}

/// DistilBertConfig's names for BertConfig's fields, and its defaults where they differ.
void rename_distilbert_fields(nlohmann::json& object) {
  constexpr std::array<std::pair<const char*, const char*>, 8> kNames{
      {{"dim", "hidden_size"},
       {"n_layers", "num_hidden_layers"},
       {"n_heads", "num_attention_heads"},
       {"hidden_dim", "intermediate_size"},
       {"dropout", "hidden_dropout_prob"},
       {"attention_dropout", "attention_probs_dropout_prob"},
       {"activation", "hidden_act"},
       {"seq_classif_dropout", "classifier_dropout"}}};
  if (!object.contains("n_layers")) object["n_layers"] = 6;
  for (const auto& [theirs, ours] : kNames) {
    const auto found = object.find(theirs);
    if (found == object.end()) continue;
    object[ours] = *found;
    object.erase(theirs);
  }
}

/// ElectraConfig's defaults where they differ from BertConfig's.
void set_electra_sizes(BertConfig& config) {
  config.embedding_size = 128;
  config.hidden_size = 256;
  config.num_attention_heads = 4;
  config.intermediate_size = 1024;
}

/// Throws ModelError for the part of DPR that reads passages, which is no encoder of texts.
void refuse_reader(const BertConfig& config, const std::string& origin) {
  for (const auto& name : config.architectures) {
    if (!name.ends_with("DPRReader")) continue;
    throw ModelError(fmt::format(
        "{}: this is a {}, which looks for answers in passages; Cloze computes DPR's "
        "encoders (DPRQuestionEncoder, DPRContextEncoder): for answers use a checkpoint "
        "of BertForQuestionAnswering (cloze answer)",
        origin, in_quotes(name)));
  }
}

/// Refuses what ELECTRA's multiple-choice model may do with a sequence in other ways than its
/// checkpoints do.
void check_summary(const BertConfig& config, const std::string& origin) {
  const auto& names = config.architectures;
  const bool choice = std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return name.ends_with("ElectraForMultipleChoice");
  });
  if (!choice) return;
  const auto extra = parse_json_object(config.extra_json, "BertConfig::extra_json");
  const std::array<std::pair<const char*, json>, 4> wanted{{{"summary_type", "first"},
                                                            {"summary_use_proj", true},
                                                            {"summary_activation", "gelu"},
                                                            {"summary_proj_to_labels", false}}};
  for (const auto& [name, value] : wanted) {
    const auto stated = extra.find(name);
    if (stated == extra.end() || *stated == value) continue;
    if (value == false && stated->is_null()) continue;
    throw ModelError(
        fmt::format("{}: \"{}\" is {}, and Cloze computes ELECTRA's multiple choice with {} only: "
                    "train the model with that",
                    origin, name, json_excerpt(*stated), value.dump()));
  }
}

/// Refuses kinds of BERT that compute something else than Cloze does. The fields stay among the
/// extra ones.
void check_variant(const Fields& fields) {
  const auto refuse = [&fields](const char* name, const json& value, const char* why) {
    throw ModelError(
        fmt::format("{}: \"{}\" is {}: {}", fields.origin(), name, Fields::shown(value), why));
  };
  if (const auto value = fields.peek("position_embedding_type");
      !value.is_null() && value != "absolute") {
    refuse("position_embedding_type", value,
           "Cloze has BERT's absolute positions only; use a checkpoint with those");
  }
  const std::array<std::pair<const char*, const char*>, 3> switches{{
      {"is_decoder", "Cloze computes the encoder, which sees both directions, not the decoder"},
      {"add_cross_attention", "Cloze computes the encoder, which has no cross attention"},
      {"is_encoder_decoder", "Cloze computes the encoder alone"},
  }};
  for (const auto& [name, why] : switches) {
    const auto value = fields.peek(name);
    if (value.is_null()) continue;
    if (!value.is_boolean()) fields.wrong_type(name, "true or false", value);
    if (value == true) refuse(name, value, why);
  }
  if (const auto value = fields.peek("pruned_heads"); !value.is_null() && !value.empty()) {
    refuse("pruned_heads", value, "Cloze reads layers of equal heads; use the unpruned checkpoint");
  }
  if (const auto value = fields.peek("quantization_config"); !value.is_null()) {
    refuse("quantization_config", value,
           "Cloze reads weights as floats; use the checkpoint that was quantized");
  }
  if (const auto value = fields.peek("per_layer_config"); !value.is_null() && !value.empty()) {
    refuse("per_layer_config", value, "Cloze reads layers that are all alike");
  }
}

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

constexpr std::int64_t kMostLabels = 1'000'000, kMostHidden = 1 << 20;

/// Puts `label` at `index` of labels numbered 0 to count - 1, each once.
class Labels {
 public:
  Labels(const Fields& fields, const char* field, std::size_t count)
      : fields_(&fields), field_(field), labels_(count), seen_(count) {}

  void set(std::int64_t index, std::string label) {
    if (index < 0 || index >= static_cast<std::int64_t>(labels_.size())) {
      throw ModelError(
          fmt::format("{}: \"{}\" has {} labels and numbers one of them {}; number "
                      "them 0 to {}",
                      fields_->origin(), field_, labels_.size(), index, labels_.size() - 1));
    }
    const auto at = static_cast<std::size_t>(index);
    if (seen_[at]) {
      throw ModelError(
          fmt::format("{}: \"{}\" numbers two labels {}", fields_->origin(), field_, index));
    }
    seen_[at] = true;
    labels_[at] = std::move(label);
  }

  [[nodiscard]] std::vector<std::string> take() { return std::move(labels_); }

 private:
  const Fields* fields_;
  const char* field_;
  std::vector<std::string> labels_;
  std::vector<bool> seen_;
};

/// {"0": "NO", "1": "YES"}, or ["NO", "YES"].
std::vector<std::string> labels_by_id(const Fields& fields, const json& value) {
  constexpr auto kField = "id2label";
  if (!value.is_object() && !value.is_array()) {
    fields.wrong_type(kField, "an object of labels", value);
  }
  Labels labels(fields, kField, value.size());
  std::int64_t position = 0;
  for (const auto& [key, label] : value.items()) {
    std::int64_t index = position++;
    if (value.is_object()) {
      const auto parsed = json::parse(key, nullptr, false);
      if (!parsed.is_number_integer()) {
        throw FormatError(fmt::format("{}: \"id2label\" has the key {}, which is no number",
                                      fields.origin(), in_quotes(key)));
      }
      index = fields.integer(parsed, kField);
    }
    if (!label.is_string() && !label.is_number()) fields.wrong_type(kField, "labels", label);
    labels.set(index, label.is_string() ? label.get<std::string>() : label.dump());
  }
  return labels.take();
}

/// {"NO": 0, "YES": 1}.
std::vector<std::string> ids_by_label(const Fields& fields, const json& value) {
  constexpr auto kField = "label2id";
  if (!value.is_object()) fields.wrong_type(kField, "an object of numbers", value);
  Labels labels(fields, kField, value.size());
  for (const auto& [label, index] : value.items()) labels.set(fields.integer(index, kField), label);
  return labels.take();
}

std::vector<std::string> take_labels(Fields& fields) {
  const auto id2label = fields.extract("id2label").value_or(json());
  const auto label2id = fields.extract("label2id").value_or(json());
  const auto num_labels = fields.extract("num_labels").value_or(json());
  std::vector<std::string> labels;
  if (!id2label.is_null()) {
    labels = labels_by_id(fields, id2label);
  } else if (!label2id.is_null()) {
    labels = ids_by_label(fields, label2id);
  }
  if (num_labels.is_null()) return labels;
  const auto count = fields.integer(num_labels, "num_labels");
  if (count < 1 || count > kMostLabels) {
    throw ModelError(fmt::format("{}: \"num_labels\" is {}; a head has 1 to {} labels",
                                 fields.origin(), count, kMostLabels));
  }
  if (labels.empty()) {
    for (std::int64_t i = 0; i < count; ++i) labels.push_back(fmt::format("LABEL_{}", i));
  } else if (count != static_cast<std::int64_t>(labels.size())) {
    throw ModelError(
        fmt::format("{}: \"num_labels\" is {}, but {} labels are named; correct one of them",
                    fields.origin(), count, labels.size()));
  }
  return labels;
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
  if (type != object.end() && *type == "distilbert") rename_distilbert_fields(object);
  Fields fields(std::move(object), origin);
  BertConfig config;
  config.model_type = take_model_type(fields);
  if (config.model_type == "electra") {
    set_electra_sizes(config);
    fields.take("embedding_size", config.embedding_size);
    if (config.embedding_size < 1) {  // 0 means something else in BertConfig
      throw ModelError(fmt::format("{}: \"embedding_size\" is {}; it must be 1 to {}", origin,
                                   config.embedding_size, kMostHidden));
    }
  }
  if (config.model_type == "dpr") fields.take("projection_dim", config.projection_dim);
  check_variant(fields);
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
  config.id2label = take_labels(fields);
  config.extra_json = fields.rest();
  refuse_reader(config, origin);
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
  check_summary(*this, origin);
  if (static_cast<std::int64_t>(id2label.size()) > kMostLabels) {
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
