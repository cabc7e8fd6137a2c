/// \file
/// BERT and its heads, with the names of transformers: `BertModel`, `BertForMaskedLM`, ... They
/// load checkpoints of BERT, DistilBERT, ELECTRA and DPR's encoders, whichever class of those
/// families wrote them.
///
/// Every model is immutable after loading and may be shared by threads: a call takes its working
/// memory from a pool that the model owns. Every output is f32, whatever the computation's dtype.
/// Sequences are packed (see batch.h), so a per-token output has `total_tokens` rows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/batch.h"
#include "cloze/config.h"
#include "cloze/profile.h"
#include "cloze/tensor.h"

namespace cloze::internal {
class HeadModel;
}

#pragma GCC visibility push(default)
namespace cloze {

/// What the matrix products are computed in.
enum class Precision : std::uint8_t {
  f32,
  bf16,  ///< weights and activations bf16, accumulation, softmax and layer norm f32
  int8,  ///< the encoder's linear layers in 8 bits: weights by output channel, activations by
         ///< token; the rest as in bf16 (f32 where the machine has no bf16)
  best,  ///< f32 or bf16: the one whose products are faster on this machine, by measurement
         ///< (`machine_info` of machine.h says which, and why)
};

/// "f32", "bf16", "int8" or "auto". Throws ArgumentError for another name.
[[nodiscard]] Precision precision_from(std::string_view name);

/// The name that `precision_from` reads.
[[nodiscard]] std::string_view name_of(Precision precision);

/// The precision that `wanted` means on this machine: never `best`.
[[nodiscard]] Precision resolve(Precision wanted);

/// How `from_pretrained` prepares the weights.
struct LoadOptions {
  Precision precision = Precision::f32;
  /// For int8: linear layers whose parameter names contain one of these stay unquantized, such as
  /// "output.dense" (the most sensitive) or "layer.0." (a whole layer).
  std::vector<std::string> keep = {};
};

/// What the encoder computes.
struct BertOutput {
  Tensor last_hidden_state;           ///< [total_tokens, hidden]
  Tensor pooler_output;               ///< [sequences, hidden]; absent (empty) without a pooler
  std::vector<Tensor> hidden_states;  ///< on request: layers + 1 of [total_tokens, hidden]
  /// On request, layers of a flat tensor: sequence after sequence, each [heads, length, length]
  /// (query, key) probabilities.
  std::vector<Tensor> attentions;
};

/// What a call returns besides its result.
struct ForwardOptions {
  bool output_hidden_states = false;
  bool output_attentions = false;
  Profile* profile = nullptr;  ///< where to add what each kind of operation costs, if anywhere
  /// [sequences]: how many of each sequence's first tokens are attended to; the others see those
  /// and are seen by none, themselves included, as where transformers' attention_mask is 0. Empty:
  /// all. At least 1 each; not together with output_attentions.
  std::span<const std::int32_t> attended{};
  /// Models with a head: where to put what the encoder computes, with the hidden states and
  /// attentions that are asked for. The last layer then runs for all tokens, and not only for those
  /// that the head reads.
  BertOutput* encoder_output = nullptr;
};

/// What all models have. A copy of a model is cheap and shares its weights.
class BertPreTrainedModel {
 public:
  [[nodiscard]] const BertConfig& config() const;
  [[nodiscard]] Precision precision() const;  ///< what the encoder computes in
  /// Elements of the encoder's tensors, of its pooler's and of the head's.
  [[nodiscard]] std::int64_t num_parameters() const;

  /// Writes `config.json` and the weights as transformers does, with this class as architecture, to
  /// `directory` (made if need be). Of a loaded model these are the tensors of its checkpoint in
  /// the dtype that they are stored in, whatever the precision of the computation; of a random one
  /// its f32 values. Nothing is held in memory for this: the checkpoint stays mapped, and random
  /// values are made again from their seed. The tokenizer is saved by itself. Throws IoError.
  void save_pretrained(const std::filesystem::path& directory) const;

