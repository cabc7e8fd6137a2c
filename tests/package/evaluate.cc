// The metrics of a fine-tuned model on a file.
#include <cloze/evaluate.h>

#include "tour.h"

void evaluate(const Folders& folders) {
  const auto model = folders.work / "sentiment";
  const auto data = folders.data / "sentiment.dev.tsv";

  const auto result = cloze::evaluate({.model = model, .data = data, .predictions = true});
  std::cout << result.task << ", " << result.examples << " examples\n";
  for (const auto& [name, value] : result.metrics) std::cout << name << ' ' << value << '\n';
  std::cout << result.details;

  check(result.task == "text-classification" && result.examples == 80);
  check(result.predictions.size() == 80);
  const double accuracy = result.metric("accuracy");
  check(accuracy >= 0 && accuracy <= 1);
  check_near(accuracy * 80, std::round(accuracy * 80), 1e-9);
  std::size_t right = 0;
  for (const auto& line : result.predictions) {
    const auto value = [&](const std::string& name) {
      const auto at = line.find('"' + name + "\":\"") + name.size() + 4;
      return line.substr(at, line.find('"', at) - at);
    };
    right += value("label") == value("predicted") ? 1 : 0;
  }
  check_near(accuracy * 80, static_cast<double>(right), 1e-9);
}
