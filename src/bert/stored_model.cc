#include "bert/stored_model.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bert/weights.h"
#include "checkpoint/family.h"
#include "checkpoint/model_files.h"
#include "cloze/error.h"
#include "core/io/files.h"
#include "core/io/whole_directory.h"
#include "core/json.h"
#include "core/progress_counter.h"

namespace cloze::internal {
namespace {

bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f64;
}

bool same_values(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end());
}

/// The decoder as transformers stores it: nothing of its own where it is tied, else a weight and a
/// bias, and the bias under its older name too.
void store_decoder(TensorMap& tensors, BertConfig& config) {
  const auto weight = tensors.find(kDecoderWeight);
  const auto words = tensors.find(kWordEmbeddings);
  if (weight != tensors.end() && words != tensors.end()) {
    config.tie_word_embeddings = same_values(weight->second, words->second);
    if (config.tie_word_embeddings) tensors.erase(weight);
  }
  const auto own = tensors.find(kDecoderBias), shared = tensors.find(kPredictionBias);
  if (own != tensors.end() && shared == tensors.end())
    tensors.emplace(kPredictionBias, own->second);
  if (own == tensors.end() && shared != tensors.end() && !config.tie_word_embeddings) {
    tensors.emplace(kDecoderBias, shared->second);
  }
  if (config.tie_word_embeddings && tensors.contains(kDecoderBias)) {
    tensors.insert_or_assign(std::string(kPredictionBias), tensors.find(kDecoderBias)->second);
    tensors.erase(tensors.find(kDecoderBias));
  }
}

/// DistilBERT and ELECTRA keep their decoder's bias under the decoder's name alone.
void store_own_bias(TensorMap& tensors) {
  const auto shared = tensors.find(kPredictionBias);
  if (shared == tensors.end()) return;
  tensors.emplace(kDecoderBias, shared->second);
  tensors.erase(tensors.find(kPredictionBias));
}

bool is_context_encoder(const BertConfig& config, const ModelNames& names) {
  for (const auto& name : config.architectures) {
    if (name.ends_with("DPRContextEncoder")) return true;
    if (name.ends_with("DPRQuestionEncoder")) return false;
  }
  const auto* words = names.stored(kWordEmbeddings);
  return words != nullptr && words->starts_with("ctx_encoder.");
}

/// Stanford's ColBERT: an encoder whose tokens' vectors are projected, `linear.weight`.
constexpr std::string_view kColbert = "HF_ColBERT", kColbertProjection = "linear.weight";

bool is_colbert(const BertConfig& config, const HeadKind& head) {
  const auto& names = config.architectures;
  return head.layers().empty() && std::find(names.begin(), names.end(), kColbert) != names.end();
}

/// DPR's class and names of a model that has BERT's names.
void store_as_dpr(StoredModel& model, bool context_encoder) {
  model.config.architectures = {context_encoder ? "DPRContextEncoder" : "DPRQuestionEncoder"};
  const std::string module = context_encoder ? "ctx_encoder." : "question_encoder.";
  TensorMap tensors;
  for (auto& [name, tensor] : model.tensors) {
    const bool projection = name.starts_with(kDprProjection);
    tensors.emplace(fmt::format("{}{}{}", module, projection ? "" : "bert_model.", name),
                    std::move(tensor));
  }
  model.tensors = std::move(tensors);
}

/// `config.json` of a DistilBERT: BertConfig's fields by DistilBertConfig's names.
std::string distilbert_json(const BertConfig& config) {
  auto object = parse_json_object(config.to_json(), "config.json");
  constexpr std::array<std::pair<const char*, const char*>, 7> kNames{
      {{"hidden_size", "dim"},
       {"num_hidden_layers", "n_layers"},
       {"num_attention_heads", "n_heads"},
       {"intermediate_size", "hidden_dim"},
       {"hidden_dropout_prob", "dropout"},
       {"attention_probs_dropout_prob", "attention_dropout"},
       {"hidden_act", "activation"}}};
  for (const auto& [ours, theirs] : kNames) {
    object[theirs] = object.at(ours);
    object.erase(ours);
  }
  if (!object.at("classifier_dropout").is_null()) {
    object["seq_classif_dropout"] = object.at("classifier_dropout");
  }
  for (const auto* name : {"classifier_dropout", "type_vocab_size", "layer_norm_eps"}) {
    object.erase(name);
  }
  object["model_type"] = "distilbert";
  return object.dump(2, ' ', true) + "\n";
}

/// `config.json` of one of DPR's encoders: BertConfig's fields and one more.
std::string dpr_json(const BertConfig& config) {
  auto bert = config;
  bert.model_type = "bert";
  bert.projection_dim = 0;
  auto object = parse_json_object(bert.to_json(), "config.json");
  object["model_type"] = "dpr";
  object["projection_dim"] = config.projection_dim;
  object.erase("classifier_dropout");
  object.erase("tie_word_embeddings");
  return object.dump(2, ' ', true) + "\n";
}

