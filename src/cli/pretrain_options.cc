#include <cstdint>
#include <string>

#include "cli/options.h"
#include "cli/training_options.h"
#include "cloze/model_sizes.h"

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

void add_model(CLI::App& app, PretrainSettings& s) {
  app.add_option("--size", s.size, "of a new model: " + known_sizes())
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--config", s.config, "a config.json for a new model instead of a size")
      ->type_name("FILE")
      ->excludes("--size");
  app.add_option("--init", s.init, "go on from this model, with its tokenizer")
      ->type_name("DIR_OR_NAME")
      ->excludes("--size")
      ->excludes("--config");
  app.add_option("--vocab", s.vocab, "a vocab.txt, or a directory with a tokenizer")
      ->type_name("FILE")
      ->excludes("--init");
  add_count(app, "--vocab-size", s.vocab_size, "train a vocabulary of so many tokens on the text",
            100, 1 << 24)
      ->excludes("--init")
      ->excludes("--vocab");
  app.add_flag("--cased", s.cased, "keep upper case and accents");
  add_dictionary(app);
  add_number(app, "--dropout", s.dropout, "instead of the configuration's 0.1", between(0, 0.9))
      ->type_name("P");
}

void add_data(CLI::App& app, PretrainSettings& s) {
  app.add_option("--text", s.text, "text files, or directories of them")->type_name("FILE...");
  app.add_option("--dev", s.dev, "text to evaluate on instead of held-out documents")
      ->type_name("FILE...");
  add_named(app, "--documents", name_of(s.documents), "what parts documents: blank-line or file",
            [&s](const std::string& name) { s.documents = document_break_from(name); })
      ->check(CLI::IsMember({"blank-line", "file"}));
  add_named(app, "--lines", name_of(s.lines),
            "what a line is: automatic, sentence, paragraph or wrapped",
            [&s](const std::string& name) { s.lines = line_kind_from(name); })
      ->check(CLI::IsMember({"automatic", "sentence", "paragraph", "wrapped"}));
  add_number(app, "--held-out", s.held_out, "share of the documents to evaluate on",
             between(0, 0.5));
  add_count(app, "--evaluation-sequences", s.evaluation_sequences, "evaluated on, at most", 1,
            std::int64_t{1} << 40);
  app.add_flag_callback(
      "--no-next-sentence", [&s] { s.next_sentence = false; },
      "masked language model alone, on single sequences");
  app.add_flag("--whole-words", s.whole_word_masking, "mask all pieces of a word or none");
  add_number(app, "--masked", s.mlm_probability, "share of the tokens to predict", between(0, 0.9));
  add_count(app, "--max-predictions", s.max_predictions,
            "masks a sequence at most; 0: as Google has them (20 for 128 tokens)", 0, 1 << 20);
  add_number(app, "--short-sequences", s.short_sequences, "share of shorter sequences",
             between(0, 1));
  add_count(app, "--duplicate-factor", s.duplicate_factor,
            "so many different maskings, over and over; 0: new ones every epoch", 0, 1 << 20);
  add_count(app, "--max-length", s.max_length, "tokens of a sequence", 8, 1 << 16);
  add_number(app, "--long-share", s.long_share, "last share of the run, with longer sequences",
             between(0, 1));
  add_count(app, "--long-length", s.long_length, "tokens of those", 8, 1 << 16);
  add_count(app, "--batch-tokens", s.batch_tokens, "tokens of a batch, at most", 8);
  add_count(app, "--batch-sequences", s.batch_sequences, "sequences of a batch instead", 1, 1 << 24)
      ->excludes("--batch-tokens");
  add_count(app, "--accumulation", s.accumulation, "batches that make a step", 1, 1 << 20);
  add_count(app, "--data-workers", s.data_workers, "background threads that prepare batches", 0,
            1024);
}

void add_training(CLI::App& app, PretrainSettings& s) {
  add_count(app, "--steps", s.steps, "optimizer steps", 1, std::int64_t{1} << 40);
  add_named(app, "--max-time", "",
            "stop after so long (90s, 20m, 8h), with a schedule that ends there",
            [&s](const std::string& text) { s.max_seconds = seconds_from(text); })
      ->type_name("TIME");
  add_number(app, "--loss-spike", s.loss_spike,
             "stop when the loss leaps to so many times its average; 0: never",
             between(0, kLargestNumber));
}

void add_saving(CLI::App& app, PretrainSettings& s) {
  add_number(app, "--save-every-minutes", s.save_every_minutes, "0: by steps alone",
             between(0, 1e9));
}

}  // namespace

void add_pretrain_options(CLI::App& app, PretrainSettings& settings) {
  add_model(app, settings);
  add_data(app, settings);
  add_training(app, settings);
  add_optimizer_options(app, settings);
  add_computation_options(app, settings);
  add_run_options(app, settings, "at the end alone", "by time alone");
  add_saving(app, settings);
  app.footer(examples);
}

}  // namespace cloze::cli
