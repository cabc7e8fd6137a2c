#include "cli/finetune_options.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "checkpoint/model_sizes.h"
#include "cli/command.h"
#include "cli/kept_options.h"
#include "cli/options.h"
#include "cloze/error.h"

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

using O = FinetuneOptions;

template <auto kMember>
constexpr auto kept(std::string_view name, bool may_change = false) {
  return kept_option<O, kMember>(name, may_change);
}

// What changes the batches, the model or the arithmetic of a step may not change; what a run costs
// and what it tells may.
constexpr std::array own_kept{kept<&O::model>("model"),
                              kept<&O::size>("size"),
                              kept<&O::vocab>("vocab"),
                              kept<&O::cased>("cased"),
                              kept<&O::new_head>("new-head"),
                              kept<&O::dropout>("dropout"),
                              kept<&O::classifier_dropout>("classifier-dropout"),
                              kept<&O::task>("task"),
                              kept<&O::train>("train", true),  // its content is compared
                              kept<&O::dev>("dev", true),
                              kept<&O::text_column>("text-column"),
                              kept<&O::pair_column>("pair-column"),
                              kept<&O::label_column>("label-column"),
                              kept<&O::multi_label>("multi-label"),
                              kept<&O::no_document_context>("no-document-context"),
                              kept<&O::version_2>("version-2"),
                              kept<&O::max_length>("max-length"),
                              kept<&O::stride>("stride"),
                              kept<&O::max_train_samples>("max-train-samples"),
                              kept<&O::max_dev_samples>("max-dev-samples"),
                              kept<&O::epochs>("epochs"),
                              kept<&O::steps>("steps"),
                              kept<&O::batch_size>("batch-size"),
                              kept<&O::accumulation>("accumulation"),
                              kept<&O::batch_tokens>("batch-tokens"),
                              kept<&O::class_weights>("class-weights"),
                              kept<&O::label_smoothing>("label-smoothing"),
                              kept<&O::layer_decay>("layer-decay"),
                              kept<&O::freeze_layers>("freeze-layers"),
                              kept<&O::freeze_embeddings>("freeze-embeddings"),
                              kept<&O::best_metric>("best-metric"),
                              kept<&O::patience>("patience", true)};
constexpr auto all_kept = joined(own_kept, kept_training_options<O>);

std::string known_tasks() {
  std::string names;
  for (const auto& [name, about] : task_names()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  }
  return names;
}

void add_model(CLI::App& app, O& o) {
  app.add_option("--model", o.model, "a BERT to start from: a directory, or a name on the Hub")
      ->type_name("DIR_OR_NAME");
  app.add_flag("--new-head", o.new_head, "do not go on with the head that the model has");
  app.add_option("--size", o.size, "start from nothing instead: " + known_sizes())
      ->type_name("NAME")
      ->excludes("--model");
  app.add_option("--vocab", o.vocab, "with --size: a vocab.txt, or a directory with a tokenizer")
      ->type_name("FILE")
      ->needs("--size");
  app.add_flag("--cased", o.cased, "with --vocab FILE: keep upper case and accents");
  app.add_option("--dropout", o.dropout, "instead of the configuration's")
      ->type_name("P")
      ->check(CLI::Range(0.0, 0.9));
  app.add_option("--classifier-dropout", o.classifier_dropout, "before the head, likewise")
      ->type_name("P")
      ->check(CLI::Range(0.0, 0.9));
}

void add_data(CLI::App& app, O& o) {
  app.add_option("--task", o.task, known_tasks())->type_name("NAME");
  app.add_option("--train", o.train, "the examples to learn from")->type_name("FILE");
  app.add_option("--dev", o.dev, "the examples to evaluate on")->type_name("FILE");
  app.add_option("--text-column", o.text_column, "name of the column, or its number from 1")
      ->type_name("COLUMN");
  app.add_option("--pair-column", o.pair_column, "likewise, the second text")->type_name("COLUMN");
  app.add_option("--label-column", o.label_column, "likewise, label or value")->type_name("COLUMN");
  app.add_flag("--multi-label", o.multi_label, "a text has any number of labels");
  app.add_option("--max-length", o.max_length, "tokens of a text; 0: what task and model can")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(0, 1 << 16));
  app.add_option("--stride", o.stride, "tokens that the windows of a long text share")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(0, 1 << 16));
  app.add_flag("--no-document-context", o.no_document_context,
               "token classification: each sentence alone");
  app.add_flag("--version-2", o.version_2, "question answering: some questions have no answer");
  app.add_option("--max-train-samples", o.max_train_samples, "the first so many alone; 0: all")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(0, std::int64_t{1} << 40));
  app.add_option("--max-dev-samples", o.max_dev_samples, "likewise")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(0, std::int64_t{1} << 40));
}

