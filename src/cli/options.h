/// \file
/// The options that commands share, and how a command line is read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/number_options.h"
#include "cli/progress_bar.h"
#include "cloze/error.h"
#include "cloze/pipeline.h"
#include "cloze/task_options.h"
#include "cloze/text_reader.h"

namespace cloze::cli {

/// Reads the command line. False when it asked for help, which has then been printed. Throws
/// UsageError.
[[nodiscard]] bool parse(CLI::App& app, Arguments arguments);

/// --dictionary: of every command that opens a tokenizer. It sets $CLOZE_MECAB_DICTIONARY.
void add_dictionary(CLI::App& app);

/// --model, --dictionary, --device, --dtype, --int8-keep, --threads, --batch-tokens.
struct ModelOptions {
  std::string model;
  std::string device = "cpu";
  std::string dtype = "f32";
  std::vector<std::string> int8_keep;
  int threads = 0;
  std::int64_t batch_tokens = 8192;

  void add_model(CLI::App& app);        ///< --model and --dictionary
  void add_computation(CLI::App& app);  ///< the others

  /// Where configuration, vocabulary and weights are: see transformer_directory.
  [[nodiscard]] std::filesystem::path directory() const;
  /// The model's directory as it was named: a sentence-transformers one begins above.
  [[nodiscard]] std::filesystem::path root() const;
  /// Applies --threads; checks --device and --dtype. Throws Error where this build has no such
  /// device.
  [[nodiscard]] LoadOptions load_options() const;
  /// The same for a pipeline, with --batch-tokens.
  [[nodiscard]] PipelineOptions pipeline_options() const;
};

/// TEXT..., --input, --single; with a model's limit also --truncate and --max-length.
struct TextOptions {
  std::vector<std::string> texts;
  std::string input;
  bool single = false;
  bool truncate = false;
  std::int64_t max_length = 0;  ///< 0: the model's

  void add_texts(CLI::App& app, const std::string& about);
  void add_single(CLI::App& app);
  void add_limit(CLI::App& app);

  /// The texts: arguments, else --input, else standard input. Throws UsageError where standard
  /// output goes to that file: it would be read without end.
  [[nodiscard]] TextReader reader() const;
  /// The file that they come from, "-" for standard input; none where they are arguments.
  [[nodiscard]] std::vector<std::filesystem::path> input_files() const {
    if (!texts.empty()) return {};
    return {input.empty() ? "-" : input};
  }

  /// The same for a command that reads pairs: two arguments without tabs are one pair.
  [[nodiscard]] TextReader pair_reader() const;

  /// The limit for a model that reads `model_limit` tokens. UsageError for a larger --max-length.
  [[nodiscard]] TextLimits limits(std::int64_t model_limit) const;
};

/// How a task reads its files and texts, but for --max-samples, which has several names.
void add_task_options(CLI::App& app, TaskOptions& options);

/// Calls `body`, whose ArgumentError is a mistake in the command line, but for texts that are too
/// long: a UsageError, which `where` begins.
template <class Body>
auto as_usage(const Body& body, const std::string& where = "") {
  try {
    return body();
  } catch (const TextTooLong&) {
    throw;
  } catch (const ArgumentError& error) {
    throw UsageError(where + error.what());
  }
}

/// For a bar beside results that are printed as they come: none where both would go to one
/// terminal.
[[nodiscard]] ProgressOptions beside_results();

/// Throws FormatError for an item without a pair, naming its place.
void require_pair(const TextItem& item, const TextReader& reader);

}  // namespace cloze::cli
