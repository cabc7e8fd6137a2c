/// \file
/// Routes that answer with vectors: text-embeddings-inference's, OpenAI's and Cohere's.
#pragma once

#include "serve/service.h"

namespace cloze::serve {

[[nodiscard]] Reply embed(const Service& service, const Asked& asked);         // /embed
[[nodiscard]] Reply embed_all(const Service& service, const Asked& asked);     // /embed_all
[[nodiscard]] Reply embed_sparse(const Service& service, const Asked& asked);  // /embed_sparse
[[nodiscard]] Reply similarity(const Service& service, const Asked& asked);    // /similarity
[[nodiscard]] Reply openai_embeddings(const Service& service,
                                      const Asked& asked);                     // /v1/embeddings
[[nodiscard]] Reply cohere_embed(const Service& service, const Asked& asked);  // /v2/embed

}  // namespace cloze::serve
