// `pretrain`: the text, the tokenizer, the model and the phases of a run, then the loop.
#include "cloze/pretrain.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bert/training/pretraining.h"
#include "bert/weights.h"
#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "cloze/error.h"
#include "cloze/hub.h"
#include "cloze/model_sizes.h"
#include "cloze/tokenizer.h"
#include "cloze/vocabulary_trainer.h"
#include "core/fingerprint.h"
#include "core/io/files.h"
#include "core/json.h"
#include "corpus/pretraining_data.h"
#include "sentence/kept_settings.h"
#include "train/pretrain/pretrain_objective.h"
#include "train/pretrain/pretrain_settings.h"
#include "train/run/run_directory.h"
#include "train/run/run_setup.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

CorpusOptions corpus_options(const PretrainSettings& settings, const ProgressCallback& progress) {
  return {.documents = settings.documents, .lines = settings.lines, .progress = progress};
}

/// Positions that a new tokenizer says its model has.
std::int64_t max_length_of_model(const PretrainSettings& settings) {
  constexpr std::int64_t kUsual = 512;
  return std::max(
      {kUsual, settings.max_length, settings.long_share > 0 ? settings.long_length : 0});
}

/// A new run's own tokenizer: that of `init`, of `vocab`, or one that is trained on the text.
Tokenizer make_tokenizer(const PretrainSettings& settings, const ProgressCallback& progress) {
  if (!settings.init.empty()) {
    return Tokenizer::from_pretrained(find_model(settings.init, progress));
  }
  if (!settings.vocab.empty() && files::is_directory(settings.vocab)) {
    return Tokenizer::from_pretrained(settings.vocab);
  }
  const TokenizerOptions options{.lowercase = !settings.cased,
                                 .model_max_length = max_length_of_model(settings)};
  if (!settings.vocab.empty()) return Tokenizer::from_vocabulary_file(settings.vocab, options);
  VocabularyOptions vocabulary;
  vocabulary.size = static_cast<std::size_t>(settings.vocab_size);
  vocabulary.lowercase = !settings.cased;
  vocabulary.progress = progress;
  return Tokenizer::from_vocabulary(train_vocabulary(settings.text, vocabulary), options);
}

/// Binds `tokenizer/` in the run's directory to the settings in `run.json`.
constexpr const char* kTokenizerFingerprint = "tokenizer-fingerprint";

std::string fingerprint_of_tokenizer(std::string_view tokenizer_json, std::string_view config) {
  return fmt::format("{:016x}", Fingerprint().add(tokenizer_json).add(config).value());
}

/// The tokenizer that a run keeps. Throws ModelError where it is not the one that it began with.
Tokenizer kept_tokenizer(const RunDirectory& run) {
  const auto directory = run.path() / kTokenizerDirectory;
  auto tokenizer = Tokenizer::from_pretrained(directory);
  const auto began = parse_json_object(run.settings(), run.settings_file());
  const auto fingerprint = began.find(kTokenizerFingerprint);  // runs of earlier versions lack it
  if (fingerprint != began.end() &&
      *fingerprint !=
          fingerprint_of_tokenizer(
              files::text_if_readable(directory / "tokenizer.json").value_or(tokenizer.to_json()),
              files::text_if_readable(directory / "tokenizer_config.json").value_or(""))) {
    throw ModelError(fmt::format(
        "{} is not the tokenizer that the run began with: put that one back, or begin another run",
        excerpt_of_path(directory)));
  }
  return tokenizer;
}

/// A resumed run has its tokenizer; a new one gets it as it will be read from its directory.
Tokenizer tokenizer_of(const PretrainSettings& settings, const RunDirectory& run,
                       const ProgressCallback& progress) {
  if (settings.resume) return kept_tokenizer(run);
  const auto made = make_tokenizer(settings, progress);
  // A Japanese tokenizer keeps its dictionary, which no file of its own names.
  const auto words = made.japanese();
  return Tokenizer::from_json(made.to_json(), made.config_to_json(),
                              {.dictionary = words ? words->dictionary : fs::path()});
}

