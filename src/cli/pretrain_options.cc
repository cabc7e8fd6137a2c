#include "cli/pretrain_options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "checkpoint/model_sizes.h"
#include "cli/command.h"
#include "cli/kept_options.h"
#include "cli/options.h"
#include "cloze/error.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Text is plain: a paragraph (or a sentence) a line, a blank line between documents; --documents file
takes each file as one. Of every hundred documents one is held out and evaluated on (--held-out), unless
--dev names files for that.

The run's directory holds its newest checkpoints, the best model as a Hugging Face directory of its own,
and event files for TensorBoard. A run that was stopped or killed goes on with

  cloze pretrain --resume --output DIR

from its newest whole checkpoint, with the settings that it began with. At the same number of threads
it ends with the same weights, bit for bit, as without the stop.

Examples:
  cloze pretrain --text books.txt --vocab-size 8000 --size mini --max-time 20m --output run
  cloze pretrain --text wiki/ --vocab vocab.txt --size base --steps 1000000 --batch-sequences 32 \
      --accumulation 8 --warmup 10000 --long-share 0.1 --output run
  cloze pretrain --text reports.txt --init google-bert/bert-base-uncased --steps 2000 \
      --learning-rate 5e-5 --output adapted
)";

using O = PretrainOptions;

template <auto kMember>
constexpr auto kept(std::string_view name, bool may_change = false) {
  return kept_option<O, kMember>(name, may_change);
}

// What changes the batches, the model or the arithmetic of a step may not change; how long a run
// goes on, what it costs and what it tells may.
constexpr std::array own_kept{kept<&O::size>("size"),
                              kept<&O::config>("config"),
                              kept<&O::init>("init"),
                              kept<&O::vocab>("vocab"),
                              kept<&O::vocab_size>("vocab-size"),
                              kept<&O::cased>("cased"),
                              kept<&O::dropout>("dropout"),
                              kept<&O::text>("text", true),  // its content is compared
                              kept<&O::dev>("dev", true),
                              kept<&O::documents>("documents"),
                              kept<&O::lines>("lines"),
                              kept<&O::held_out>("held-out"),
                              kept<&O::evaluation_sequences>("evaluation-sequences", true),
                              kept<&O::no_next_sentence>("no-next-sentence"),
                              kept<&O::whole_words>("whole-words"),
                              kept<&O::masked>("masked"),
                              kept<&O::short_sequences>("short-sequences"),
                              kept<&O::max_predictions>("max-predictions"),
                              kept<&O::duplicate_factor>("duplicate-factor"),
                              kept<&O::max_length>("max-length"),
                              kept<&O::long_length>("long-length"),
                              kept<&O::long_share>("long-share"),
                              kept<&O::batch_sequences>("batch-sequences"),
                              kept<&O::batch_tokens>("batch-tokens"),
                              kept<&O::accumulation>("accumulation"),
                              kept<&O::data_workers>("data-workers", true),
                              kept<&O::steps>("steps", true),
                              kept<&O::max_time>("max-time", true),
                              kept<&O::loss_spike>("loss-spike", true),
                              kept<&O::save_every_minutes>("save-every-minutes", true)};
constexpr auto all_kept = joined(own_kept, kept_training_options<O>);

void add_model(CLI::App& app, PretrainOptions& o) {
  app.add_option("--size", o.size, "of a new model: " + known_sizes())
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--config", o.config, "a config.json for a new model instead of a size")
      ->type_name("FILE")
      ->excludes("--size");
  app.add_option("--init", o.init, "go on from this model, with its tokenizer")
      ->type_name("DIR_OR_NAME")
      ->excludes("--size")
      ->excludes("--config");
  app.add_option("--vocab", o.vocab, "a vocab.txt, or a directory with a tokenizer")
      ->type_name("FILE")
      ->excludes("--init");
  app.add_option("--vocab-size", o.vocab_size, "train a vocabulary of so many tokens on the text")
      ->type_name("N")
      ->excludes("--init")
      ->excludes("--vocab")
      ->check(in_range(100, 1 << 24));
  app.add_flag("--cased", o.cased, "keep upper case and accents");
  app.add_option("--dropout", o.dropout, "instead of the configuration's 0.1")
      ->type_name("P")
      ->check(CLI::Range(0.0, 0.9));
}

