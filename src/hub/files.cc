#include "hub/files.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/json.h"
#include "formats/shard_index.h"

namespace cloze::hub {
namespace {

constexpr std::array kTokenizerFiles{"tokenizer.json", "tokenizer_config.json", "vocab.txt",
                                     "special_tokens_map.json", "added_tokens.json"};
// What an XLMRobertaTokenizer is read from where there is no tokenizer.json.
constexpr std::array kSentencePieceFiles{"sentencepiece.bpe.model", "spiece.model"};

/// The settings of sentence-transformers' Transformer, which older versions named after the model.
constexpr std::array kTransformerSettings{
    "sentence_bert_config.json",       "sentence_roberta_config.json",
    "sentence_distilbert_config.json", "sentence_camembert_config.json",
    "sentence_albert_config.json",     "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json"};

/// The listing, and the choice that grows.
class Choice {
 public:
  Choice(const std::vector<std::string>& listing, const ReadFile& read, const std::string& origin)
      : listing_(listing.begin(), listing.end()), read_(&read), origin_(&origin) {}

  [[nodiscard]] bool listed(const std::string& name) const { return listing_.contains(name); }

  /// Takes the file if there is one.
  bool take(const std::string& name) {
    if (!listed(name)) return false;
    chosen_.insert(name);
    return true;
  }

  /// Takes a file that `by` names.
  void require(const std::string& name, const std::string& by) {
    if (take(name)) return;
    throw ModelError(fmt::format("{}: {} names {}, which the model does not have", *origin_,
                                 excerpt(by), in_quotes(name)));
  }

  [[nodiscard]] std::string read(const std::string& name) {
    chosen_.insert(name);
    return (*read_)(name);
  }

  /// One file of weights, or an index and the shards that it names, beside it.
  bool take_weights(const std::string& folder, const std::string& name) {
    if (take(folder + name)) return true;
    const auto index = folder + name + ".index.json";
    if (!listed(index)) return false;
    std::set<std::string> shards;
    for (const auto& [tensor, shard] : read_shard_index(read(index), label(index))) {
      shards.insert(shard);
    }
    for (const auto& shard : shards) require(folder + shard, index);
    return true;
  }

  /// `NAME.index`, its `NAME.data-00000-of-00001` ... and the configuration beside them.
  bool take_tensorflow(const std::string& folder) {
    std::vector<std::string> prefixes;
    for (const auto& file : listing_) {
      constexpr std::string_view end = ".index";
      if (!file.starts_with(folder) || file.find('/', folder.size()) != std::string::npos) continue;
      if (file.ends_with(end) && file.find(".ckpt", folder.size()) != std::string::npos) {
        prefixes.push_back(file.substr(0, file.size() - end.size()));
      }
    }
    const auto wanted = std::find(prefixes.begin(), prefixes.end(), folder + "bert_model.ckpt");
    if (wanted == prefixes.end() && prefixes.size() != 1) return false;
    const auto& prefix = wanted == prefixes.end() ? prefixes.front() : *wanted;
    take(prefix + ".index");
    for (const auto& file : listing_) {
      if (file.starts_with(prefix + ".data-")) take(file);
    }
    take(folder + "bert_config.json");
    return true;
  }

  [[nodiscard]] std::string label(const std::string& file) const {
    return fmt::format("{} of {}", excerpt(file), *origin_);
  }

  [[nodiscard]] const std::set<std::string>& chosen() const { return chosen_; }

  /// What there is instead of weights that Cloze reads.
  [[noreturn]] void fail_without_weights(const std::string& folder) const {
    std::vector<std::string> others;
    for (const auto& file : listing_) {
      for (const auto* end : {".h5", ".msgpack", ".onnx", ".gguf", ".ot", ".bin", ".safetensors"}) {
        if (file.ends_with(end) && others.size() < 5) others.push_back(file);
      }
    }
    throw ModelError(fmt::format(
        "{} has no weights that Cloze reads (model.safetensors, pytorch_model.bin or a TensorFlow "
        "checkpoint){}{}",
        *origin_,
        folder.empty() ? ""
                       : fmt::format(" in {}, where modules.json says they are", in_quotes(folder)),
        others.empty() ? "" : fmt::format("; it has {}", excerpt_of_list(others))));
  }

 private:
  std::set<std::string> listing_, chosen_;
  const ReadFile* read_;
  const std::string* origin_;
};

/// A module of `modules.json`: the last part of its type ("Pooling"), and its folder with a slash
/// at its end, empty for the model's own.
struct Module {
  std::string type, folder;
};

std::vector<Module> modules_of(const std::string& text, const std::string& origin) {
  std::vector<Module> modules;
  const auto parsed = parse_json(text, origin);
  try {
    for (const auto& entry : parsed) {
      const auto type = entry.at("type").get<std::string>();
      auto folder = entry.value("path", "");
      while (folder.ends_with('/')) folder.pop_back();
      if (!folder.empty()) folder += '/';
      modules.push_back({type.substr(type.rfind('.') + 1), std::move(folder)});
    }
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(
        fmt::format("{} is not a list of modules: {}", origin, describe_json_error(error.what())));
  }
  return modules;
}

void take_model(Choice& choice, const std::string& folder) {
  choice.take(folder + "config.json");
  for (const auto* file : kTokenizerFiles) choice.take(folder + file);
  if (!choice.listed(folder + "tokenizer.json")) {
    for (const auto* file : kSentencePieceFiles) choice.take(folder + file);
  }
  if (choice.take_weights(folder, "model.safetensors")) return;
  if (choice.take_weights(folder, "pytorch_model.bin")) return;
  if (!choice.take_tensorflow(folder)) choice.fail_without_weights(folder);
}

}  // namespace

std::vector<std::string> choose_files(const std::vector<std::string>& listing, const ReadFile& read,
                                      const std::string& origin) {
  Choice choice(listing, read, origin);
  std::string folder;  // of the BERT itself
  if (choice.listed("modules.json")) {
    for (const auto& module :
         modules_of(choice.read("modules.json"), choice.label("modules.json"))) {
      if (module.type == "Transformer" || module.type == "MLMTransformer" ||
          module.type == "BERT" || module.type == "DistilBERT") {
        folder = module.folder;
        for (const auto* file : kTransformerSettings) choice.take(folder + file);
      } else if (module.type == "Normalize") {
        choice.take(module.folder + "config.json");  // since sentence-transformers 5.3
      } else {
        choice.require(module.folder + "config.json", "modules.json");
        // A pooling has no weights, a dense layer has.
        static_cast<void>(choice.take_weights(module.folder, "model.safetensors") ||
                          choice.take_weights(module.folder, "pytorch_model.bin"));
      }
    }
  }
  choice.take("config_sentence_transformers.json");
  choice.take("artifact.metadata");  // Stanford's ColBERT
  take_model(choice, folder);
  return {choice.chosen().begin(), choice.chosen().end()};
}

}  // namespace cloze::hub
