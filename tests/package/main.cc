// Runs the tasks of the tour, or those that are named.
//   tour MODELS DATA WORK [TASK...]
#include <algorithm>
#include <chrono>
#include <utility>

#include <cloze/config.h>

#include "tour.h"

void copy_model(const std::filesystem::path& model, const std::filesystem::path& copy,
                const std::vector<std::string>& labels) {
  std::filesystem::copy(model, copy);
  auto config = cloze::BertConfig::from_pretrained(copy);
  config.id2label = labels;
  config.save_pretrained(copy);
}

namespace {

const std::vector<std::pair<std::string, void (*)(const Folders&)>> tasks{
    {"embed", embed},
    {"classify", classify},
    {"zero-shot", zero_shot},
    {"tag", tag},
    {"answer", answer},
    {"fill-mask", fill_mask},
    {"next-sentence", next_sentence},
    {"rank", rank},
    {"search-by-words", search_by_words},
    {"search-by-tokens", search_by_tokens},
    {"replaced-tokens", replaced_tokens},
    {"choose", choose},
    {"features", features},
    {"vocabulary", train_vocabulary},
    {"pretrain", pretrain},
    {"finetune", finetune},
    {"evaluate", evaluate},
    {"convert", convert},
    {"export", export_to_onnx},
    {"inspect", inspect},
};

void run(const Folders& folders, const std::vector<std::string>& names) {
  for (const auto& [name, task] : tasks) {
    if (!names.empty() && std::find(names.begin(), names.end(), name) == names.end()) continue;
    std::cout << "== " << name << std::endl;
    const auto begin = std::chrono::steady_clock::now();
    task(folders);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    std::cout << "   " << seconds.count() << " s" << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 4) throw std::runtime_error("usage: tour MODELS DATA WORK [TASK...]");
  run({argv[1], argv[2], argv[3]}, {argv + 4, argv + argc});
} catch (const std::exception& error) {
  std::cerr << "error: " << error.what() << '\n';
  return 1;
}