void add_training(CLI::App& app, O& o) {
  app.add_option("--epochs", o.epochs, "passes over the training data")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--steps", o.steps, "optimizer steps instead")
      ->type_name("N")
      ->excludes("--epochs")
      ->check(in_range(1, std::int64_t{1} << 40));
  app.add_option("--batch-size", o.batch_size, "texts, pairs, windows or questions of a batch")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(1, 1 << 20));
  app.add_option("--accumulation", o.accumulation, "batches that make a step")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(1, 1 << 20));
  app.add_option("--batch-tokens", o.batch_tokens,
                 "tokens computed at once; a larger batch is computed in parts")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(1, std::int64_t{1} << 30));
  app.add_option("--layer-decay", o.layer_decay,
                 "each layer learns at so much of the rate of the one above")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 1.0));
  app.add_option("--freeze-layers", o.freeze_layers,
                 "do not train the first so many layers and the embeddings")
      ->type_name("N")
      ->check(in_range(0, 1 << 20));
  app.add_flag("--freeze-embeddings", o.freeze_embeddings, "do not train the embeddings");
  app.add_option("--label-smoothing", o.label_smoothing, "share of a label spread over all")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 0.999));
  app.add_option("--class-weights", o.class_weights,
                 "what each label's loss counts: \"balanced\", or numbers in the labels' order")
      ->type_name("W,W,...");
}

void add_choice(CLI::App& app, O& o) {
  app.add_option("--best-metric", o.best_metric,
                 "that the best model has; \"loss\", or a metric of the task instead of its own")
      ->type_name("NAME");
  app.add_option("--patience", o.patience,
                 "stop after so many evaluations without a better one; 0: never")
      ->type_name("N")
      ->check(in_range(0, 1 << 20));
}

}  // namespace

void FinetuneOptions::add_to(CLI::App& app) {
  add_model(app, *this);
  add_data(app, *this);
  add_training(app, *this);
  add_optimizer(app);
  add_computation(app);
  add_run(app, "after each epoch", "with each evaluation");
  add_choice(app, *this);
  app.footer(examples);
}

void FinetuneOptions::require_complete() const {
  if (task.empty()) throw UsageError("--task is missing: one of " + known_tasks());
  if (model.empty() && size.empty()) {
    throw UsageError(
        "a model is missing: give --model DIR_OR_NAME, or --size NAME to begin from nothing");
  }
  if (!size.empty() && vocab.empty()) throw UsageError("--size needs --vocab FILE beside it");
  if (train.empty()) throw UsageError("--train is missing: the file to learn from");
  if (patience > 0 && dev.empty()) {
    throw UsageError("--patience needs --dev FILE: nothing else says what is better");
  }
  if (!best_metric.empty() && dev.empty()) {
    throw UsageError("--best-metric needs --dev FILE: nothing is measured without");
  }
}

TaskOptions FinetuneOptions::task_options() const {
  return {.max_length = max_length,
          .text_column = text_column,
          .pair_column = pair_column,
          .label_column = label_column,
          .multi_label = multi_label,
          .stride = stride,
          .document_context = !no_document_context,
          .version_2 = version_2,
          .max_samples = max_train_samples};
}

FineTuneSettings FinetuneOptions::settings() const {
  FineTuneSettings settings;
  settings.epochs = epochs;
  settings.steps = steps;
  settings.batch_size = batch_size;
  settings.accumulation = accumulation;
  settings.learning_rate = learning_rate;
  settings.schedule = as_usage([&] { return schedule_from(schedule); });
  settings.warmup = warmup;
  settings.layer_decay = layer_decay;
  settings.optimizer = optimizer_settings();
  settings.seed = seed;
  settings.part_tokens = batch_tokens;
  settings.log_every = log_every;
  settings.evaluate_every = evaluate_every;
  settings.save_every = save_every;
  settings.keep = keep;
  settings.patience = patience;
  settings.best_metric = best_metric;
  return settings;
}

std::string FinetuneOptions::to_json(std::uint64_t fingerprint) const {
  auto json = kept_json<O>(all_kept, *this);
  json[kFingerprint] = fingerprint_text(fingerprint);
  return json.dump(2) + '\n';
}

std::vector<std::string> FinetuneOptions::take_up(const CLI::App& app,
                                                  const std::string& settings) {
  auto changes = take_up_kept<O>(all_kept, *this, app, settings);
  require_complete();
  return changes;
}

void FinetuneOptions::require_same_data(const std::string& settings, std::uint64_t fingerprint) {
  if (began_with(settings, fingerprint)) return;
  throw ModelError(
      "the training data is not what the run began with (changed, or in another order): resume "
      "with the same file, or begin another run");
}

}  // namespace cloze::cli