void add_data(CLI::App& app, PretrainOptions& o) {
  app.add_option("--text", o.text, "text files, or directories of them")->type_name("FILE...");
  app.add_option("--dev", o.dev, "text to evaluate on instead of held-out documents")
      ->type_name("FILE...");
  app.add_option("--documents", o.documents, "what parts documents: blank-line or file")
      ->capture_default_str()
      ->check(CLI::IsMember({"blank-line", "file"}));
  app.add_option("--lines", o.lines, "what a line is: automatic, sentence, paragraph or wrapped")
      ->capture_default_str()
      ->check(CLI::IsMember({"automatic", "sentence", "paragraph", "wrapped"}));
  app.add_option("--held-out", o.held_out, "share of the documents to evaluate on")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 0.5));
  app.add_option("--evaluation-sequences", o.evaluation_sequences, "evaluated on, at most")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(1, std::int64_t{1} << 40));
  app.add_flag("--no-next-sentence", o.no_next_sentence,
               "masked language model alone, on single sequences");
  app.add_flag("--whole-words", o.whole_words, "mask all pieces of a word or none");
  app.add_option("--masked", o.masked, "share of the tokens to predict")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 0.9));
  app.add_option("--max-predictions", o.max_predictions,
                 "masks a sequence at most; 0: as Google has them (20 for 128 tokens)")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(0, 1 << 20));
  app.add_option("--short-sequences", o.short_sequences, "share of shorter sequences")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--duplicate-factor", o.duplicate_factor,
                 "so many different maskings, over and over; 0: new ones every epoch")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(0, 1 << 20));
  app.add_option("--max-length", o.max_length, "tokens of a sequence")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(8, 1 << 16));
  app.add_option("--long-share", o.long_share, "last share of the run, with longer sequences")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--long-length", o.long_length, "tokens of those")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(8, 1 << 16));
  app.add_option("--batch-tokens", o.batch_tokens, "tokens of a batch, at most")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(8, std::int64_t{1} << 30));
  app.add_option("--batch-sequences", o.batch_sequences, "sequences of a batch instead")
      ->type_name("N")
      ->excludes("--batch-tokens")
      ->check(in_range(1, 1 << 24));
  app.add_option("--accumulation", o.accumulation, "batches that make a step")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(1, 1 << 20));
  app.add_option("--data-workers", o.data_workers, "background threads that prepare batches")
      ->type_name("N")
      ->capture_default_str()
      ->check(in_range(0, 1024));
}

void add_training(CLI::App& app, PretrainOptions& o) {
  app.add_option("--steps", o.steps, "optimizer steps")
      ->type_name("N")
      ->check(in_range(1, std::int64_t{1} << 40));
  app.add_option("--max-time", o.max_time,
                 "stop after so long (90s, 20m, 8h), with a schedule that ends there")
      ->type_name("TIME");
  app.add_option("--loss-spike", o.loss_spike,
                 "stop when the loss leaps to so many times its average; 0: never")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
}

void add_saving(CLI::App& app, PretrainOptions& o) {
  app.add_option("--save-every-minutes", o.save_every_minutes, "0: by steps alone")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
}

}  // namespace

void PretrainOptions::add_to(CLI::App& app) {
  add_model(app, *this);
  add_data(app, *this);
  add_training(app, *this);
  add_optimizer(app);
  add_computation(app);
  add_run(app, "at the end alone", "by time alone");
  add_saving(app, *this);
  app.footer(examples);
}

void PretrainOptions::require_complete() const {
  if (text.empty()) throw UsageError("--text is missing: what to train on");
  if (vocab.empty() && vocab_size == 0 && init.empty()) {
    throw UsageError(
        "a vocabulary is missing: give --vocab FILE, --vocab-size N to train one, or --init MODEL");
  }
  if (steps == 0 && max_time.empty()) {
    throw UsageError("the run needs an end: give --steps N, --max-time TIME, or both");
  }
  if (warmup >= 1 && steps == 0) {
    throw UsageError(
        "--warmup counts steps from 1 on, and without --steps nobody knows their share");
  }
  static_cast<void>(max_seconds());
}

double PretrainOptions::max_seconds() const {
  if (max_time.empty()) return 0;
  double value = 0;
  const auto* end = max_time.data() + max_time.size();
  const auto [stopped, error] = std::from_chars(max_time.data(), end, value);
  const std::string_view unit(stopped, static_cast<std::size_t>(end - stopped));
  const double factor = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (error != std::errc() || factor <= 0 || value <= 0) {
    throw UsageError(fmt::format(
        "--max-time {} is no time: give seconds, or a number with s, m or h", max_time));
  }
  return value * factor;
}

double PretrainOptions::warmup_share() const {
  if (warmup < 1) return warmup;
  return std::min(1.0, warmup / static_cast<double>(std::max<std::int64_t>(steps, 1)));
}

std::int64_t PretrainOptions::max_length_of_model() const {
  constexpr std::int64_t kUsual = 512;
  return std::max({kUsual, max_length, long_share > 0 ? long_length : 0});
}

std::string PretrainOptions::to_json(std::uint64_t fingerprint) const {
  auto json = kept_json<O>(all_kept, *this);
  json[kFingerprint] = fingerprint_text(fingerprint);
  return json.dump(2) + '\n';
}

std::vector<std::string> PretrainOptions::take_up(const CLI::App& app,
                                                  const std::string& settings) {
  auto changes = take_up_kept<O>(all_kept, *this, app, settings);
  require_complete();
  return changes;
}

void PretrainOptions::require_same_data(const std::string& settings, std::uint64_t fingerprint) {
  if (began_with(settings, fingerprint)) return;
  throw ModelError(
      "the text is not what the run began with (other files, another order, or changed content): "
      "resume with the same text, or begin another run with --init");
}

}  // namespace cloze::cli
