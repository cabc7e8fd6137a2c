#include "cli/options.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/format.h"
#include "cloze/hub.h"
#include "cloze/output.h"
#include "cloze/sentence_settings.h"
#include "cloze/threads.h"

namespace cloze::cli {
namespace {

bool has_tab(const std::string& text) { return text.find('\t') != std::string::npos; }

}  // namespace

void add_dictionary(CLI::App& app) {
  app.add_option_function<std::string>(
         "--dictionary",
         [](const std::string& directory) {
           // The library asks for the variable when it opens a tokenizer; no thread runs yet.
           ::setenv("CLOZE_MECAB_DICTIONARY", directory.c_str(),
                    1);  // NOLINT(concurrency-mt-unsafe)
         },
         "of a Japanese tokenizer: the directory of MeCab's dictionary (default: "
         "$CLOZE_MECAB_DICTIONARY, or where the one is installed that the files name)")
      ->type_name("DIR");
}

void ModelOptions::add_model(CLI::App& app) {
  app.add_option("--model,-m", model, "model directory, or a name in the model cache or on the Hub")
      ->type_name("DIR_OR_NAME")
      ->required();
  add_dictionary(app);
}

void ModelOptions::add_computation(CLI::App& app) {
  app.add_option("--device", device, "cpu or cuda")
      ->type_name("NAME")
      ->capture_default_str()
      ->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option(
         "--dtype", dtype,
         "what to compute in: f32, bf16, int8, or auto (f32 or bf16, whichever this machine "
         "multiplies faster: cloze info --machine)")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option(
         "--int8-keep", int8_keep,
         "with int8: leave linear layers unquantized whose names contain one of these, such "
         "as output.dense or layer.0.")
      ->type_name("PART,...")
      ->delimiter(',');
  add_count(app, "--threads", threads, "threads to compute with; 0: all that the process may use",
            0, kMostThreads);
  add_count(app, "--batch-tokens", batch_tokens,
            "tokens to compute at once: more is faster and takes more memory", 1,
            std::int64_t{1} << 24);
}

std::filesystem::path ModelOptions::root() const {
  return find_model(model, terminal_progress(), print_notice);
}

std::filesystem::path ModelOptions::directory() const { return transformer_directory(root()); }

LoadOptions ModelOptions::load_options() const {
  const auto precision = as_usage([&] { return precision_from(dtype); });
  if (device == "cuda") {
    throw Error("this build of cloze has no CUDA: use --device cpu");
  }
  if (threads > 0) set_num_threads(threads);
  LoadOptions options;
  options.precision = precision;
  options.keep = int8_keep;
  return options;
}

PipelineOptions ModelOptions::pipeline_options() const {
  return {.load = load_options(), .batch_tokens = batch_tokens};
}

void TextOptions::add_texts(CLI::App& app, const std::string& about) {
  app.add_option("TEXT", texts, about)->type_name("");
  app.add_option("--input,-i", input, "file of texts, one a line; - is standard input")
      ->type_name("FILE");
}

void TextOptions::add_single(CLI::App& app) {
  app.add_flag("--single", single, "a tab is white space, not what parts a pair");
}

void TextOptions::add_limit(CLI::App& app) {
  app.add_flag("--truncate", truncate, "cut texts that are too long instead of refusing them");
  add_count(app, "--max-length", max_length,
            "most tokens of a text, special ones included (default: what the model reads)");
}

TextReader TextOptions::reader() const {
  const auto tabs = single ? Tabs::space : Tabs::pair;
  if (!input.empty() && !texts.empty()) {
    throw UsageError("give texts as arguments or with --input, not both");
  }
  if (!texts.empty()) return TextReader::list(texts, tabs);
  as_usage([&] { require_no_input("/dev/stdout", input_files()); });
  if (!input.empty()) return TextReader::file(input, tabs);
  if (::isatty(STDIN_FILENO) == 1) {
    fmt::print(stderr, "reading texts from the terminal, one a line; Ctrl-D ends them\n");
  }
  return TextReader::file("-", tabs);
}

TextReader TextOptions::pair_reader() const {
  if (texts.size() == 2 && std::none_of(texts.begin(), texts.end(), has_tab) && input.empty()) {
    return TextReader::list({texts[0] + '\t' + texts[1]}, Tabs::pair);
  }
  return reader();
}

TextLimits TextOptions::limits(std::int64_t model_limit) const {
  if (max_length > model_limit) {
    throw UsageError(
        fmt::format("--max-length {} is more than this model reads, which is {} tokens", max_length,
                    model_limit));
  }
  return {.max_length = max_length, .truncate = truncate};
}

void add_task_options(CLI::App& app, TaskOptions& options) {
  app.add_option("--text-column", options.text_column, "name of the column, or its number from 1")
      ->type_name("COLUMN");
  app.add_option("--pair-column", options.pair_column, "likewise, the second text")
      ->type_name("COLUMN");
  app.add_option("--label-column", options.label_column, "likewise, label or value")
      ->type_name("COLUMN");
  app.add_flag("--multi-label", options.multi_label, "a text has any number of labels");
  add_count(app, "--max-length", options.max_length, "tokens of a text; 0: what task and model can",
            0);
  add_count(app, "--stride", options.stride, "tokens that the windows of a long text share", 0,
            1 << 20);
  app.add_flag_callback(
      "--no-document-context", [&options] { options.document_context = false; },
      "token classification: each sentence alone");
  app.add_flag("--version-2", options.version_2,
               "question answering: some questions have no answer");
  app.add_option_function<std::string>(
         "--answer-metrics",
         [&options](const std::string& name) {
           options.answer_metrics = answer_metrics_from(name);
         },
         "question answering: squad compares words, cmrc Chinese characters; auto asks the answers")
      ->default_str(std::string(name_of(options.answer_metrics)))
      ->type_name("NAME")
      ->check(CLI::IsMember({"auto", "squad", "cmrc"}));
}

ProgressOptions beside_results() {
  ProgressOptions options;
  if (::isatty(STDOUT_FILENO) == 1) options.sink = [](std::string_view) {};
  return options;
}

void require_pair(const TextItem& item, const TextReader& reader) {
  if (item.pair) return;
  throw FormatError(
      fmt::format("{} is not a pair: two texts parted by a tab", reader.place(item.number)));
}

}  // namespace cloze::cli