/// The model's shape; of a named size it has no vocabulary yet. A run that goes on has it in its
/// checkpoint: what it began from may be gone.
BertConfig config_of(const PretrainSettings& settings, const std::optional<fs::path>& checkpoint,
                     const ProgressCallback& progress) {
  if (checkpoint) return BertConfig::from_pretrained(*checkpoint);
  if (!settings.init.empty()) {
    return BertConfig::from_pretrained(find_model(settings.init, progress));
  }
  BertConfig config;
  if (settings.config.empty()) {
    config = named_config(settings.size);
  } else {
    config = BertConfig::from_json(files::read_text(settings.config), settings.config.string());
  }
  if (settings.dropout) {
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = *settings.dropout;
  }
  return config;
}

PretrainingDataOptions data_options(const PretrainSettings& settings, std::int64_t length) {
  PretrainingDataOptions data;
  data.max_length = length;
  data.next_sentence = settings.next_sentence;
  data.short_sequence_probability = settings.short_sequences;
  data.masked_probability = settings.mlm_probability;
  data.max_predictions = settings.max_predictions;
  data.whole_words = settings.whole_word_masking;
  data.duplicate_factor = settings.duplicate_factor;
  data.batch_sequences = settings.batch_sequences;
  data.batch_tokens = settings.batch_tokens;
  // A phase of longer sequences has as many tokens a batch, not as many sequences.
  if (settings.batch_sequences > 0 && length != settings.max_length) {
    data.batch_sequences =
        std::max<std::int64_t>(1, settings.batch_sequences * settings.max_length / length);
  }
  data.held_out_share = settings.dev.empty() ? settings.held_out : 0;
  data.seed = settings.seed;
  data.workers = settings.data_workers;
  return data;
}

std::vector<PretrainPhase> phases_of(const PretrainSettings& settings) {
  std::vector<PretrainPhase> phases;
  if (settings.long_share > 0) {
    phases.push_back({1 - settings.long_share, data_options(settings, settings.max_length)});
    phases.push_back({1, data_options(settings, settings.long_length)});
  } else {
    phases.push_back({1, data_options(settings, settings.max_length)});
  }
  return phases;
}

std::vector<internal::PretrainingBatch> evaluation_of(const PretrainSettings& settings,
                                                      const std::shared_ptr<const Corpus>& corpus,
                                                      const Tokenizer& tokenizer,
                                                      const ProgressCallback& progress) {
  auto data = data_options(settings, settings.max_length);
  data.workers = 0;
  if (!settings.dev.empty()) {
    return evaluation_set(Corpus::open(settings.dev, corpus_options(settings, progress)), tokenizer,
                          data, settings.evaluation_sequences);
  }
  if (settings.held_out <= 0) return {};
  return evaluation_set(corpus, tokenizer, data, settings.evaluation_sequences);
}

/// Throws ArgumentError for what is missing or does not go together.
void require_complete(const PretrainSettings& settings) {
  if (settings.text.empty()) throw ArgumentError("the text is missing: what to train on");
  if (settings.vocab.empty() && settings.vocab_size == 0 && settings.init.empty()) {
    throw ArgumentError(
        "a vocabulary is missing: give one (vocab), a size to train one of (vocab size), or a "
        "model to begin "
        "with (init)");
  }
  if (settings.steps == 0 && settings.max_seconds == 0) {
    throw ArgumentError("the run needs an end: a number of steps, a time, or both");
  }
  require_runnable(settings);
  static_cast<void>(internal::training_dtype(settings.precision));
}

/// Opens a resumed run, and holds its settings against those that it began with.
RunDirectory open_resumed(const PretrainSettings& settings, const PretrainCallbacks& callbacks) {
  auto run = internal::open_run(settings);
  const auto began = internal::pretrain_settings_from(run.settings(), run.settings_file());
  internal::require_unchanged(internal::saved_settings(settings), internal::saved_settings(began),
                              run.settings(), run.settings_file(), callbacks);
  return run;
}

std::vector<std::string> kept_tokenizer_files() {
  std::vector<std::string> names;
  for (const auto& file : tokenizer_files()) {
    names.push_back(fmt::format("{}/{}", kTokenizerDirectory, file));
  }
  return names;
}

/// Opens the directory of a new run, in which nothing is changed yet.
RunDirectory open_new(const PretrainSettings& settings) {
  auto run = internal::open_run(settings);
  std::vector<RunInput> inputs{
      {"vocab", settings.vocab}, {"config", settings.config}, {"init", settings.init}};
  for (const auto& text : settings.text) inputs.push_back({"text", text, true});
  for (const auto& text : settings.dev) inputs.push_back({"dev", text, true});
  auto files = published_files("");
  const auto tokenizer = kept_tokenizer_files();
  files.insert(files.end(), tokenizer.begin(), tokenizer.end());
  run.require_takeable(inputs, files);
  return run;
}

