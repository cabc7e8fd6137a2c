// Loss and gradients of a batch from a file: the C++ side of bench/compare_gradients.py.
//
//   train_batch MODEL f32|bf16 [recompute] IN.safetensors OUT.safetensors
//
// IN holds a batch as training_reference.py makes it; OUT receives every parameter's gradient of
// the sum of the mean losses, and `losses` [2].
#include <array>
#include <cstdio>
#include <exception>
#include <span>
#include <string_view>

#include "bert/training/pretraining.h"
#include "cloze/checkpoint.h"
#include "goldens/pretraining_golden.h"

namespace {

void run(std::span<char*> arguments) {
  const bool recompute = arguments.size() == 6;
  const std::string_view dtype = arguments[2];
  cloze::internal::CheckpointWeights weights(cloze::Checkpoint::open(arguments[1]));
  cloze::internal::PretrainingModel model(
      cloze::BertConfig::from_pretrained(arguments[1]), weights,
      {.compute = dtype == "bf16" ? cloze::DType::bf16 : cloze::DType::f32,
       .recompute = recompute});
  const auto batch = cloze::testing::pretraining_batch(arguments[arguments.size() - 2]);
  const auto loss = model.forward_backward(batch, cloze::testing::mean_pass(batch));
  cloze::TensorMap tensors;
  for (const auto& parameter : model.parameters().all()) {
    tensors.emplace(parameter.name,
                    cloze::Tensor::from<float>(parameter.shape, parameter.gradient));
  }
  const std::array losses{static_cast<float>(loss.masked_lm_loss()),
                          static_cast<float>(loss.next_sentence_loss())};
  tensors.emplace("losses", cloze::Tensor::from<float>({2}, losses));
  cloze::save_safetensors(arguments.back(), tensors);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) {
    (void)std::fputs("usage: train_batch MODEL f32|bf16 [recompute] IN OUT\n", stderr);
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
