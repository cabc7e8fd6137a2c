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

/// Throws ModelError saying that the checkpoint lacks the head `what` when `tensor` is not in it.
void require_head(const CheckpointWeights& weights, const std::string& tensor,
                  std::string_view what, std::string_view trained_as,
                  const std::filesystem::path& directory);

/// Throws ModelError saying that `what` needs a pooler when there is none.
void require_pooler(const BertEncoder& encoder, std::string_view what,
                    const std::filesystem::path& directory);

}  // namespace cloze::internal
