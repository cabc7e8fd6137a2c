/// \file
/// The options of `cloze pretrain`.
#pragma once

#include <CLI/CLI.hpp>

#include "cloze/pretrain.h"

namespace cloze::cli {

struct PretrainOptions {
  PretrainSettings settings;
  bool json = false;
};

void add_pretrain_options(CLI::App& app, PretrainOptions& options);

}  // namespace cloze::cli
