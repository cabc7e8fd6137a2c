/// \file
/// What a model answers about a text, and which logits that answer is: the score to explain.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bert/training/input_gradients.h"
#include "cloze/bert.h"
#include "cloze/tokenizer.h"
#include "inspect/inspected_text.h"
#include "inspect/model_info.h"

namespace cloze {

/// Which of a model's answers.
enum class Question : std::uint8_t {
  automatic,  ///< the first that model and text have: label, tag, answer, mask, next
  label,      ///< of the text (sequence classification), or its value (regression)
  tag,        ///< of one token (token classification)
  answer,     ///< the span of the second text that answers the first
  mask,       ///< the token at a [MASK]
  next,       ///< whether the second text follows the first
};

/// "auto", "label", "tag", "answer", "mask", "next". Throws ArgumentError for another name.
[[nodiscard]] Question question_from(std::string_view name);
[[nodiscard]] std::string_view name_of(Question question);

struct ExplanationOptions {
  Question question = Question::automatic;
  /// Explain this label, or vocabulary entry at the mask, instead of the likeliest. Empty: the
  /// likeliest.
  std::string target = {};
  /// The token whose tag, or the mask, is explained: a place in the sequence. -1: the first mask;
  /// the token whose tag is the surest, those tagged "O" left out.
  std::int64_t at = -1;
};

struct AnswerCandidate {
  std::string name;
  double probability = 0;
};

struct Explanation {
  Question question = Question::label;
  const internal::HeadKind* head = &internal::heads::sequence_classification;
  std::vector<internal::ScoredLogit> logits = {};  ///< whose sum is explained
  std::string answer = {};  ///< the label, tag, span or token that is explained
  double probability = 0;   ///< of that answer, by the head; for regression the value itself
  bool regression = false;
  std::string score = {};  ///< what is explained, for a person: "the logit of label POSITIVE"
  std::int32_t at = -1;    ///< the token that it is about, or -1
  std::vector<AnswerCandidate> candidates = {};  ///< the likeliest answers, best first
};

/// The model's answer; nothing, and `reason` filled in, where `automatic` finds no question that
/// model and text have. Throws ModelError for a head that is not there, ArgumentError for a text
/// or target that the question does not fit.
[[nodiscard]] std::optional<Explanation> explanation(const ModelInfo& model,
                                                     const Tokenizer& tokenizer,
                                                     const InspectedText& text,
                                                     const ExplanationOptions& options,
                                                     const LoadOptions& load, std::string& reason);

}  // namespace cloze
