// A BERT from nothing, by masked language modelling on one's own text.
#include <cloze/fill_mask.h>
#include <cloze/pretrain.h>

#include "tour.h"

void pretrain(const Folders& folders) {
  const auto text = folders.data / "sentiment.train.tsv";
  const auto dev = folders.data / "sentiment.dev.tsv";
  const auto vocabulary = folders.work / "vocabulary";
  const auto output = folders.work / "pretrained";

  cloze::PretrainSettings settings;
  settings.text = {text};
  settings.dev = {dev};
  settings.vocab = vocabulary;
  settings.size = "tiny";
  settings.next_sentence = false;
  settings.max_length = 32;
  settings.batch_tokens = 512;
  settings.steps = 20;
  settings.learning_rate = 1e-3;
  settings.output = output;

  cloze::PretrainCallbacks callbacks;
  callbacks.step = [](const cloze::PretrainStep& step) {
    std::cout << "step " << step.step << ": loss " << step.metrics.masked_lm_loss << '\n';
  };
  const auto result = cloze::pretrain(settings, callbacks);
  std::cout << result.steps << " steps, " << result.tokens << " tokens\n";

  check(result.finished && result.steps == 20 && result.tokens > 5000);
  const double uniform = std::log(600.0);
  check(result.last.has_value());
  const double loss = result.last->metrics.masked_lm_loss;
  check(loss > 1 && loss < uniform);
  const auto fill = cloze::FillMaskPipeline::from_pretrained(output);
  check(fill.config().vocab_size == 600);
}
