// Whole training steps on batches from files: the C++ side of bench/compare_train.py.
//
//   train_steps MODEL f32|bf16 STEPS LEARNING_RATE DIRECTORY
//
// DIRECTORY holds batch-0.safetensors, batch-1.safetensors ... as training_reference.py makes them;
// they are taken in turn. AdamW as PyTorch has it, epsilon 1e-8, clipping at 1, no dropout. Prints
// a JSON object: the loss before each step, each step's milliseconds, and the most memory resident,
// in bytes.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "bench/encode_benchmark.h"
#include "bert/training/pretraining.h"
#include "core/clock.h"
#include "goldens/pretraining_golden.h"
#include "train/optimizer/optimizer.h"
#include "train/optimizer/schedule.h"

namespace {

std::vector<cloze::internal::PretrainingBatch> batches_of(const std::filesystem::path& directory,
                                                          std::string_view name) {
  std::vector<cloze::internal::PretrainingBatch> batches;
  for (;;) {
    const auto file = directory / fmt::format("{}-{}.safetensors", name, batches.size());
    if (!exists(file)) return batches;
    batches.push_back(cloze::testing::pretraining_batch(file));
  }
}

void run(std::span<char*> arguments) {
  const std::string_view dtype = arguments[2];
  const int steps = std::atoi(arguments[3]);
  const double learning_rate = std::atof(arguments[4]);
  const std::filesystem::path directory = arguments[5];
  const double warmup = arguments.size() > 6 ? std::atof(arguments[6]) : 0;
  const auto batches = batches_of(directory, "batch");
  if (batches.empty()) throw std::runtime_error("no batches in " + directory.string());
  cloze::internal::CheckpointWeights weights(cloze::Checkpoint::open(arguments[1]));
  cloze::internal::PretrainingModel model(
      cloze::BertConfig::from_pretrained(arguments[1]), weights,
      {.compute = dtype == "bf16" ? cloze::DType::bf16 : cloze::DType::f32});
  cloze::Optimizer optimizer(model.parameters(), {.epsilon = 1e-8});
  std::string losses, times;
  for (int step = 0; step < steps; ++step) {
    const auto& batch = batches[static_cast<std::size_t>(step) % batches.size()];
    const auto start = cloze::Clock::now();
    const auto loss = model.forward_backward(batch, cloze::testing::mean_pass(batch)).loss();
    const double share =
        warmup > 0 ? cloze::learning_rate_share(cloze::ScheduleKind::linear,
                                                static_cast<double>(step) / steps, warmup / steps)
                   : 1;
    static_cast<void>(optimizer.step(learning_rate * share));
    const double time = cloze::milliseconds_since(start);
    const char* comma = step == 0 ? "" : ", ";
    losses += fmt::format("{}{}", comma, loss);
    times += fmt::format("{}{}", comma, time);
  }
  const auto peak = cloze::peak_resident_memory();
  cloze::internal::PretrainingLoss dev;
  for (const auto& batch : batches_of(directory, "dev")) dev += model.evaluate(batch);
  const auto out = fmt::format(
      "{{\"losses\": [{}], \"ms\": [{}], \"peak_memory\": {}, \"dev_masked_lm_loss\": {}}}\n",
      losses, times, peak, dev.masked_lm_loss());
  (void)std::fputs(out.c_str(), stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6 && argc != 7) {
    (void)std::fputs("usage: train_steps MODEL f32|bf16 STEPS LEARNING_RATE DIRECTORY [WARMUP]\n",
                     stderr);
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
