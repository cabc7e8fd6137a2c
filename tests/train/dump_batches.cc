// Pre-training batches as files, for bench/compare_train.py: what Cloze trains on, for PyTorch to
// train on.
//
//   dump_batches TEXT DEV VOCABULARY_DIRECTORY STEPS BATCH_TOKENS MAX_LENGTH OUTPUT
//
// Writes OUTPUT/batch-0.safetensors ... and OUTPUT/dev-0.safetensors ..., as training_reference.py
// has them.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "cloze/checkpoint.h"
#include "cloze/tokenizer.h"
#include "corpus/pretraining_data.h"

namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, const cloze::internal::PretrainingBatch& batch) {
  const auto tensor = [](const std::vector<std::int32_t>& values) {
    return cloze::Tensor::from<std::int32_t>({static_cast<std::int64_t>(values.size())}, values);
  };
  cloze::save_safetensors(path, {{"input_ids", tensor(batch.inputs.input_ids)},
                                 {"token_type_ids", tensor(batch.inputs.token_type_ids)},
                                 {"position_ids", tensor(batch.inputs.position_ids)},
                                 {"cu_seqlens", tensor(batch.inputs.cu_seqlens)},
                                 {"masked_positions", tensor(batch.masked_positions)},
                                 {"masked_labels", tensor(batch.masked_labels)},
                                 {"next_sentence_labels", tensor(batch.next_sentence_labels)}});
}

void run(std::span<char*> arguments) {
  const auto tokenizer = cloze::Tokenizer::from_pretrained(arguments[3]);
  const int steps = std::atoi(arguments[4]);
  const fs::path output = arguments[7];
  cloze::PretrainingDataOptions options;
  options.batch_tokens = std::atoll(arguments[5]);
  options.max_length = std::atoll(arguments[6]);
  options.seed = 42;
  const auto open = [](const char* path) {
    return cloze::Corpus::open(std::vector<fs::path>{path});
  };
  cloze::PretrainingData data(open(arguments[1]), tokenizer, options);
  cloze::internal::PretrainingBatch batch;
  for (int i = 0; i < steps && data.next(batch); ++i) {
    write(output / fmt::format("batch-{}.safetensors", i), batch);
  }
  const auto dev = cloze::evaluation_set(open(arguments[2]), tokenizer, options, 500);
  for (std::size_t i = 0; i < dev.size(); ++i) {
    write(output / fmt::format("dev-{}.safetensors", i), dev[i]);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    (void)std::fputs(
        "usage: dump_batches TEXT DEV VOCABULARY STEPS BATCH_TOKENS MAX_LENGTH OUTPUT\n", stderr);
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
