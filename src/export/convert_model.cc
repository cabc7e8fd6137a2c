#include "export/convert_model.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "checkpoint/model_head.h"
#include "checkpoint/model_names.h"
#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "cloze/error.h"
#include "cloze/sentence_settings.h"
#include "cloze/tokenizer.h"
#include "core/atomic_file.h"
#include "core/files.h"
#include "core/json.h"
#include "core/mapped_file.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWords = "bert.embeddings.word_embeddings.weight";
constexpr std::string_view kDecoder = "cls.predictions.decoder.weight";
constexpr std::string_view kDecoderBias = "cls.predictions.decoder.bias";
constexpr std::string_view kBias = "cls.predictions.bias";

/// Whether transformers' class has the tensor.
bool belongs(std::string_view name, std::string_view head, bool distilbert) {
  const auto begins = [name](std::string_view part) { return name.starts_with(part); };
  if (begins("bert.pooler.")) {
    return !distilbert &&
           (head == "Model" || head == "ForPreTraining" || head == "ForNextSentencePrediction" ||
            head == "ForSequenceClassification" || head == "ForMultipleChoice");
  }
  if (begins("bert.")) return true;
  if (begins("cls.predictions.")) return head == "ForMaskedLM" || head == "ForPreTraining";
  if (begins("cls.seq_relationship.")) {
    return head == "ForPreTraining" || head == "ForNextSentencePrediction";
  }
  if (begins("qa_outputs.")) return head == "ForQuestionAnswering";
  const bool pooled = head == "ForSequenceClassification" || head == "ForMultipleChoice";
  if (begins("pre_classifier.")) return distilbert && pooled;
  return begins("classifier.") && (pooled || head == "ForTokenClassification");
}

bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f64;
}

bool same_values(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end());
}

/// The decoder as transformers stores it: nothing of its own where it is tied, else a weight and a
/// bias, and the bias under its older name too.
void settle_decoder(TensorMap& tensors, BertConfig& config) {
  const auto weight = tensors.find(kDecoder);
  const auto words = tensors.find(kWords);
  if (weight != tensors.end() && words != tensors.end()) {
    config.tie_word_embeddings = same_values(weight->second, words->second);
    if (config.tie_word_embeddings) tensors.erase(weight);
  }
  const auto own = tensors.find(kDecoderBias), shared = tensors.find(kBias);
  if (own != tensors.end() && shared == tensors.end()) tensors.emplace(kBias, own->second);
  if (own == tensors.end() && shared != tensors.end() && !config.tie_word_embeddings) {
    tensors.emplace(kDecoderBias, shared->second);
  }
  if (config.tie_word_embeddings && tensors.contains(kDecoderBias)) {
    tensors.insert_or_assign(std::string(kBias), tensors.find(kDecoderBias)->second);
    tensors.erase(tensors.find(kDecoderBias));
  }
}

/// DistilBERT keeps its decoder's bias under the decoder's name alone.
void settle_distilbert_decoder(TensorMap& tensors) {
  const auto shared = tensors.find(kBias);
  if (shared == tensors.end()) return;
  tensors.emplace(kDecoderBias, shared->second);
  tensors.erase(tensors.find(kBias));
}

