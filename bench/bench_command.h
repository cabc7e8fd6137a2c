/// \file
/// The commands of `cloze bench`. They look inside the library, which other commands do not.
#pragma once

#include "cli/command.h"

namespace cloze::cli {

void run_bench_encode(Arguments arguments);
void run_bench_train(Arguments arguments);
void run_bench_quantize(Arguments arguments);
void run_bench_load(Arguments arguments);
void run_bench_tokenize(Arguments arguments);
void run_bench_pretraining_data(Arguments arguments);

}  // namespace cloze::cli
