#include <cstdint>
#include <string>

#include <fmt/format.h>

#include "cli/options.h"
#include "cli/training_options.h"
#include "cloze/model_sizes.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Training and dev files are tables (TSV, CSV, JSON lines), CoNLL or SQuAD files, as the task has them;
columns are found by their names or by what they look like. Labels are discovered and saved with the model.

After each epoch the dev set is evaluated and the run saved. In the end --output is the best model, a
Hugging Face directory with a model card; `cloze evaluate` and the commands that answer take it. A run that
was stopped or killed goes on, bit for bit, with

  cloze finetune --resume --output DIR

Examples:
  cloze finetune --task text-classification --model google-bert/bert-base-uncased \
      --train train.tsv --dev dev.tsv --output sentiment
  cloze finetune --task regression --model M --train stsb.csv --dev dev.csv --pair-column sentence2 \
      --output similarity
  cloze finetune --task token-classification --model M --train train.conll --dev dev.conll \
      --layer-decay 0.9 --patience 2 --epochs 10 --output entities
  cloze finetune --task token-classification --size mini --vocab vocab.txt --learning-rate 5e-4 \
      --train train.bmes --dev dev.bmes --epochs 10 --output from-scratch
)";

std::string known_tasks() {
  std::string names;
  for (const auto& task : tasks()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", task.name);
  }
  return names;
}

void add_model(CLI::App& app, FinetuneSettings& s) {
  app.add_option("--model", s.model, "a BERT to start from: a directory, or a name on the Hub")
      ->type_name("DIR_OR_NAME");
  app.add_flag("--new-head", s.new_head, "do not go on with the head that the model has");
  app.add_option("--size", s.size, "start from nothing instead: " + known_sizes())
      ->type_name("NAME")
      ->excludes("--model");
  app.add_option("--vocab", s.vocab, "with --size: a vocab.txt, or a directory with a tokenizer")
      ->type_name("FILE")
      ->needs("--size");
  app.add_flag("--cased", s.cased, "with --vocab FILE: keep upper case and accents");
  add_dictionary(app);
  add_number(app, "--dropout", s.dropout, "instead of the configuration's", between(0, 0.9))
      ->type_name("P");
  add_number(app, "--classifier-dropout", s.classifier_dropout, "before the head, likewise",
             between(0, 0.9))
      ->type_name("P");
}

void add_data(CLI::App& app, FinetuneSettings& s) {
  app.add_option("--task", s.task, known_tasks())->type_name("NAME");
  app.add_option("--train", s.train, "the examples to learn from")->type_name("FILE");
  app.add_option("--dev", s.dev, "the examples to evaluate on")->type_name("FILE");
  add_task_options(app, s.data);
  add_count(app, "--max-train-samples", s.data.max_samples, "the first so many alone; 0: all", 0,
            std::int64_t{1} << 40);
  add_count(app, "--max-dev-samples", s.max_dev_samples, "likewise", 0, std::int64_t{1} << 40);
}

void add_training(CLI::App& app, FinetuneSettings& s) {
  add_number(app, "--epochs", s.epochs, "passes over the training data", above(0, 1e9))
      ->type_name("N");
  add_count(app, "--steps", s.steps, "optimizer steps instead", 1, std::int64_t{1} << 40)
      ->excludes("--epochs");
  add_count(app, "--batch-size", s.batch_size, "texts, pairs, windows or questions of a batch", 1,
            1 << 20);
  add_count(app, "--accumulation", s.accumulation, "batches that make a step", 1, 1 << 20);
  add_count(app, "--batch-tokens", s.batch_tokens,
            "tokens computed at once; a larger batch is computed in parts");
  add_number(app, "--layer-decay", s.layer_decay,
             "each layer learns at so much of the rate of the one above", between(0.01, 1));
  add_count(app, "--freeze-layers", s.freeze_layers,
            "do not train the first so many layers and the embeddings; 0: train all", 0, 1 << 20);
  app.add_flag("--freeze-embeddings", s.freeze_embeddings, "do not train the embeddings");
  add_number(app, "--label-smoothing", s.label_smoothing, "share of a label spread over all",
             between(0, 0.999));
  add_named(app, "--class-weights", "",
            "what each label's loss counts: \"balanced\", or numbers in the labels' order",
            [&s](const std::string& text) { s.set_class_weights(text); })
      ->type_name("W,W,...");
}

void add_choice(CLI::App& app, FinetuneSettings& s) {
  app.add_option("--best-metric", s.best_metric,
                 "that the best model has; \"loss\", or a metric of the task instead of its own")
      ->type_name("NAME");
  add_count(app, "--patience", s.patience,
            "stop after so many evaluations without a better one; 0: never", 0, 1 << 20);
}

}  // namespace

void add_finetune_options(CLI::App& app, FinetuneSettings& settings) {
  add_model(app, settings);
  add_data(app, settings);
  add_training(app, settings);
  add_optimizer_options(app, settings);
  add_computation_options(app, settings);
  add_run_options(app, settings, "after each epoch", "with each evaluation");
  add_choice(app, settings);
  app.footer(examples);
}

}  // namespace cloze::cli