 protected:
  explicit BertPreTrainedModel(std::shared_ptr<const internal::HeadModel> model);
  [[nodiscard]] const internal::HeadModel& model() const { return *model_; }

 private:
  std::shared_ptr<const internal::HeadModel> model_;
};

/// The bare encoder. Loads every checkpoint with BERT's tensors, prefixed `bert.` or not.
class BertModel : public BertPreTrainedModel {
 public:
  /// Loads `config.json` and the weights of a directory, or of a model by its name (find_model of
  /// hub.h). Throws IoError, FormatError and ModelError (a tensor missing or of another shape than
  /// the config says: which, expected and found).
  [[nodiscard]] static BertModel from_pretrained(const std::filesystem::path& directory_or_name,
                                                 const LoadOptions& options = {});
  /// A model of this shape with BERT's random initialisation, the same for the same seed.
  [[nodiscard]] static BertModel random(const BertConfig& config, std::uint64_t seed,
                                        const LoadOptions& options = {});

  /// Throws ArgumentError for an id outside the vocabulary, a position past
  /// `max_position_embeddings`, or a malformed batch; ModelError where results are infinite or NaN,
  /// naming the tensor that is to blame. So do all models below.
  [[nodiscard]] BertOutput operator()(const Batch& batch, const ForwardOptions& options = {}) const;

  [[nodiscard]] bool has_pooler() const;

 private:
  explicit BertModel(std::shared_ptr<const internal::HeadModel> model);
};

/// Token prediction at masked positions (`cls.predictions`).
class BertForMaskedLM : public BertPreTrainedModel {
 public:
  /// As BertModel; ModelError also when the checkpoint has no masked-LM head.
  [[nodiscard]] static BertForMaskedLM from_pretrained(
      const std::filesystem::path& directory_or_name, const LoadOptions& options = {});
  [[nodiscard]] static BertForMaskedLM random(const BertConfig& config, std::uint64_t seed,
                                              const LoadOptions& options = {});
  /// Logits [positions, vocab] at `positions`, which index the packed tokens.
  [[nodiscard]] Tensor operator()(const Batch& batch, std::span<const std::int32_t> positions,
                                  const ForwardOptions& options = {}) const;
  /// Logits [rows, vocab] of hidden states, f32 [rows, hidden], of any layer: what the head would
  /// say there ("logit lens").
  [[nodiscard]] Tensor decode(const Tensor& hidden_states) const;

 private:
  explicit BertForMaskedLM(std::shared_ptr<const internal::HeadModel> model);
};

/// Whether the second segment follows the first (`cls.seq_relationship`).
class BertForNextSentencePrediction : public BertPreTrainedModel {
 public:
  [[nodiscard]] static BertForNextSentencePrediction from_pretrained(
      const std::filesystem::path& directory_or_name, const LoadOptions& options = {});
  [[nodiscard]] static BertForNextSentencePrediction random(const BertConfig& config,
                                                            std::uint64_t seed,
                                                            const LoadOptions& options = {});
  /// Logits [sequences, 2]: 0 "is next", 1 "is random".
  [[nodiscard]] Tensor operator()(const Batch& batch, const ForwardOptions& options = {}) const;

 private:
  explicit BertForNextSentencePrediction(std::shared_ptr<const internal::HeadModel> model);
};

/// Both pre-training heads over one encoder pass.
class BertForPreTraining : public BertPreTrainedModel {
 public:
  /// Of one encoder pass.
  struct Output {
    Tensor prediction_logits;        ///< [positions, vocab]
    Tensor seq_relationship_logits;  ///< [sequences, 2]
  };
  [[nodiscard]] static BertForPreTraining from_pretrained(
      const std::filesystem::path& directory_or_name, const LoadOptions& options = {});
  [[nodiscard]] static BertForPreTraining random(const BertConfig& config, std::uint64_t seed,
                                                 const LoadOptions& options = {});
  [[nodiscard]] Output operator()(const Batch& batch, std::span<const std::int32_t> positions,
                                  const ForwardOptions& options = {}) const;

