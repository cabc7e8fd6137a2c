#include "checkpoint/model_head.h"

namespace cloze {

std::string_view head_of(const ModelNames& names, const BertConfig& config) {
  if (names.contains("cls.predictions.transform.dense.weight")) {
    return names.contains("cls.seq_relationship.weight") ? "ForPreTraining" : "ForMaskedLM";
  }
  if (names.contains("cls.seq_relationship.weight")) return "ForNextSentencePrediction";
  if (names.contains("qa_outputs.weight")) return "ForQuestionAnswering";
  if (!names.contains("classifier.weight")) return "Model";
  for (const std::string_view head : {"ForTokenClassification", "ForMultipleChoice"}) {
    for (const auto& stated : config.architectures) {
      if (stated.ends_with(head)) return head;
    }
  }
  return "ForSequenceClassification";
}

}  // namespace cloze
