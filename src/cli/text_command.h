/// \file
/// What the commands share that read texts, ask a model, and print an answer for each text.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "cli/options.h"
#include "cli/progress_bar.h"
#include "cloze/output.h"
#include "cloze/pipeline.h"
#include "cloze/sentence_transformer.h"
#include "cloze/text_classification.h"
#include "cloze/text_reader.h"
#include "cloze/top_list.h"

namespace cloze::cli {

/// Prints what a model warns of, on standard error.
void tell_warnings(const std::vector<std::string>& warnings);

/// --prompt and --prompt-name, or the same with other names.
struct PromptOptions {
  std::optional<std::string> prompt, prompt_name;

  /// `option` is "--prompt"; `what` they go before.
  void add(CLI::App& app, const std::string& option, const std::string& what);

  /// Whether the user stated one.
  [[nodiscard]] bool given() const { return prompt.has_value() || prompt_name.has_value(); }

  template <class EncodeOptions>
  void apply_to(EncodeOptions& options) const {
    options.prompt = prompt;
    options.prompt_name = prompt_name;
  }
};

struct TextCommand {
  CLI::App app;
  ModelOptions model;
  TextOptions text;
  bool json = false;

  /// A command that says what it does, and its full name; begins with --model.
  TextCommand(const std::string& about, const std::string& name) : app(about, name) {
    model.add_model(app);
  }

  /// Adds what ends every command, --json, the options of the computation and examples, and reads
  /// the command line. False when it asked for help.
  [[nodiscard]] bool parse(const char* examples, Arguments arguments);

  /// Loads a pipeline. The error about a model of another pipeline names the command for that.
  template <class P>
  [[nodiscard]] P load() const {
    const auto options = model.pipeline_options();
    try {
      auto pipeline = P::from_pretrained(model.root(), options);
      tell_warnings(pipeline.warnings());
      return pipeline;
    } catch (const WrongPipeline& error) {
      throw ModelError(fmt::format("{} (cloze {})", error.what(), command_for(error.pipeline())));
    }
  }

  /// Bytes of text to hold at once: `batches` batches, many so that sorting by length pays.
  [[nodiscard]] std::int64_t piece_bytes(std::int64_t batches = 16) const {
    constexpr std::int64_t bytes_a_token = 4;
    return model.batch_tokens * bytes_a_token * batches;
  }
};

/// A piece of the input that is worked on at once.
struct Piece {
  std::vector<TextItem> items;
  TextLimits limits;          ///< the command's, with names that say where a text stands
  ProgressCallback progress;  ///< moves the bar on while the piece is worked on
};

struct PieceOptions {
  std::string label;  ///< of the bar: "classifying"
  std::int64_t bytes = 1;
  TextLimits limits{};
  ProgressOptions bar = beside_results();
};

/// Hands the input on in pieces, with a bar, until it ends.
void for_each_piece(TextReader& reader, PieceOptions options,
                    const std::function<void(const Piece&)>& use);

/// The same with standard output, for what is printed piece by piece.
void print_pieces(TextReader& reader, PieceOptions options,
                  const std::function<void(const Piece&, Output&)>& print);

/// Calls `body`; of a text that is too long the message then names --truncate.
template <class Body>
auto suggesting_truncate(const Body& body) {
  try {
    return body();
  } catch (const TextTooLong& error) {
    throw Error(
        fmt::format("{} has {} tokens and the limit is {}: shorten it, or cut it with --truncate",
                    error.name(), error.tokens(), error.limit()));
  }
}

/// The limits of a piece for SentenceTransformer, which cuts texts by itself where the model's
/// directory says so, and the prompt.
[[nodiscard]] SentenceEncodeOptions sentence_options(const TextLimits& limits,
                                                     const PromptOptions& prompt);

/// A text and its labels with their scores, for people.
[[nodiscard]] std::string label_lines(const std::string& text,
                                      const std::vector<LabelScore>& labels);

/// What JSON has of each score.
inline constexpr auto score_of = [](const auto& each) { return static_cast<float>(each.score); };

/// A text that was found at `place` (from 1) of a ranking, as a line for people.
[[nodiscard]] std::string ranked_row(std::int64_t place, const ScoredText& found);

/// The parts of `line` between any of the characters `between`.
[[nodiscard]] std::vector<std::string_view> split(std::string_view line, std::string_view between);

}  // namespace cloze::cli