 private:
  explicit BertForPreTraining(std::shared_ptr<const internal::HeadModel> model);
};

/// One label, several labels or a value for a sequence (`classifier` on the pooled output).
class BertForSequenceClassification : public BertPreTrainedModel {
 public:
  [[nodiscard]] static BertForSequenceClassification from_pretrained(
      const std::filesystem::path& directory_or_name, const LoadOptions& options = {});
  [[nodiscard]] static BertForSequenceClassification random(const BertConfig& config,
                                                            std::uint64_t seed,
                                                            const LoadOptions& options = {});
  /// Logits [sequences, num_labels].
  [[nodiscard]] Tensor operator()(const Batch& batch, const ForwardOptions& options = {}) const;

 private:
  explicit BertForSequenceClassification(std::shared_ptr<const internal::HeadModel> model);
};

/// A label for every token (`classifier` on the last hidden state).
class BertForTokenClassification : public BertPreTrainedModel {
 public:
  [[nodiscard]] static BertForTokenClassification from_pretrained(
      const std::filesystem::path& directory_or_name, const LoadOptions& options = {});
  [[nodiscard]] static BertForTokenClassification random(const BertConfig& config,
                                                         std::uint64_t seed,
                                                         const LoadOptions& options = {});
  /// Logits [total_tokens, num_labels].
  [[nodiscard]] Tensor operator()(const Batch& batch, const ForwardOptions& options = {}) const;

 private:
  explicit BertForTokenClassification(std::shared_ptr<const internal::HeadModel> model);
};

/// Start and end of an answer (`qa_outputs`).
class BertForQuestionAnswering : public BertPreTrainedModel {
 public:
  /// Scores of each token as the first and as the last of the answer.
  struct Output {
    Tensor start_logits;  ///< [total_tokens]
    Tensor end_logits;    ///< [total_tokens]
  };
  [[nodiscard]] static BertForQuestionAnswering from_pretrained(
      const std::filesystem::path& directory_or_name, const LoadOptions& options = {});
  [[nodiscard]] static BertForQuestionAnswering random(const BertConfig& config, std::uint64_t seed,
                                                       const LoadOptions& options = {});
  [[nodiscard]] Output operator()(const Batch& batch, const ForwardOptions& options = {}) const;

 private:
  explicit BertForQuestionAnswering(std::shared_ptr<const internal::HeadModel> model);
};

/// Whether each token was put in place of another one: ELECTRA's discriminator
/// (`discriminator_predictions`), which transformers names so.
class ElectraForPreTraining : public BertPreTrainedModel {
 public:
  /// As BertModel; ModelError also when the checkpoint has no such head.
  [[nodiscard]] static ElectraForPreTraining from_pretrained(
      const std::filesystem::path& directory_or_name, const LoadOptions& options = {});
  [[nodiscard]] static ElectraForPreTraining random(const BertConfig& config, std::uint64_t seed,
                                                    const LoadOptions& options = {});
  /// Logits [total_tokens]: over 0 where a token was replaced.
  [[nodiscard]] Tensor operator()(const Batch& batch, const ForwardOptions& options = {}) const;

 private:
  explicit ElectraForPreTraining(std::shared_ptr<const internal::HeadModel> model);
};

/// A score for each choice; the choices of one question are neighbouring sequences.
class BertForMultipleChoice : public BertPreTrainedModel {
 public:
  [[nodiscard]] static BertForMultipleChoice from_pretrained(
      const std::filesystem::path& directory_or_name, const LoadOptions& options = {});
  [[nodiscard]] static BertForMultipleChoice random(const BertConfig& config, std::uint64_t seed,
                                                    const LoadOptions& options = {});
  /// Logits [sequences / num_choices, num_choices]. Throws ArgumentError when the sequences cannot
  /// be divided so.
  [[nodiscard]] Tensor operator()(const Batch& batch, std::int64_t num_choices,
                                  const ForwardOptions& options = {}) const;

 private:
  explicit BertForMultipleChoice(std::shared_ptr<const internal::HeadModel> model);
};

}  // namespace cloze

#pragma GCC visibility pop
