// Runs a model with its head on packed batches from files: the C++ side of
// bench/check_checkpoints.py.
//
//   head_batch MODEL CLASS IN.safetensors OUT.safetensors [IN OUT ...]
//
// CLASS is "ForPreTraining", "ForTokenClassification", ...; IN holds a batch as the goldens do; OUT
// receives what transformers' class returns, with a row for each packed token or each sequence (of
// ForMultipleChoice: sequences as questions of two choices).
#include <cstdint>
#include <cstdio>
#include <exception>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "cloze/bert.h"
#include "cloze/checkpoint.h"
#include "cloze/tensor.h"
#include "goldens/golden.h"

namespace {

using cloze::Batch;
using cloze::TensorMap;

std::vector<std::int32_t> every_token(const Batch& batch) {
  std::vector<std::int32_t> positions(static_cast<std::size_t>(batch.total_tokens()));
  std::iota(positions.begin(), positions.end(), 0);
  return positions;
}

TensorMap outputs(const std::string& directory, const std::string& head, const Batch& batch) {
  if (head == "ForPreTraining") {
    const auto model = cloze::BertForPreTraining::from_pretrained(directory);
    auto out = model(batch, every_token(batch));
    return {{"prediction_logits", std::move(out.prediction_logits)},
            {"seq_relationship_logits", std::move(out.seq_relationship_logits)}};
  }
  if (head == "ForQuestionAnswering") {
    auto out = cloze::BertForQuestionAnswering::from_pretrained(directory)(batch);
    return {{"start_logits", std::move(out.start_logits)},
            {"end_logits", std::move(out.end_logits)}};
  }
  if (head == "ForMaskedLM") {
    const auto model = cloze::BertForMaskedLM::from_pretrained(directory);
    return {{"logits", model(batch, every_token(batch))}};
  }
  if (head == "ForNextSentencePrediction") {
    return {{"logits", cloze::BertForNextSentencePrediction::from_pretrained(directory)(batch)}};
  }
  if (head == "ForSequenceClassification") {
    return {{"logits", cloze::BertForSequenceClassification::from_pretrained(directory)(batch)}};
  }
  if (head == "ForTokenClassification") {
    return {{"logits", cloze::BertForTokenClassification::from_pretrained(directory)(batch)}};
  }
  if (head == "ForMultipleChoice") {
    return {{"logits", cloze::BertForMultipleChoice::from_pretrained(directory)(batch, 2)}};
  }
  if (head == "Model") {
    auto out = cloze::BertModel::from_pretrained(directory)(batch);
    return {{"last_hidden_state", std::move(out.last_hidden_state)}};
  }
  throw std::runtime_error("there is no class " + head);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5 || argc % 2 == 0) {
    (void)std::fputs("usage: head_batch MODEL CLASS IN OUT [IN OUT ...]\n", stderr);
    return 2;
  }
  try {
    const std::span<char*> arguments(argv, static_cast<std::size_t>(argc));
    for (std::size_t i = 3; i + 1 < arguments.size(); i += 2) {
      const cloze::testing::Golden input{std::filesystem::path(arguments[i])};
      cloze::save_safetensors(arguments[i + 1], outputs(arguments[1], arguments[2], input.batch()));
    }
  } catch (const std::exception& failure) {
    (void)std::fprintf(stderr, "error: %s\n", failure.what());
    return 1;
  }
  return 0;
}
