#include <array>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cloze/threads.h"

namespace cloze::cli {
namespace {

// What the commands can be given less of.
constexpr std::string_view batches = "a smaller --batch-tokens or fewer --threads";
constexpr std::string_view examples = "a smaller --batch-size or --max-length, or fewer --threads";
constexpr std::string_view threads = "fewer --threads";

// The formatter does not read conditions inside of a list.
// clang-format off
constexpr std::array table{
    Command{"info", "what a model directory holds", run_info},
    Command{"tokenize", "text to tokens, ids and offsets", run_tokenize},
    Command{"encode", "text to vectors: of tokens or of whole texts", run_encode, batches},
    Command{"similarity", "rank texts by likeness to a query, or score pairs",
            run_similarity, batches},
    Command{"fill-mask", "the likeliest tokens at each mask ([MASK] or <mask>)", run_fill_mask, batches},
    Command{"replaced-tokens", "the tokens that do not fit their text, by an ELECTRA discriminator",
             run_replaced_tokens, batches},
    Command{"next-sentence", "does the second text follow the first?", run_next_sentence, batches},
    Command{"classify", "a label for each text or pair, by a fine-tuned model",
            run_classify, batches},
    Command{"tag", "the entities in each text, by a fine-tuned model", run_tag, batches},
    Command{"answer", "where in a text a question is answered, by a fine-tuned model",
            run_answer, batches},
    Command{"choose", "the right one of several continuations, by a fine-tuned model",
            run_choose, batches},
    Command{"rank", "candidates by how well they suit a query, by a fine-tuned model",
            run_rank, batches},
    Command{"zero-shot", "labels of your own for each text, by a model of inference",
            run_zero_shot, batches},
    Command{"evaluate", "a fine-tuned model's metrics on a file", run_evaluate, batches},
#if CLOZE_HAVE_HUB
    Command{"pull", "fetch a model from the Hugging Face Hub", run_pull},
#endif
    Command{"vocab", "train a WordPiece vocabulary from text", run_vocab, threads},
#if CLOZE_HAVE_TRAINING
    Command{"pretrain", "train a BERT on text, from nothing or from a model",
            run_pretrain, batches},
    Command{"finetune", "train a BERT for a task on its examples", run_finetune, examples},
#endif
    Command{"inspect", "what the model attends to, and why it answered", run_inspect, batches},
    Command{"embed-map", "texts as points of a map, near where they are alike",
            run_embed_map, batches},
    Command{"convert", "any checkpoint to a Hugging Face directory", run_convert},
    Command{"export", "a model to ONNX, for other runtimes", run_export},
#if CLOZE_HAVE_SERVER
    Command{"serve", "models over HTTP, for the clients that there are", run_serve,
             "smaller limits (--max-bodies-in-flight, --max-batch-tokens)"},
#endif
#if CLOZE_HAVE_BENCH
    Command{"bench", "measure speed against the machine's limit", run_bench},
#endif
};
// clang-format on

/// The command that answers with each pipeline, by the library's name of it.
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> by_pipeline{{
    {"feature-extraction", "encode"},
    {"sentence-similarity", "similarity"},
    {"fill-mask", "fill-mask"},
    {"pretraining", "fill-mask"},
    {"next-sentence-prediction", "next-sentence"},
    {"replaced-token-detection", "replaced-tokens"},
    {"text-classification", "classify"},
    {"token-classification", "tag"},
    {"question-answering", "answer"},
    {"multiple-choice", "choose"},
    {"text-ranking", "rank"},
}};

void print_help(std::string_view program, std::string_view about,
                std::span<const Command> table_of_commands) {
  auto text =
      fmt::format("{}\n\nUsage: {} COMMAND [OPTIONS] [TEXT...]\n\nCommands:\n", about, program);
  for (const auto& command : table_of_commands) {
    text += fmt::format("  {:<18}{}\n", command.name, command.summary);
  }
  text += fmt::format("\n{} COMMAND --help tells the options of each, with examples.\n", program);
  print(text);
}

/// Runs a command; of memory that is short it tells what this command can do about it.
void run(const Command& command, Arguments arguments) {
  const auto fail = [&command] {
    const auto wanted = num_threads();
    throw Error(fmt::format("there is not enough memory{}: {}",
                            wanted > 1 ? fmt::format(" (with {} threads)", wanted) : std::string(),
                            command.lighter.empty()
                                ? "free some, or raise the limit of this process (ulimit -v)"
                                : fmt::format("give it {}", command.lighter)));
  };
  try {
    command.run(arguments);
  } catch (const std::bad_alloc&) {
    fail();
  } catch (const std::length_error&) {  // more than any memory
    fail();
  }
}

}  // namespace

std::span<const Command> commands() { return table; }

std::string_view command_for(std::string_view pipeline) {
  for (const auto& [name, command] : by_pipeline) {
    if (name == pipeline) return command;
  }
  return "";
}

void dispatch(std::string_view program, std::string_view about,
              std::span<const Command> table_of_commands, Arguments arguments) {
  const std::string_view name = arguments.empty() ? "" : arguments.front();
  if (name == "--help" || name == "-h" || name == "help") {
    print_help(program, about, table_of_commands);
    return;
  }
  for (const auto& command : table_of_commands) {
    if (command.name == name) {
      run(command, arguments.subspan(1));
      return;
    }
  }
  if (arguments.empty()) {
    throw UsageError(fmt::format("a command is missing: {} --help lists them", program));
  }
  throw UsageError(
      fmt::format("there is no command \"{}\": {} --help lists those there are", name, program));
}

}  // namespace cloze::cli
