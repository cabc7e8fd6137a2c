/// \file
/// cloze bench: the measurements, each a command of its own.
#include "bench/bench_command.h"

#include <array>

namespace cloze::cli {
namespace {

constexpr std::array bench_table{
    Command{"encode", "the encoder, beside oneDNN's own matrix products", run_bench_encode},
    Command{"train", "a pre-training step, beside oneDNN's own matrix products", run_bench_train},
    Command{"quantize", "what int8 costs on your own texts", run_bench_quantize},
    Command{"load", "how long a model takes until its first vector", run_bench_load},
    Command{"tokenize", "the tokenizer, beside the memory's own rate", run_bench_tokenize},
    Command{"pretraining-data", "text to masked batches, and what is in them",
            run_bench_pretraining_data},
};

}  // namespace

void run_bench(Arguments arguments) {
  dispatch("cloze bench", "Measures speed, and what share of the machine's limit it is.",
           bench_table, arguments);
}

}  // namespace cloze::cli
