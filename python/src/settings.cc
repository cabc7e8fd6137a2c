#include "python/src/settings.h"

#include "python/src/models.h"

namespace cloze::python {
namespace {

void read_training_settings(Keywords& keywords, TrainingSettings& settings) {
  keywords.read("output", settings.output);
  keywords.read("resume", settings.resume);
  keywords.read("overwrite", settings.overwrite);
  keywords.read("log_every", settings.log_every);
  keywords.read("evaluate_every", settings.evaluate_every);
  keywords.read("save_every", settings.save_every);
  keywords.read("keep", settings.keep);
  keywords.read("learning_rate", settings.learning_rate);
  keywords.read_name("schedule", settings.schedule, schedule_from);
  double warmup = -1;
  keywords.read("warmup", warmup);
  if (warmup >= 0) settings.set_warmup(warmup);
  auto& optimizer = settings.optimizer;
  keywords.read_name("optimizer", optimizer.kind, optimizer_from);
  keywords.read("beta1", optimizer.beta1);
  keywords.read("beta2", optimizer.beta2);
  keywords.read("epsilon", optimizer.epsilon);
  keywords.read("weight_decay", optimizer.weight_decay);
  keywords.read("bias_correction", optimizer.bias_correction);
  keywords.read("max_grad_norm", optimizer.max_grad_norm);
  keywords.read_name("dtype", settings.precision, precision_of);
  keywords.read("recompute", settings.recompute);
  keywords.read("dropout", settings.dropout);
  keywords.read("seed", settings.seed);
}

}  // namespace

void Keywords::finish() const {
  if (values_.empty()) return;
  const auto name = nb::cast<std::string>(nb::str(nb::list(values_.keys())[0]));
  throw nb::type_error(
      (function_ + "() got an unexpected keyword argument '" + name + "'").c_str());
}

void Keywords::wrong_type(const char* name, nb::handle value) const {
  throw nb::type_error((function_ + "(): " + name + " is " + kind_of(value) +
                        ", which is not of the type that it must have")
                           .c_str());
}

void read_task_options(Keywords& keywords, TaskOptions& options) {
  keywords.read("max_length", options.max_length);
  keywords.read("text_column", options.text_column);
  keywords.read("pair_column", options.pair_column);
  keywords.read("label_column", options.label_column);
  keywords.read("multi_label", options.multi_label);
  keywords.read("stride", options.stride);
  keywords.read("document_context", options.document_context);
  keywords.read("version_2", options.version_2);
  keywords.read_name("answer_metrics", options.answer_metrics, answer_metrics_from);
  keywords.read("max_samples", options.max_samples);
}

void read_finetune_settings(Keywords& keywords, FinetuneSettings& settings) {
  read_training_settings(keywords, settings);
  keywords.read("model", settings.model);
  keywords.read("size", settings.size);
  keywords.read("vocab", settings.vocab);
  keywords.read("cased", settings.cased);
  keywords.read("new_head", settings.new_head);
  keywords.read("classifier_dropout", settings.classifier_dropout);
  keywords.read("task", settings.task);
  keywords.read("train", settings.train);
  keywords.read("dev", settings.dev);
  read_task_options(keywords, settings.data);
  keywords.read("max_dev_samples", settings.max_dev_samples);
  keywords.read("epochs", settings.epochs);
  keywords.read("steps", settings.steps);
  keywords.read("batch_size", settings.batch_size);
  keywords.read("accumulation", settings.accumulation);
  keywords.read("batch_tokens", settings.batch_tokens);
  keywords.read("layer_decay", settings.layer_decay);
  keywords.read("freeze_layers", settings.freeze_layers);
  keywords.read("freeze_embeddings", settings.freeze_embeddings);
  keywords.read("label_smoothing", settings.label_smoothing);
  keywords.read("class_weights", settings.class_weights);
  keywords.read("balanced_class_weights", settings.balanced_class_weights);
  keywords.read("best_metric", settings.best_metric);
  keywords.read("patience", settings.patience);
}

void read_pretrain_settings(Keywords& keywords, PretrainSettings& settings) {
  read_training_settings(keywords, settings);
  keywords.read("size", settings.size);
  keywords.read("config", settings.config);
  keywords.read("init", settings.init);
  keywords.read("vocab", settings.vocab);
  keywords.read("vocab_size", settings.vocab_size);
  keywords.read("cased", settings.cased);
  keywords.read("text", settings.text);
  keywords.read("dev", settings.dev);
  keywords.read_name("documents", settings.documents, document_break_from);
  keywords.read_name("lines", settings.lines, line_kind_from);
  keywords.read("held_out", settings.held_out);
  keywords.read("evaluation_sequences", settings.evaluation_sequences);
  keywords.read("next_sentence", settings.next_sentence);
  keywords.read("whole_word_masking", settings.whole_word_masking);
  keywords.read("mlm_probability", settings.mlm_probability);
  keywords.read("max_predictions", settings.max_predictions);
  keywords.read("short_sequences", settings.short_sequences);
  keywords.read("duplicate_factor", settings.duplicate_factor);
  keywords.read("max_length", settings.max_length);
  keywords.read("long_share", settings.long_share);
  keywords.read("long_length", settings.long_length);
  keywords.read("batch_sequences", settings.batch_sequences);
  keywords.read("batch_tokens", settings.batch_tokens);
  keywords.read("accumulation", settings.accumulation);
  keywords.read("data_workers", settings.data_workers);
  keywords.read("steps", settings.steps);
  keywords.read("max_seconds", settings.max_seconds);
  keywords.read("loss_spike", settings.loss_spike);
  keywords.read("save_every_minutes", settings.save_every_minutes);
}

}  // namespace cloze::python