std::string stored_name(const std::string& name, std::string_view head, bool distilbert) {
  auto stored = distilbert ? distilbert_name(name) : name;
  const std::string_view prefix = distilbert ? "distilbert." : "bert.";
  if (head == "Model" && stored.starts_with(prefix)) stored.erase(0, prefix.size());
  return stored;
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

void write_config(BertConfig config, DType dtype, bool distilbert, const fs::path& directory) {
  auto extra = parse_json_object(config.extra_json, "BertConfig::extra_json");
  extra.erase("torch_dtype");
  extra.erase("transformers_version");
  extra["dtype"] = torch_name(dtype);
  config.extra_json = extra.dump();
  files::write_text(directory / "config.json",
                    distilbert ? distilbert_json(config) : config.to_json());
}

/// The tokenizer's files; false where the source has none.
bool write_tokenizer(const fs::path& source, const BertConfig& config, bool distilbert,
                     const fs::path& directory) {
  if (!files::exists(source / "tokenizer.json") && !files::exists(source / "vocab.txt"))
    return false;
  const auto tokenizer = Tokenizer::from_pretrained(source);
  tokenizer.save_pretrained(directory);
  const auto path = directory / "tokenizer_config.json";
  auto settings = parse_json_object(MappedFile::open(path)->text(), path.string());
  if (!tokenizer.model_max_length()) settings["model_max_length"] = config.max_position_embeddings;
  if (distilbert) settings["tokenizer_class"] = "DistilBertTokenizer";
  files::write_text(path, settings.dump(2) + "\n");
  return true;
}

/// sentence-transformers' settings, with the transformer at the top; a Dense module's weights as
/// safetensors.
void write_modules(const fs::path& source, const fs::path& transformer, const fs::path& directory) {
  if (!files::exists(source / "modules.json")) return;
  const auto settings = sentence_settings(source);  // refuses what is none
  const auto text = MappedFile::open(source / "modules.json");
  auto modules = parse_json(text->text(), (source / "modules.json").string());
  const auto copy = [](const fs::path& from, const fs::path& to) {
    if (!files::exists(from)) return;
    make_directory(to.parent_path());
    files::write_text(to, MappedFile::open(from)->text());
  };
  for (auto& module : modules) {
    const auto path = module.value("path", "");
    if (source / path == transformer ||
        module.at("type").get<std::string>().ends_with(".Transformer")) {
      module["path"] = "";
      continue;
    }
    if (!path.empty()) copy(source / path / "config.json", directory / path / "config.json");
  }
  for (const auto& dense : settings->dense) {
    TensorMap tensors;
    const auto weights = Checkpoint::open(dense);
    for (const auto& name : weights.names()) tensors.emplace(name, weights.tensor(name));
    // By the names alone: links, as the Hub's cache has them, would lead outside of the directory.
    save_checkpoint(directory / dense.lexically_relative(source), tensors);
  }
  copy(transformer / "sentence_bert_config.json", directory / "sentence_bert_config.json");
  copy(source / "config_sentence_transformers.json",
       directory / "config_sentence_transformers.json");
  files::write_text(directory / "modules.json", modules.dump(2) + "\n");
}

}  // namespace

ConvertedModel convert_model(const fs::path& source, const fs::path& destination,
                             const ConvertOptions& options) {
  const auto transformer = transformer_directory(source);
  std::error_code ignored;
  if (fs::equivalent(source, destination, ignored) ||
      fs::equivalent(transformer, destination, ignored)) {
    throw ArgumentError(fmt::format("{} is what is converted: name another directory to write to",
                                    destination.string()));
  }
  auto config = BertConfig::from_pretrained(transformer);
  const auto checkpoint = Checkpoint::open(transformer);
  const ModelNames names(checkpoint);
  if (!names.contains(kWords)) {
    throw ModelError(fmt::format("{} is not a BERT checkpoint: it has no tensor {}",
                                 checkpoint.path().string(), kWords));
  }
  const bool distilbert = config.model_type == "distilbert";
  const auto head = head_of(names, config);
  ConvertedModel converted{
      .architecture = fmt::format("{}{}", distilbert ? "DistilBert" : "Bert", head),
      .left_out = names.unknown()};

  TensorMap tensors;
  DType dtype = DType::f32;
  for (const auto& [name, stored] : names.all()) {
    if (!belongs(name, head, distilbert)) {
      converted.left_out.push_back(stored);
      continue;
    }
    auto tensor = checkpoint.tensor(stored);
    if (!is_float(tensor.dtype())) {
      throw ModelError(fmt::format("{}: tensor {} is of {}, which weights cannot be",
                                   checkpoint.path().string(), stored, name_of(tensor.dtype())));
    }
    if (options.dtype) tensor = tensor.to(*options.dtype);
    if (name == kWords) dtype = tensor.dtype();
    tensors.emplace(name, std::move(tensor));
  }
  settle_decoder(tensors, config);
  if (distilbert) settle_distilbert_decoder(tensors);
  TensorMap saved;
  for (auto& [name, tensor] : tensors) {
    converted.bytes += static_cast<std::int64_t>(tensor.bytes().size());
    saved.emplace(stored_name(name, head, distilbert), std::move(tensor));
  }
  converted.tensors = static_cast<std::int64_t>(saved.size());

  config.architectures = {converted.architecture};
  if (const auto classifier = tensors.find("classifier.weight"); config.id2label.empty()) {
    // Without names transformers takes two labels.
    const auto* stored = names.stored("classifier.weight");
    const bool labels = classifier != tensors.end() && head != "ForMultipleChoice";
    const auto count = labels ? checkpoint.info(*stored).shape.at(0) : 2;
    for (std::int64_t i = 0; count != 2 && i < count; ++i) {
      config.id2label.push_back(fmt::format("LABEL_{}", i));
    }
  }
  make_directory(destination);
  save_checkpoint(destination, saved, options.max_shard_bytes);
  write_config(config, dtype, distilbert, destination);
  converted.tokenizer = write_tokenizer(transformer, config, distilbert, destination);
  write_modules(source, transformer, destination);
  return converted;
}

}  // namespace cloze
