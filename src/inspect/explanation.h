/// \file
/// What a model answers about a text, and which logits stand for that answer.
#pragma once

#include <optional>
#include <string>

#include "bert/head_table.h"
#include "cloze/inspect.h"
#include "cloze/model_info.h"
#include "cloze/tokenizer.h"

namespace cloze {

/// The head that gives an answer of this kind, which is not `automatic`.
[[nodiscard]] const internal::HeadKind& head_of(AnswerKind kind);

/// The model's answer; nothing, and `reason` filled in, where `automatic` finds no answer that
/// model and text have. Throws ModelError for a head that is not there, ArgumentError for a text
/// or target that does not fit the kind of answer.
[[nodiscard]] std::optional<Explanation> explanation(const ModelInfo& model,
                                                     const Tokenizer& tokenizer,
                                                     const InspectedText& text,
                                                     const ExplanationOptions& options,
                                                     const LoadOptions& load, std::string& reason);

}  // namespace cloze
