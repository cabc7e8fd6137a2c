/// \file
/// Routes of Hugging Face's tasks, as `InferenceClient` and huggingface.js speak to them.
#pragma once

#include <string>
#include <string_view>

#include "serve/service.h"

namespace cloze::serve {

/// Answers `task`: "feature-extraction", "sentence-similarity", "text-classification",
/// "token-classification", "question-answering", "fill-mask", "zero-shot-classification" or
/// "text-ranking". Throws RequestError (404) for another one.
[[nodiscard]] Reply answer_task(const Service& service, const Asked& asked, std::string_view task);

/// Answers the first task of the model, as text-embeddings-inference's `/` does: labels as /predict
/// has them are nested, as Hugging Face's clients read them.
[[nodiscard]] Reply answer_default(const Service& service, const Asked& asked);

// One file a task.
[[nodiscard]] Reply classify_text(const Service& service, const Asked& asked);
[[nodiscard]] Reply tag_text(const Service& service, const Asked& asked);
[[nodiscard]] Reply answer_question(const Service& service, const Asked& asked);
[[nodiscard]] Reply fill_mask(const Service& service, const Asked& asked);
[[nodiscard]] Reply classify_zero_shot(const Service& service, const Asked& asked);

/// Throws RequestError (413) where a text needs more tokens than one may that cannot be divided.
void require_unit(const Service& service, std::int64_t tokens, std::size_t index);

}  // namespace cloze::serve
