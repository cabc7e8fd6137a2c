// A classifier from 40 examples; what it has learned.
#include <fstream>

#include <cloze/evaluate.h>
#include <cloze/finetune.h>
#include <cloze/text_classification.h>

#include "tour.h"

namespace {

/// The first `count` examples of a table of texts and labels.
std::vector<cloze::TextExample> read_examples(const std::filesystem::path& path,
                                              std::size_t count) {
  std::vector<cloze::TextExample> examples;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);  // the names of the columns
  while (examples.size() < count && std::getline(file, line)) {
    const auto tab = line.find('\t');
    examples.push_back({.text = line.substr(0, tab), .labels = {line.substr(tab + 1)}});
  }
  return examples;
}

}  // namespace

void finetune(const Folders& folders) {
  const auto examples = read_examples(folders.data / "sentiment.train.tsv", 40);

  const auto model = folders.work / "pretrained";
  const auto output = folders.work / "sentiment";

  cloze::FinetuneSettings settings;
  settings.task = "text-classification";
  settings.model = model;
  settings.epochs = 12;
  settings.batch_size = 8;
  settings.learning_rate = 2e-3;
  settings.dropout = 0;
  settings.output = output;
  const auto result = cloze::finetune(settings, {.train = examples, .dev = examples});
  for (const auto& [name, value] : result.best()->metrics) {
    std::cout << name << ' ' << value << '\n';
  }

  const auto classifier = cloze::TextClassificationPipeline::from_pretrained(output);
  std::vector<std::string> texts;
  for (const auto& example : examples) texts.push_back(example.text);
  const auto labels = classifier(texts);

  check(examples.size() == 40 && result.finished && result.steps == 60);
  std::size_t right = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    right += labels[i][0].label == examples[i].labels[0] ? 1 : 0;
  }
  check(right >= 36);  // learned by heart, nearly
  check_near(result.best()->metrics[0].second, static_cast<double>(right) / 40);

  const auto measured = cloze::evaluate({.model = output}, examples);
  check(measured.examples == 40);
  check_near(measured.metric("accuracy"), static_cast<double>(right) / 40);
}
