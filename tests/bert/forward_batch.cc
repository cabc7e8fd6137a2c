// Runs a model on packed batches from files: the C++ side of bench/compare_transformers.py, which
// needs token ids of its own choice where `cloze encode` takes text.
//
//   forward_batch MODEL f32|bf16|auto IN.safetensors OUT.safetensors [IN OUT ...]
//
// IN holds a batch as the goldens do; OUT receives last_hidden_state and, where the model has a
// pooler, pooler_output.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <span>

#include "cloze/bert.h"
#include "cloze/checkpoint.h"
#include "cloze/tensor.h"
#include "goldens/golden.h"

namespace {

void run(std::span<char*> arguments) {
  const auto model = cloze::BertModel::from_pretrained(
      arguments[1], {.precision = cloze::precision_from(arguments[2])});
  for (std::size_t i = 3; i + 1 < arguments.size(); i += 2) {
    const auto out = model(cloze::testing::Golden(arguments[i]).batch());
    cloze::TensorMap tensors{{"last_hidden_state", out.last_hidden_state}};
    if (model.has_pooler()) tensors["pooler_output"] = out.pooler_output;
    cloze::save_safetensors(arguments[i + 1], tensors);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5 || argc % 2 == 0) {
    (void)std::fputs("usage: forward_batch MODEL f32|bf16|auto IN OUT [IN OUT ...]\n", stderr);
    return 2;
  }
  try {
    run({argv, static_cast<std::size_t>(argc)});
  } catch (const std::exception& failure) {
    (void)std::fprintf(stderr, "error: %s\n", failure.what());
    return 1;
  }
  return 0;
}
