/// \file
/// The layers that stand on the encoder, and how they are found in a checkpoint.
#pragma once

#include <string>
#include <string_view>

#include "bert/encoder.h"
#include "ops/ops.h"

namespace cloze::internal {

/// A linear layer, with a layer norm after it in the masked-LM head's transform.
class Head {
 public:
  ops::LinearWeight dense;
  ops::LayerNormWeight norm;
};

/// A checkpoint opened, its encoder built, its heads still to be taken.
struct LoadedEncoder {
  CheckpointWeights weights;
  std::shared_ptr<const BertEncoder> encoder;
};
[[nodiscard]] LoadedEncoder load_encoder(const std::filesystem::path& directory,
                                         const LoadOptions& options);

/// Where the masked-LM head's last layer is.
struct DecoderNames {
  std::string weight;  ///< "cls.predictions.decoder.weight"; where it is tied, the word embeddings
  std::string bias;
  bool tied = false;
};
/// hidden -> vocabulary, as transformers 5 resolves it: the decoder that the checkpoint stores,
/// else the word embeddings where the configuration ties them; its bias under the decoder's own
/// name, else (transformers 4, Google) `cls.predictions.bias`. Where both are stored they are the
/// same values, or the first is the one that was trained.
[[nodiscard]] DecoderNames decoder_names(const WeightSource& weights, const BertConfig& config);

/// The masked-LM head's last layer.
struct DecoderTensors {
  Tensor weight;  ///< [vocab, hidden]
  Tensor bias;    ///< [vocab]
  bool tied = false;
};
/// What decoder_names names.
[[nodiscard]] DecoderTensors decoder_tensors(WeightSource& weights, const BertConfig& config,
                                             const Tensor& word_embeddings);

/// Throws ModelError saying that the checkpoint lacks the head `what` when `tensor` is not in it.
void require_head(const CheckpointWeights& weights, const std::string& tensor,
                  std::string_view what, std::string_view trained_as,
                  const std::filesystem::path& directory);

/// Throws ModelError saying that `what` needs a pooler when there is none.
void require_pooler(const BertEncoder& encoder, std::string_view what,
                    const std::filesystem::path& directory);

}  // namespace cloze::internal
