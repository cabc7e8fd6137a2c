/// \file
/// BERT and its heads, with the names of transformers: `BertModel`, `BertForMaskedLM`, ...
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

namespace cloze {

/// What the matrix products are computed in.
enum class Precision : std::uint8_t {
  f32,
  bf16,  ///< weights and activations bf16, accumulation, softmax and layer norm f32
  int8,  ///< the encoder's linear layers in 8 bits: weights by output channel, activations by
         ///< token; the rest as in bf16 (f32 where the machine has no bf16)
  best,  ///< bf16 where the machine multiplies it in hardware, else f32
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

/// What a call returns besides the last hidden state.
struct ForwardOptions {
  bool output_hidden_states = false;
  bool output_attentions = false;
  Profile* profile = nullptr;  ///< where to add what each kind of operation costs, if anywhere
};

/// What `BertModel` computes.
struct BertOutput {
  Tensor last_hidden_state;           ///< [total_tokens, hidden]
  Tensor pooler_output;               ///< [sequences, hidden]; absent (empty) without a pooler
  std::vector<Tensor> hidden_states;  ///< on request: layers + 1 of [total_tokens, hidden]
  /// On request, layers of a flat tensor: sequence after sequence, each [heads, length, length]
  /// (query, key) probabilities.
  std::vector<Tensor> attentions;
};

namespace internal {
class BertEncoder;
class Head;
}  // namespace internal

/// The bare encoder. Loads every checkpoint with BERT's tensors, prefixed `bert.` or not.
class BertModel {
 public:
  /// Loads `config.json` and the weights. Throws IoError, FormatError and ModelError (a tensor
  /// missing or of another shape than the config says: which, expected and found).
  [[nodiscard]] static BertModel from_pretrained(const std::filesystem::path& directory,
                                                 const LoadOptions& options = {});

  /// A model of this shape with BERT's random initialisation, the same for the same seed.
  [[nodiscard]] static BertModel random(const BertConfig& config, std::uint64_t seed,
                                        const LoadOptions& options = {});

  /// Throws ArgumentError for an id outside the vocabulary, a position past
  /// `max_position_embeddings`, or a malformed batch.
  [[nodiscard]] BertOutput operator()(const Batch& batch, const ForwardOptions& options = {}) const;

  [[nodiscard]] const BertConfig& config() const;
  [[nodiscard]] bool has_pooler() const;
  [[nodiscard]] Precision precision() const;
  [[nodiscard]] std::int64_t num_parameters() const;

 private:
  explicit BertModel(std::shared_ptr<const internal::BertEncoder> encoder);
  std::shared_ptr<const internal::BertEncoder> encoder_;
};

/// Token prediction at masked positions (`cls.predictions`).
class BertForMaskedLM {
 public:
  /// As BertModel; ModelError also when the checkpoint has no masked-LM head.
  [[nodiscard]] static BertForMaskedLM from_pretrained(const std::filesystem::path& directory,
                                                       const LoadOptions& options = {});
  /// Logits [positions, vocab] at `positions`, which index the packed tokens.
  [[nodiscard]] Tensor operator()(const Batch& batch,
                                  std::span<const std::int32_t> positions) const;
  /// Logits [rows, vocab] of hidden states, f32 [rows, hidden], of any layer: what the head would
  /// say there ("logit lens").
  [[nodiscard]] Tensor decode(const Tensor& hidden_states) const;
  [[nodiscard]] const BertConfig& config() const;

 private:
  std::shared_ptr<const internal::BertEncoder> encoder_;
  std::shared_ptr<const internal::Head> transform_, decoder_;
};

/// Whether the second segment follows the first (`cls.seq_relationship`).
class BertForNextSentencePrediction {
 public:
  [[nodiscard]] static BertForNextSentencePrediction from_pretrained(
      const std::filesystem::path& directory, const LoadOptions& options = {});
  /// Logits [sequences, 2]: 0 "is next", 1 "is random".
  [[nodiscard]] Tensor operator()(const Batch& batch) const;
  [[nodiscard]] const BertConfig& config() const;

 private:
  std::shared_ptr<const internal::BertEncoder> encoder_;
  std::shared_ptr<const internal::Head> classifier_;
};

/// Both pre-training heads over one encoder pass.
class BertForPreTraining {
 public:
  /// Of one encoder pass.
  struct Output {
    Tensor prediction_logits;        ///< [positions, vocab]
    Tensor seq_relationship_logits;  ///< [sequences, 2]
  };
  [[nodiscard]] static BertForPreTraining from_pretrained(const std::filesystem::path& directory,
                                                          const LoadOptions& options = {});
  [[nodiscard]] Output operator()(const Batch& batch,
                                  std::span<const std::int32_t> positions) const;
  [[nodiscard]] const BertConfig& config() const;

 private:
  std::shared_ptr<const internal::BertEncoder> encoder_;
  std::shared_ptr<const internal::Head> transform_, decoder_, classifier_;
};

/// One label, several labels or a value for a sequence (`classifier` on the pooled output).
class BertForSequenceClassification {
 public:
  [[nodiscard]] static BertForSequenceClassification from_pretrained(
      const std::filesystem::path& directory, const LoadOptions& options = {});
  [[nodiscard]] Tensor operator()(const Batch& batch) const;  ///< logits [sequences, num_labels]
  [[nodiscard]] const BertConfig& config() const;

 private:
  std::shared_ptr<const internal::BertEncoder> encoder_;
  std::shared_ptr<const internal::Head> classifier_;
};

/// A label for every token (`classifier` on the last hidden state).
class BertForTokenClassification {
 public:
  [[nodiscard]] static BertForTokenClassification from_pretrained(
      const std::filesystem::path& directory, const LoadOptions& options = {});
  [[nodiscard]] Tensor operator()(const Batch& batch) const;  ///< logits [total_tokens, num_labels]
  [[nodiscard]] const BertConfig& config() const;

 private:
  std::shared_ptr<const internal::BertEncoder> encoder_;
  std::shared_ptr<const internal::Head> classifier_;
};

/// Start and end of an answer (`qa_outputs`).
class BertForQuestionAnswering {
 public:
  /// Scores of each token as the first and as the last of the answer.
  struct Output {
    Tensor start_logits;  ///< [total_tokens]
    Tensor end_logits;    ///< [total_tokens]
  };
  [[nodiscard]] static BertForQuestionAnswering from_pretrained(
      const std::filesystem::path& directory, const LoadOptions& options = {});
  [[nodiscard]] Output operator()(const Batch& batch) const;
  [[nodiscard]] const BertConfig& config() const;

 private:
  std::shared_ptr<const internal::BertEncoder> encoder_;
  std::shared_ptr<const internal::Head> classifier_;
};

/// A score for each choice; the choices of one question are neighbouring sequences.
class BertForMultipleChoice {
 public:
  [[nodiscard]] static BertForMultipleChoice from_pretrained(const std::filesystem::path& directory,
                                                             const LoadOptions& options = {});
  /// Logits [sequences / num_choices, num_choices]. Throws ArgumentError when the sequences cannot
  /// be divided so.
  [[nodiscard]] Tensor operator()(const Batch& batch, std::int64_t num_choices) const;
  [[nodiscard]] const BertConfig& config() const;

 private:
  std::shared_ptr<const internal::BertEncoder> encoder_;
  std::shared_ptr<const internal::Head> classifier_;
};

}  // namespace cloze
