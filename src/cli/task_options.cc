#include "cli/task_options.h"

#include <utility>

namespace cloze::cli {

TaskModelFiles open_task_model(const ModelOptions& options, internal::TaskHead head) {
  const auto load = options.load_options();
  auto directory = options.directory();
  auto config = BertConfig::from_pretrained(directory);
  auto tokenizer = Tokenizer::from_pretrained(directory);
  TaskPredictor predictor(directory, head, load, options.batch_tokens);
  require_same_vocabulary(tokenizer, predictor.config());
  return {std::move(directory), std::move(config), std::move(tokenizer), std::move(predictor)};
}

void for_each_piece(TextReader& reader, std::int64_t bytes, std::string label,
                    const std::function<void(const std::vector<TextItem>&)>& use) {
  Progress progress(std::move(label), reader.total_bytes(), "bytes", beside_results());
  std::int64_t done = 0;
  while (true) {
    const auto items = reader.next_items(bytes);
    if (items.empty()) return;
    use(items);
    progress.advance(reader.bytes_read() - done);
    done = reader.bytes_read();
  }
}

}  // namespace cloze::cli
