#include "checkpoint/model_names.h"

#include <algorithm>
#include <array>
#include <utility>

namespace cloze {
namespace {

struct RenamedPart {
  std::string_view theirs, bert;
};

/// Parts of a layer, after `transformer.layer.N.` and `encoder.layer.N.`.
constexpr std::array<RenamedPart, 8> kLayerParts{{{"attention.q_lin.", "attention.self.query."},
                                                  {"attention.k_lin.", "attention.self.key."},
                                                  {"attention.v_lin.", "attention.self.value."},
                                                  {"attention.out_lin.", "attention.output.dense."},
                                                  {"sa_layer_norm.", "attention.output.LayerNorm."},
                                                  {"ffn.lin1.", "intermediate.dense."},
                                                  {"ffn.lin2.", "output.dense."},
                                                  {"output_layer_norm.", "output.LayerNorm."}}};

/// The masked-LM head.
constexpr std::array<RenamedPart, 3> kDistilHeads{
    {{"vocab_transform.", "cls.predictions.transform.dense."},
     {"vocab_layer_norm.", "cls.predictions.transform.LayerNorm."},
     {"vocab_projector.", "cls.predictions.decoder."}}};

/// ELECTRA's heads, which share names with other models': they count where something else of the
/// checkpoint says that it is one. What stands on the first token has two names there.
constexpr std::array<RenamedPart, 6> kElectraHeads{
    {{"generator_predictions.dense.", "cls.predictions.transform.dense."},
     {"generator_predictions.LayerNorm.", "cls.predictions.transform.LayerNorm."},
     {"generator_lm_head.", "cls.predictions.decoder."},
     {"classifier.dense.", "sequence_summary.summary."},
     {"classifier.out_proj.", "classifier."},
     {"embeddings_project.", "bert.embeddings_project."}}};

constexpr std::string_view kDistilLayer = "transformer.layer.", kBertLayer = "bert.encoder.layer.";

/// Replaces a beginning of `name`; false if it has another.
bool rename_prefix(std::string& name, std::string_view from, std::string_view to) {
  if (!name.starts_with(from)) return false;
  name.replace(0, from.size(), to);
  return true;
}

/// `PREFIX.N.REST` with the prefix `from` becomes that with `to`, and REST by the table.
bool rename_layer(std::string& name, std::string_view from, std::string_view to, bool to_bert) {
  if (!name.starts_with(from)) return false;
  const auto dot = name.find('.', from.size());
  if (dot == std::string::npos) return false;
  auto rest = name.substr(dot + 1);
  for (const auto& [theirs, bert] : kLayerParts) {
    if (!rename_prefix(rest, to_bert ? theirs : bert, to_bert ? bert : theirs)) continue;
    name.replace(dot + 1, std::string::npos, rest);
    name.replace(0, from.size(), to);
    return true;
  }
  return false;
}

/// Without what programs that wrap a model put before its names.
std::string unwrapped(std::string name) {
  while (rename_prefix(name, "module.", "") || rename_prefix(name, "model.", "") ||
         rename_prefix(name, "_orig_mod.", "")) {
  }
  return name;
}

/// Whether a name is one that only an ELECTRA has.
bool is_electra_name(const std::string& stored) {
  const auto name = unwrapped(stored);
  return name.starts_with("electra.") || name.starts_with("embeddings_project.") ||
         name.starts_with("generator_predictions.") || name.starts_with("generator_lm_head.") ||
         name.starts_with("discriminator_predictions.");
}

/// BERT's name of a tensor, and whether DistilBERT's names were what it had.
std::pair<std::string, bool> bert_name(std::string name, bool electra) {
  name = unwrapped(std::move(name));
  // DPR's encoders have a module with a BERT in it, the newer ones of transformers; and what
  // projects its result.
  for (const std::string_view dpr : {"question_encoder.", "ctx_encoder."}) {
    if (rename_prefix(name, dpr, "")) rename_prefix(name, "bert_model.", "");
  }
  const auto rename_last = [&name](std::string_view from, std::string_view to) {
    if (name.ends_with(from)) name.replace(name.size() - from.size(), from.size(), to);
  };
  rename_last("LayerNorm.gamma", "LayerNorm.weight");
  rename_last("LayerNorm.beta", "LayerNorm.bias");
  if (electra) {
    rename_prefix(name, "electra.", "");
    for (const auto& [theirs, ours] : kElectraHeads) {
      if (rename_prefix(name, theirs, ours)) break;
    }
  }
  bool distilbert = rename_prefix(name, "distilbert.", "");
  distilbert = rename_layer(name, kDistilLayer, kBertLayer, true) || distilbert;
  for (const auto& [theirs, ours] : kDistilHeads) {
    distilbert = rename_prefix(name, theirs, ours) || distilbert;
  }
  for (const std::string_view part : {"embeddings.", "encoder.", "pooler."}) {
    if (name.starts_with(part)) name.insert(0, "bert.");
  }
  return {std::move(name), distilbert};
}

/// Numbers that a model computes for itself, which some writers store.
bool is_buffer(std::string_view name) {
  return name.ends_with("position_ids") || name.ends_with("embeddings.token_type_ids");
}

}  // namespace

ModelNames::ModelNames(const Checkpoint& checkpoint) {
  const auto all = checkpoint.names();
  electra_ = std::any_of(all.begin(), all.end(), is_electra_name);
  for (const auto& stored : all) {
    if (is_buffer(stored)) continue;
    auto [name, distilbert] = bert_name(stored, electra_);
    distilbert_ = distilbert_ || distilbert;
    if (name == stored) {
      names_[std::move(name)] = stored;  // the very name wins over one that means the same
    } else {
      names_.emplace(std::move(name), stored);
    }
  }
}

const std::string* ModelNames::stored(std::string_view name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &found->second;
}

std::string distilbert_name(std::string_view name) {
  std::string renamed(name);
  for (const auto& [theirs, ours] : kDistilHeads) {
    if (rename_prefix(renamed, ours, theirs)) return renamed;
  }
  if (!rename_layer(renamed, kBertLayer, "distilbert.transformer.layer.", false)) {
    rename_prefix(renamed, "bert.", "distilbert.");
  }
  return renamed;
}

std::string electra_name(std::string_view name, bool of_sequences) {
  std::string renamed(name);
  for (const auto& [theirs, ours] : kElectraHeads) {
    if (theirs.starts_with("classifier.") && !of_sequences) continue;
    if (theirs.starts_with("embeddings_project.")) continue;
    if (rename_prefix(renamed, ours, theirs)) return renamed;
  }
  rename_prefix(renamed, "bert.", "electra.");
  return renamed;
}

}  // namespace cloze
