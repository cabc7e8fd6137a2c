// `cloze pretrain`: from text files to a BERT that has learnt.
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bert/training/pretraining.h"
#include "checkpoint/model_sizes.h"
#include "cli/command.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/pretrain_options.h"
#include "cli/progress_bar.h"
#include "cli/training_run.h"
#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "cloze/hub.h"
#include "cloze/output.h"
#include "cloze/threads.h"
#include "cloze/tokenizer.h"
#include "cloze/vocabulary_trainer.h"
#include "core/mapped_file.h"
#include "corpus/pretraining_data.h"
#include "train/pretrainer.h"
#include "train/run_directory.h"

namespace cloze::cli {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> paths(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

CorpusOptions corpus_options(const PretrainOptions& options) {
  return {
      .documents = options.documents == "file" ? DocumentBreak::file : DocumentBreak::blank_line,
      .lines = options.lines == "sentence"    ? LineKind::sentence
               : options.lines == "paragraph" ? LineKind::paragraph
               : options.lines == "wrapped"   ? LineKind::wrapped
                                              : LineKind::automatic,
      .progress = terminal_progress()};
}

/// The tokenizer: of --init, of --vocab, or trained on the text. A resumed run has its own.
Tokenizer tokenizer_of(const PretrainOptions& options, const RunDirectory& run, bool resumed) {
  if (resumed) return Tokenizer::from_pretrained(run.path() / "tokenizer");
  const fs::path kept = run.path() / "tokenizer";
  if (!options.init.empty()) {
    auto tokenizer = Tokenizer::from_pretrained(find_model(options.init));
    tokenizer.save_pretrained(kept);
    return tokenizer;
  }
  fs::create_directories(kept);
  if (!options.vocab.empty() && fs::is_directory(options.vocab)) {
    Tokenizer::from_pretrained(options.vocab).save_pretrained(kept);
    return Tokenizer::from_pretrained(kept);
  }
  if (!options.vocab.empty()) {
    std::error_code error;
    fs::copy_file(options.vocab, kept / "vocab.txt", fs::copy_options::overwrite_existing, error);
    if (error) {
      throw IoError(fmt::format("cannot read {}: {}", options.vocab, error.message()));
    }
  } else {
    VocabularyOptions vocabulary;
    vocabulary.size = static_cast<std::size_t>(options.vocab_size);
    vocabulary.lowercase = !options.cased;
    vocabulary.progress = terminal_progress();
    const auto files = paths(options.text);
    save_vocabulary(kept / "vocab.txt",
                    as_usage([&] { return train_vocabulary(files, vocabulary); }));
  }
  auto file = Output::file((kept / "tokenizer_config.json").string());
  file.write(nlohmann::ordered_json{{"do_lower_case", !options.cased},
                                    {"model_max_length", options.max_length_of_model()},
                                    {"tokenizer_class", "BertTokenizer"}}
                 .dump(2) +
             '\n');
  file.finish();
  Tokenizer::from_pretrained(kept).save_pretrained(kept);
  return Tokenizer::from_pretrained(kept);
}

/// The model's shape; of a named size it has no vocabulary yet.
BertConfig config_of(const PretrainOptions& options) {
  if (!options.init.empty()) return BertConfig::from_pretrained(find_model(options.init));
  BertConfig config;
  if (options.config.empty()) {
    config = as_usage([&] { return named_config(options.size); });
  } else {
    const auto file = MappedFile::open(options.config);
    config = BertConfig::from_json(file->text(), options.config);
  }
  if (options.dropout >= 0) {
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = options.dropout;
  }
  return config;
}

PretrainingDataOptions data_options(const PretrainOptions& options, std::int64_t length) {
  PretrainingDataOptions data;
  data.max_length = length;
  data.next_sentence = !options.no_next_sentence;
  data.short_sequence_probability = options.short_sequences;
  data.masked_probability = options.masked;
  data.max_predictions = options.max_predictions;
  data.whole_words = options.whole_words;
  data.duplicate_factor = options.duplicate_factor;
  data.batch_sequences = options.batch_sequences;
  data.batch_tokens = options.batch_tokens;
  // A phase of longer sequences has as many tokens a batch, not as many sequences.
  if (options.batch_sequences > 0 && length != options.max_length) {
    data.batch_sequences =
        std::max<std::int64_t>(1, options.batch_sequences * options.max_length / length);
  }
  data.held_out_share = options.dev.empty() ? options.held_out : 0;
  data.seed = options.seed;
  data.workers = options.data_workers;
  return data;
}

std::vector<PretrainPhase> phases_of(const PretrainOptions& options) {
  std::vector<PretrainPhase> phases;
  if (options.long_share > 0) {
    phases.push_back({1 - options.long_share, data_options(options, options.max_length)});
    phases.push_back({1, data_options(options, options.long_length)});
  } else {
    phases.push_back({1, data_options(options, options.max_length)});
  }
  return phases;
}

std::vector<internal::PretrainingBatch> evaluation_of(const PretrainOptions& options,
                                                      const std::shared_ptr<const Corpus>& corpus,
                                                      const Tokenizer& tokenizer) {
  auto data = data_options(options, options.max_length);
  data.workers = 0;
  if (!options.dev.empty()) {
    const auto files = paths(options.dev);
    return evaluation_set(Corpus::open(files, corpus_options(options)), tokenizer, data,
                          options.evaluation_sequences);
  }
  if (options.held_out <= 0) return {};
  return evaluation_set(corpus, tokenizer, data, options.evaluation_sequences);
}

PretrainSettings settings_of(const PretrainOptions& options) {
  PretrainSettings settings;
  settings.steps = options.steps;
  settings.max_seconds = options.max_seconds();
  settings.accumulation = options.accumulation;
  settings.learning_rate = options.learning_rate;
  settings.schedule = as_usage([&] { return schedule_from(options.schedule); });
  settings.warmup = options.warmup_share();
  settings.optimizer = options.optimizer_settings();
  settings.seed = options.seed;
  settings.log_every = options.log_every;
  settings.evaluate_every = options.evaluate_every;
  settings.save_every = options.save_every;
  settings.save_every_seconds = 60 * options.save_every_minutes;
  settings.keep = options.keep;
  settings.loss_spike = options.loss_spike;
  return settings;
}

double percent(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

PretrainListener listener_for(const PretrainOptions& options) {
  const bool next_sentence = !options.no_next_sentence;
  PretrainListener listener;
  listener.step = [next_sentence](const PretrainStep& step) {
    auto line = fmt::format("step {:>6}  {:3.0f}%  loss {:.4f}", step.step, 100 * step.progress,
                            step.loss.loss());
    if (next_sentence) {
      line += fmt::format(" (masked {:.4f}, next {:.4f})", step.loss.masked_lm_loss(),
                          step.loss.next_sentence_loss());
    }
    say(line + fmt::format("  lr {:.2e}  norm {:.2f}  {} tokens/s, {:.0f}% of GEMM  {} left",
                           step.learning_rate, step.gradient_norm,
                           grouped(static_cast<std::int64_t>(step.tokens_per_s)),
                           100 * step.gemm_share, clock_text(step.seconds_left)));
  };
  listener.evaluation = [](const PretrainEvaluation& evaluation) {
    const auto& loss = evaluation.loss;
    auto line = fmt::format("held out at step {}: masked {:.4f} (perplexity {:.1f}, {:.1f}% right)",
                            evaluation.step, loss.masked_lm_loss(), std::exp(loss.masked_lm_loss()),
                            percent(loss.masked_correct, loss.masked));
    if (loss.sequences > 0) {
      line += fmt::format(", next sentence {:.4f} ({:.1f}% right)", loss.next_sentence_loss(),
                          percent(loss.next_sentence_correct, loss.sequences));
    }
    say(line + (evaluation.best ? "  best so far" : ""));
  };
  listener.note = [](const std::string& text) { say("note: " + text); };
  return listener;
}

std::string summary_json(const PretrainResult& result, const PretrainOptions& options) {
  nlohmann::ordered_json out;
  out["output"] = options.output;
  out["finished"] = result.finished;
  out["steps"] = result.steps;
  out["tokens"] = result.tokens;
  out["seconds"] = result.seconds;
  out["masked_lm_loss"] = result.last.masked_lm_loss();
  out["perplexity"] = std::exp(result.last.masked_lm_loss());
  out["masked_lm_accuracy"] = percent(result.last.masked_correct, result.last.masked) / 100;
  if (result.last.sequences > 0) {
    out["next_sentence_loss"] = result.last.next_sentence_loss();
    out["next_sentence_accuracy"] =
        percent(result.last.next_sentence_correct, result.last.sequences) / 100;
  }
  if (result.best_step >= 0) {
    out["best_step"] = result.best_step;
    out["best_loss"] = result.best_loss;
  }
  return out.dump() + '\n';
}

std::string summary(const PretrainResult& result, const PretrainOptions& options) {
  return fmt::format(
      "{}: {} steps, {} tokens in {}; masked-LM loss {:.4f} (perplexity {:.1f})\n"
      "the curves:  tensorboard --logdir {}/tensorboard\n"
      "try it:      cloze fill-mask --model {} \"... [MASK] ...\"\n",
      result.finished ? "done" : "stopped, to be continued with --resume", grouped(result.steps),
      grouped(result.tokens), clock_text(result.seconds), result.last.masked_lm_loss(),
      std::exp(result.last.masked_lm_loss()), options.output, options.output);
}

}  // namespace

void run_pretrain(Arguments arguments) {
  CLI::App app("Pre-trains a BERT: masked language model and next sentence prediction.",
               "cloze pretrain");
  PretrainOptions options;
  options.add_to(app);
  if (!parse(app, arguments)) return;

  const auto existing = existing_run(options.resume, options.overwrite);
  if (options.output.empty()) throw UsageError("--output is missing: the directory of the run");
  if (!options.resume) options.require_complete();
  std::optional<RunDirectory> opened;
  const auto open_run = [&] {
    opened = as_usage([&] { return RunDirectory::open(options.output, existing); });
  };
  if (options.resume) {
    open_run();
    for (const auto& note : options.take_up(app, opened->settings())) say("note: " + note);
  }
  // What can be wrong is looked at before anything is made.
  const auto settings = settings_of(options);
  auto config = config_of(options);
  set_num_threads(options.threads);
  const auto files = paths(options.text);
  const auto corpus = Corpus::open(files, corpus_options(options));
  for (const auto& warning : corpus->warnings()) say("warning: " + warning);
  if (!opened) open_run();
  auto& run = *opened;
  const auto tokenizer = tokenizer_of(options, run, options.resume);
  if (options.init.empty() && options.config.empty()) config.vocab_size = tokenizer.vocab_size();
  const auto phases = phases_of(options);
  for (const auto& phase : phases) require_fitting(tokenizer, phase.data, config);

  const internal::TrainingOptions training{.compute = training_dtype(options.dtype),
                                           .next_sentence = !options.no_next_sentence,
                                           .recompute = options.recompute};
  std::unique_ptr<internal::WeightSource> weights;
  if (options.init.empty()) {
    weights = std::make_unique<internal::RandomWeights>(config, options.seed);
  } else {
    weights =
        std::make_unique<internal::CheckpointWeights>(Checkpoint::open(find_model(options.init)));
  }
  internal::PretrainingModel model(config, *weights, training);

  const PretrainingData sample(corpus, tokenizer, phases.front().data);
  for (const auto& warning : sample.warnings()) say("warning: " + warning);
  if (options.resume) {
    PretrainOptions::require_same_data(run.settings(), sample.fingerprint());
  } else {
    run.write_settings(options.to_json(sample.fingerprint()));
  }
  say(fmt::format("{} documents, {} of text, about {} tokens an epoch; {} parameters, {}",
                  grouped(sample.documents()), fmt::format("{:.1f} MB", corpus->bytes() / 1e6),
                  grouped(sample.tokens_per_epoch()), grouped(model.parameters().count()),
                  name_of(training.compute)));

  const StopOnSignal watch;
  const auto result =
      pretrain({.model = model,
                .tokenizer = tokenizer,
                .corpus = corpus,
                .phases = phases,
                .evaluation = evaluation_of(options, corpus, tokenizer)},
               run, settings, options.resume ? checkpoint_to_resume(run) : std::nullopt,
               listener_for(options), &StopOnSignal::requested);
  auto out = Output::standard_output();
  out.write(options.json ? summary_json(result, options) : summary(result, options));
  out.finish();
}

}  // namespace cloze::cli
