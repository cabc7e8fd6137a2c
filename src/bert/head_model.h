/// \file
/// An encoder with a head of the table on it: what every public model is made of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "bert/encoder.h"
#include "bert/head_table.h"
#include "cloze/checkpoint.h"
#include "ops/linear.h"
#include "ops/norm.h"

namespace cloze::internal {

/// Immutable after loading, and safe to share between threads.
class HeadModel {
 public:
  /// Of a directory, or of a name as find_model understands it, to compute on `device`. `head` and
  /// the device must live as long as the model. Throws as BertModel::from_pretrained does;
  /// ModelError also where the checkpoint lacks one of the head's tensors, or the pooler that it
  /// stands on.
  [[nodiscard]] static std::shared_ptr<const HeadModel> from_pretrained(
      const std::filesystem::path& directory_or_name, const HeadKind& head,
      const LoadOptions& options, const ops::Device& device = ops::cpu());

  /// With BERT's random initialisation, the same for the same seed.
  [[nodiscard]] static std::shared_ptr<const HeadModel> random(
      const BertConfig& config, const HeadKind& head, std::uint64_t seed,
      const LoadOptions& options, const ops::Device& device = ops::cpu());

  /// The logits of each layer of the head, f32, in their order: [sequences, outputs] of a layer on
  /// the pooler, [total_tokens, outputs] of one on the tokens (transformed or not), [positions,
  /// vocab] of masked ones at `positions`, which index the packed tokens. Of a head for pairs the
  /// vectors of the sequences [sequences, hidden], the means of their hidden states. Throws
  /// ArgumentError for a batch that the model cannot read and a position outside of it; ModelError
  /// for results that are infinite or NaN, naming the tensor of the checkpoint that is to blame.
  [[nodiscard]] std::vector<Tensor> run(const Batch& batch,
                                        std::span<const std::int32_t> positions = {},
                                        const ForwardOptions& options = {}) const;

  /// The only result of a head that has one and needs no positions.
  [[nodiscard]] Tensor logits(const Batch& batch, const ForwardOptions& options = {}) const {
    return run(batch, {}, options).front();
  }

  /// Logits [rows, vocab] that the masked layer, which the head must have, gives hidden states f32
  /// [rows, hidden].
  [[nodiscard]] Tensor decode(const Tensor& hidden_states) const;

  /// Writes config.json and the weights for transformers, with the head's class as architecture:
  /// the tensors of the checkpoint, in the dtype that it has them in, or those of the random
  /// initialisation, f32. Throws IoError.
  void save_pretrained(const std::filesystem::path& directory) const;

  [[nodiscard]] const HeadKind& head() const { return *head_; }
  [[nodiscard]] const BertEncoder& encoder() const { return encoder_; }
  [[nodiscard]] const BertConfig& config() const { return encoder_.config(); }
  [[nodiscard]] std::int64_t num_parameters() const;

 private:
  /// Where the weights come from: what saving reads them from again. A checkpoint stays mapped, a
  /// random model is made again from its seed, so that no second copy is held.
  using Origin = std::variant<Checkpoint, std::uint64_t>;

  /// A layer's weights.
  struct Layer {
    HeadLayer description;
    ops::LinearWeight transform{};  ///< of masked and transformed ones
    ops::NormParameters norm{};     ///< of masked ones
    ops::LinearWeight dense{};      ///< the decoder, of masked ones
  };

  HeadModel(BertConfig config, WeightSource& weights, const HeadKind& head,
            const LoadOptions& options, const ops::Device& device, Origin origin);
  [[nodiscard]] Layer load(WeightSource& weights, const HeadLayer& description) const;
  [[nodiscard]] bool reads(HeadInput input) const;
  [[nodiscard]] Tensor decode(const Layer& layer, ops::Context& context,
                              ops::ConstMatrix hidden_states,
                              std::span<const std::int32_t> rows) const;

  const HeadKind* head_;
  Origin origin_;
  BertEncoder encoder_;
  std::vector<Layer> layers_;
};

/// Where the masked-LM head's last layer is.
struct DecoderNames {
  std::string weight;  ///< "cls.predictions.decoder.weight"; where it is tied, the word embeddings
  std::string bias;
  bool tied = false;
};
/// embedding -> vocabulary, as transformers 5 resolves it: the decoder that the checkpoint stores,
/// else the word embeddings where the configuration ties them; its bias under the decoder's own
/// name, else (transformers 4, Google) `cls.predictions.bias`. Where both are stored they are the
/// same values, or the first is the one that was trained.
[[nodiscard]] DecoderNames decoder_names(const WeightSource& weights, const BertConfig& config);

/// The masked-LM head's last layer.
struct DecoderTensors {
  Tensor weight;  ///< [vocab, embedding]
  Tensor bias;    ///< [vocab]
  bool tied = false;
};
/// What decoder_names names.
[[nodiscard]] DecoderTensors decoder_tensors(WeightSource& weights, const BertConfig& config,
                                             const Tensor& word_embeddings);

}  // namespace cloze::internal