/// transformers' names of the dtypes that weights have.
std::string_view torch_name(DType dtype) {
  switch (dtype) {
    case DType::f16:
      return "float16";
    case DType::bf16:
      return "bfloat16";
    case DType::f64:
      return "float64";
    default:
      return "float32";
  }
}

std::string config_json(BertConfig config, DType dtype) {
  auto extra = parse_json_object(config.extra_json, "BertConfig::extra_json");
  extra.erase("torch_dtype");
  extra.erase("transformers_version");
  extra["dtype"] = torch_name(dtype);
  config.extra_json = extra.dump();
  switch (family_of(config)) {
    case Family::distilbert:
      return distilbert_json(config);
    case Family::dpr:
      return dpr_json(config);
    case Family::bert:
    case Family::electra:
      break;
  }
  return config.to_json();
}

/// Names for the labels of a classifier that the configuration does not name. Without names
/// transformers takes two labels.
void name_labels(BertConfig& config, const HeadKind& head, const TensorMap& tensors) {
  if (!config.id2label.empty() || !head.by_label()) return;
  const auto classifier = tensors.find(key_tensor(head.layers().front()));
  const auto count = classifier == tensors.end() ? 2 : classifier->second.dim(0);
  for (std::int64_t i = 0; count != 2 && i < count; ++i) {
    config.id2label.push_back(fmt::format("LABEL_{}", i));
  }
}

}  // namespace

void require_bert(const Checkpoint& checkpoint, const ModelNames& names) {
  if (names.contains(kWordEmbeddings)) return;
  throw ModelError(fmt::format("{} is not a BERT checkpoint: it has no tensor {}",
                               checkpoint.path().string(), kWordEmbeddings));
}

StoredModel stored_model(const Checkpoint& checkpoint, const BertConfig& config,
                         const HeadKind& head, std::optional<DType> dtype,
                         const ProgressCallback& progress) {
  const ModelNames names(checkpoint);
  require_bert(checkpoint, names);
  const auto family = family_of(config);
  const bool colbert = is_colbert(config, head);
  StoredModel model{.config = config};
  TensorMap tensors;
  ProgressCounter counter(progress, "converting", static_cast<std::int64_t>(names.all().size()),
                          "tensors");
  for (const auto& [name, stored] : names.all()) {
    counter.advance();
    if (!has_tensor(head, name, family) && !(colbert && name == kColbertProjection)) {
      model.left_out.push_back(stored);
      continue;
    }
    auto tensor = checkpoint.tensor(stored);
    if (!is_float(tensor.dtype())) {
      throw ModelError(fmt::format("{}: tensor {} is of {}, which weights cannot be",
                                   checkpoint.path().string(), in_quotes(stored),
                                   cloze::name_of(tensor.dtype())));
    }
    if (dtype) tensor = tensor.to(*dtype);
    if (name == kWordEmbeddings) model.dtype = tensor.dtype();
    tensors.emplace(name, std::move(tensor));
  }
  checkpoint.require_unchanged();
  store_decoder(tensors, model.config);
  if (family == Family::distilbert || family == Family::electra) store_own_bias(tensors);
  name_labels(model.config, head, tensors);
  model.config.architectures = {architecture_of(head, family)};
  if (colbert) {  // with the prefix, which its class has
    model.config.architectures = {std::string(kColbert)};
    model.tensors = std::move(tensors);
    return model;
  }
  for (auto& [name, tensor] : tensors) {
    model.tensors.emplace(stored_name(name, head, family), std::move(tensor));
  }
  if (family == Family::dpr) store_as_dpr(model, is_context_encoder(config, names));
  return model;
}

TensorMap named_for(TensorMap tensors, const BertConfig& config, const HeadKind& head) {
  if (trained_family(config) == Family::bert) return tensors;
  TensorMap named;
  for (auto& [name, tensor] : tensors) {
    named.emplace(stored_name(name, head, trained_family(config)), std::move(tensor));
  }
  return named;
}

StoredModel random_model(const BertConfig& config, const HeadKind& head, std::uint64_t seed) {
  StoredModel model{.config = config};
  const auto family = trained_family(config);
  if (family == Family::bert) model.config.model_type = "bert";
  model.config.architectures = {architecture_of(head, family)};
  RandomWeights weights(config, seed);
  for (const auto& parameter : model_parameters(config, head)) {
    model.tensors.emplace(stored_name(parameter.name, head, family),
                          weights.take(parameter.name, parameter.shape));
  }
  return model;
}

void save(const StoredModel& model, const std::filesystem::path& directory,
          std::int64_t max_shard_bytes) {
  WholeDirectory whole(directory);
  whole.fill([&](const std::filesystem::path& made) {
    save_checkpoint(made, model.tensors, max_shard_bytes);
    files::write_text(made / "config.json", config_json(model.config, model.dtype));
  });
  std::vector<std::string> earlier;
  if (files::is_directory(directory)) earlier = saved_model_files(directory);
  std::erase_if(earlier, [](const std::string& name) { return !is_saved_weights(name); });
  whole.commit({"config.json"}, earlier);
}

}  // namespace cloze::internal
