/// \file
/// A model as transformers stores it: what conversion and `save_pretrained` write.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "bert/head_table.h"
#include "checkpoint/model_names.h"
#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "cloze/progress.h"
#include "cloze/tensor.h"

namespace cloze::internal {

/// The tensors of a class of transformers, by the names that it gives them.
struct StoredModel {
  BertConfig config;                    ///< `architectures` is the class
  DType dtype = DType::f32;             ///< of the word embeddings
  TensorMap tensors{};                  ///< views of the checkpoint where they are stored as wanted
  std::vector<std::string> left_out{};  ///< tensors of the checkpoint that the class does not have
};

/// The checkpoint's model as `head`'s class stores it, DistilBERT's for a DistilBERT, in `dtype` or
/// as it is. `progress` is told of the tensors. Throws ModelError where it has no word embeddings,
/// or integers for weights.
[[nodiscard]] StoredModel stored_model(const Checkpoint& checkpoint, const BertConfig& config,
                                       const HeadKind& head,
                                       std::optional<DType> dtype = std::nullopt,
                                       const ProgressCallback& progress = {});

/// The tensors of a trained model, which have BERT's names, as the class of its family
/// (trained_family) for `head` stores them: an ELECTRA's by its own names.
[[nodiscard]] TensorMap named_for(TensorMap tensors, const BertConfig& config,
                                  const HeadKind& head);

/// BERT's random initialisation.
[[nodiscard]] StoredModel random_model(const BertConfig& config, const HeadKind& head,
                                       std::uint64_t seed);

/// Writes the weights, named and divided as save_checkpoint does, and `config.json` to `directory`
/// (made if need be). Both are replaced as one: an error leaves the model that was there, and no
/// kill leaves new weights with an old configuration. Throws IoError.
void save(const StoredModel& model, const std::filesystem::path& directory,
          std::int64_t max_shard_bytes = 5'000'000'000);

/// Throws ModelError where the checkpoint is no BERT: it has no word embeddings.
void require_bert(const Checkpoint& checkpoint, const ModelNames& names);

}  // namespace cloze::internal
