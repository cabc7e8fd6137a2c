/// \file
/// What the commands that answer with a fine-tuned model share.
#pragma once

#include <filesystem>

#include "cli/options.h"
#include "cloze/tokenizer.h"
#include "tasks/task_predictor.h"

namespace cloze::cli {

/// A fine-tuned model and its tokenizer.
struct TaskModelFiles {
  std::filesystem::path directory;
  BertConfig config;
  Tokenizer tokenizer;
  TaskPredictor predictor;
};

/// Opens the model of a command that needs `head`. Throws ModelError for one that was fine-tuned
/// for another task, naming the command that it answers by.
[[nodiscard]] TaskModelFiles open_task_model(const ModelOptions& options, internal::TaskHead head);

}  // namespace cloze::cli
