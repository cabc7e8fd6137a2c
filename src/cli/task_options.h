/// \file
/// What the commands that answer with a fine-tuned model share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/progress_bar.h"
#include "cloze/output.h"
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

/// Hands the input on in pieces of about `bytes`, with a bar, until it ends.
void for_each_piece(TextReader& reader, std::int64_t bytes, std::string label,
                    const std::function<void(const std::vector<TextItem>&)>& use);

/// Bytes of text to hold at once: many batches, so that sorting by length pays.
[[nodiscard]] inline std::int64_t piece_bytes(const ModelOptions& options) {
  constexpr std::int64_t bytes_a_token = 4;
  constexpr std::int64_t batches = 16;
  return options.batch_tokens * bytes_a_token * batches;
}

}  // namespace cloze::cli
