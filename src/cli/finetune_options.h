/// \file
/// The options of `cloze finetune`.
#pragma once

#include <CLI/CLI.hpp>

#include "cloze/finetune.h"

namespace cloze::cli {

struct FinetuneOptions {
  FinetuneSettings settings;
  bool json = false;
};

void add_finetune_options(CLI::App& app, FinetuneOptions& options);

}  // namespace cloze::cli