/// What a new run will write first: its settings, and its tokenizer.
void plan(RunDirectory& run, const PretrainSettings& settings, std::uint64_t data_fingerprint,
          const Tokenizer& tokenizer) {
  auto json = nlohmann::ordered_json::parse(
      internal::run_json(internal::saved_settings(settings), data_fingerprint));
  json[kTokenizerFingerprint] =
      fingerprint_of_tokenizer(tokenizer.to_json(), tokenizer.config_to_json());
  run.plan(json.dump(2) + '\n', kept_tokenizer_files(), [tokenizer](const fs::path& directory) {
    tokenizer.save_pretrained(directory / kTokenizerDirectory);
  });
}

/// With the precision that the run has, or began with.
PretrainResult pretrain_settled(const PretrainSettings& settings,
                                const PretrainCallbacks& callbacks) {
  if (settings.output.empty()) {
    throw ArgumentError("the output is missing: the directory of the run");
  }
  // What can be wrong is looked at before anything is made, and an earlier run stays whole until
  // the first step is computed.
  std::optional<RunDirectory> opened;
  if (settings.resume) opened = open_resumed(settings, callbacks);
  require_complete(settings);
  if (!opened) opened = open_new(settings);
  auto& run = *opened;
  std::optional<fs::path> checkpoint;
  if (settings.resume) checkpoint = internal::checkpoint_to_resume(run, callbacks);
  auto config = config_of(settings, checkpoint, callbacks.progress);
  const internal::ThreadsDuringCall threads(settings.threads, callbacks);
  const auto corpus = Corpus::open(settings.text, corpus_options(settings, callbacks.progress));
  internal::tell_warnings(callbacks, corpus->warnings());
  const auto tokenizer = tokenizer_of(settings, run, callbacks.progress);
  const bool sized = settings.init.empty() && settings.config.empty() && !checkpoint;
  if (sized) config.vocab_size = tokenizer.vocab_size();
  const auto phases = phases_of(settings);
  for (const auto& phase : phases) require_fitting(tokenizer, phase.data, config);

  const internal::TrainingOptions options{.compute = internal::training_dtype(settings.precision),
                                          .next_sentence = settings.next_sentence,
                                          .recompute = settings.recompute};
  std::unique_ptr<internal::WeightSource> weights;
  if (checkpoint) {
    weights = std::make_unique<internal::CheckpointWeights>(Checkpoint::open(*checkpoint));
  } else if (settings.init.empty()) {
    weights = std::make_unique<internal::RandomWeights>(config, settings.seed);
  } else {
    const auto from = find_model(settings.init, callbacks.progress);
    weights = std::make_unique<internal::CheckpointWeights>(Checkpoint::open(from));
    internal::tell_warnings(callbacks, left_out_of_training(from, ""));
  }
  internal::PretrainingModel model(config, *weights, options);

  const PretrainingData sample(corpus, tokenizer, phases.front().data);
  internal::tell_warnings(callbacks, sample.warnings());
  if (settings.resume &&
      !internal::began_with(run.settings(), sample.fingerprint(), run.settings_file())) {
    throw ModelError(
        "the text is not what the run began with (other files, another order, or changed content): "
        "resume with the same text, or begin another run from its model");
  }
  auto evaluation = evaluation_of(settings, corpus, tokenizer, callbacks.progress);
  if (!settings.resume) {
    run.require_room(model.parameters().count());
    plan(run, settings, sample.fingerprint(), tokenizer);
  }
  if (callbacks.start) {
    callbacks.start({.documents = sample.documents(),
                     .text_bytes = corpus->bytes(),
                     .tokens_per_epoch = sample.tokens_per_epoch(),
                     .parameters = model.parameters().count(),
                     .compute = options.compute});
  }
  return run_pretraining({.model = model,
                          .tokenizer = tokenizer,
                          .corpus = corpus,
                          .phases = phases,
                          .evaluation = std::move(evaluation)},
                         run, settings, checkpoint, callbacks);
}

}  // namespace

PretrainResult pretrain(const PretrainSettings& settings, const PretrainCallbacks& callbacks) {
  return pretrain_settled(internal::with_settled_precision(settings, pretrain_settings_of),
                          callbacks);
}

}  // namespace cloze
