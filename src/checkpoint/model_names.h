/// \file
/// What the tensors of a checkpoint are in BERT, whatever its writer called them.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "cloze/checkpoint.h"

namespace cloze {

/// BERT's names, as transformers writes them, of a checkpoint's tensors. Understood are names with
/// and without `bert.`, with the prefixes of wrappers (`module.`, `model.`), with the `gamma` and
/// `beta` of 2018, DistilBERT's (`distilbert.transformer.layer.0.attention.q_lin.weight` is
/// `bert.encoder.layer.0.attention.self.query.weight`), ELECTRA's (`generator_lm_head.weight` is
/// `cls.predictions.decoder.weight`) and DPR's (`question_encoder.bert_model.`, `ctx_encoder.`).
class ModelNames {
 public:
  explicit ModelNames(const Checkpoint& checkpoint);

  /// The checkpoint's name for the tensor that BERT calls `name`; null if it has none.
  [[nodiscard]] const std::string* stored(std::string_view name) const;
  [[nodiscard]] bool contains(std::string_view name) const { return stored(name) != nullptr; }

  /// BERT's name → the checkpoint's, of every tensor but buffers that a model computes for itself
  /// (`position_ids`). Tensors that are no BERT's have the name that the checkpoint gives them.
  [[nodiscard]] const std::map<std::string, std::string, std::less<>>& all() const {
    return names_;
  }

  /// Whether the names are DistilBERT's: then there are no segment embeddings and no pooler, and a
  /// classifier stands on `pre_classifier`.
  [[nodiscard]] bool distilbert() const { return distilbert_; }
  /// Whether they are ELECTRA's: of a model with a head. Without one they are BERT's, but for
  /// `embeddings_project`.
  [[nodiscard]] bool electra() const { return electra_; }

 private:
  std::map<std::string, std::string, std::less<>> names_;
  bool distilbert_ = false, electra_ = false;
};

/// DistilBERT's name of a tensor that BERT calls `name`, with the prefix `distilbert.`: the inverse
/// of what ModelNames does.
[[nodiscard]] std::string distilbert_name(std::string_view name);

/// The same of ELECTRA, with the prefix `electra.`. Its classifiers of sequences keep what stands
/// between the first token and their last layer (`sequence_summary.summary` in a multiple-choice
/// model, which is what Cloze calls it) together with that, as `classifier.dense` and
/// `classifier.out_proj`: with `of_sequences` these are the names.
[[nodiscard]] std::string electra_name(std::string_view name, bool of_sequences);

}  // namespace cloze
