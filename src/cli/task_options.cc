#include "cli/task_options.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "bert/training/task_model.h"
#include "cloze/error.h"
#include "train/model_card.h"

namespace cloze::cli {
namespace {

using internal::TaskHead;

/// Heads share the names of their tensors: what a model was fine-tuned for stands in its config
/// alone.
void require_made_for(const BertConfig& config, const std::filesystem::path& directory,
                      TaskHead head) {
  constexpr std::array heads{TaskHead::sequence, TaskHead::token, TaskHead::span, TaskHead::choice};
  const auto has = [&](TaskHead each) {
    const auto& names = config.architectures;
    return std::find(names.begin(), names.end(), internal::architecture_of(each)) != names.end();
  };
  if (has(head)) return;
  for (const auto other : heads) {
    if (!has(other)) continue;
    throw ModelError(fmt::format("{} is a {}, which answers by cloze {}; this needs a {}",
                                 directory.string(), internal::architecture_of(other),
                                 command_of(other), internal::architecture_of(head)));
  }
}

}  // namespace

TaskModelFiles open_task_model(const ModelOptions& options, internal::TaskHead head) {
  const auto load = options.load_options();
  auto directory = options.directory();
  auto config = BertConfig::from_pretrained(directory);
  require_made_for(config, directory, head);
  auto tokenizer = Tokenizer::from_pretrained(directory);
  TaskPredictor predictor(directory, head, load, options.batch_tokens);
  require_same_vocabulary(tokenizer, predictor.config());
  return {std::move(directory), std::move(config), std::move(tokenizer), std::move(predictor)};
}

}  // namespace cloze::cli
