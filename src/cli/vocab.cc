/// \file
/// cloze vocab: trains a WordPiece vocabulary.
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/output_files.h"
#include "cli/progress_bar.h"
#include "cloze/output.h"
#include "cloze/threads.h"
#include "cloze/vocabulary_trainer.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
The vocabulary is that of Hugging Face's WordPieceTrainer: the most frequent pair of neighbouring
pieces becomes a piece, again and again. It does not depend on the number of threads. To tokenize
with it, put it as vocab.txt in a directory, with {"do_lower_case": false} as tokenizer_config.json
if it is --cased.

Examples:
  cloze vocab --text books.txt news.txt --size 30000 --output vocab.txt
  cloze vocab --text de.txt --cased --size 50000 --min-frequency 5 --output german/vocab.txt
)";

struct Options {
  std::vector<std::string> texts;
  std::string output;
  VocabularyOptions vocabulary;
  bool cased = false;
  bool keep_accents = false;
  bool strip_accents = false;
  bool join_chinese = false;
  int threads = 0;
};

void add_options(CLI::App& app, Options& options) {
  auto& vocabulary = options.vocabulary;
  app.add_option("--text", options.texts, "files of text, UTF-8")->type_name("FILE...")->required();
  app.add_option("--output,-o", options.output, "where the vocabulary goes, a token a line")
      ->type_name("FILE")
      ->required();
  add_count(app, "--size", vocabulary.size, "tokens, special ones and the alphabet included", 1,
            1 << 24);
  add_count(app, "--min-frequency", vocabulary.min_frequency, "a rarer pair makes no piece", 1,
            std::int64_t{1} << 40);
  add_count(app, "--limit-alphabet", vocabulary.limit_alphabet, "characters to keep, by frequency",
            1, 1 << 24);
  app.add_option("--initial-alphabet", vocabulary.initial_alphabet,
                 "characters to keep whatever their frequency")
      ->type_name("CHARACTERS");
  app.add_option("--special-token", vocabulary.special_tokens,
                 "tokens that come first, in order (default: [PAD] [UNK] [CLS] [SEP] [MASK])")
      ->type_name("TOKEN...");
  app.add_flag("--cased", options.cased, "keep upper case (and accents)");
  app.add_flag("--strip-accents", options.strip_accents, "drop accents although --cased");
  app.add_flag("--keep-accents", options.keep_accents, "keep accents although not --cased")
      ->excludes("--strip-accents");
  app.add_flag("--no-chinese", options.join_chinese,
               "do not make every Chinese character a word by itself");
  add_count(app, "--max-words", vocabulary.max_words,
            "distinct words in memory; beyond, the rarest are forgotten", 2, std::int64_t{1} << 32);
  add_count(app, "--threads", options.threads, "threads; 0: all that the process may use", 0, 4096);
  app.footer(examples);
}

}  // namespace

void run_vocab(Arguments arguments) {
  CLI::App app("Trains a WordPiece vocabulary from text of any size.", "cloze vocab");
  Options options;
  add_options(app, options);
  if (!parse(app, arguments)) return;

  auto& vocabulary = options.vocabulary;
  vocabulary.lowercase = !options.cased;
  if (options.strip_accents || options.keep_accents) {
    vocabulary.strip_accents = options.strip_accents;
  }
  vocabulary.handle_chinese_chars = !options.join_chinese;
  vocabulary.progress = terminal_progress();
  set_num_threads(options.threads);
  const std::vector<std::filesystem::path> files(options.texts.begin(), options.texts.end());
  require_output_apart(options.output, files);
  auto file = Output::file(options.output);  // before the work: a bad place is told at once
  const auto tokens = as_usage([&] { return train_vocabulary(files, vocabulary); });
  for (const auto& token : tokens) file.write(token + '\n');
  file.finish();
  print_about(options.output, fmt::format("{}: {} tokens\n", options.output,
                                          grouped(static_cast<std::int64_t>(tokens.size()))));
}

}  // namespace cloze::cli
