/// \file
/// A command of `cloze`: its name, a line about it, and what runs it. A further command is a file
/// and a line in the table of commands.cc.
#pragma once

#include <span>
#include <string_view>

#include "cloze/error.h"

namespace cloze::cli {

/// The words after the command's name.
using Arguments = std::span<const char* const>;

struct Command {
  std::string_view name;
  std::string_view summary;
  void (*run)(Arguments arguments);
  std::string_view lighter = {};  ///< what to give it where memory is short; empty for nothing
};

/// All commands, in the order in which `cloze --help` lists them.
[[nodiscard]] std::span<const Command> commands();

/// The command that answers with this pipeline; empty for none.
[[nodiscard]] std::string_view command_for(std::string_view pipeline);

/// Runs the command that the first argument names. `program` is what was typed before it, `about`
/// the first line of its help. Throws UsageError for an unknown name.
void dispatch(std::string_view program, std::string_view about, std::span<const Command> table,
              Arguments arguments);

/// A command line that makes no sense: exit code 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// A signal asked for an end, and all is saved: the process ends as by the signal itself.
class EndedBySignal : public Error {
 public:
  explicit EndedBySignal(int signal) : Error("ended by a signal"), signal_(signal) {}
  [[nodiscard]] int signal() const { return signal_; }

 private:
  int signal_;
};

void run_info(Arguments arguments);
void run_tokenize(Arguments arguments);
void run_encode(Arguments arguments);
void run_similarity(Arguments arguments);
void run_fill_mask(Arguments arguments);
void run_next_sentence(Arguments arguments);
void run_classify(Arguments arguments);
void run_replaced_tokens(Arguments arguments);
void run_tag(Arguments arguments);
void run_answer(Arguments arguments);
void run_choose(Arguments arguments);
void run_rank(Arguments arguments);
void run_zero_shot(Arguments arguments);
void run_evaluate(Arguments arguments);
void run_serve(Arguments arguments);
void run_bench(Arguments arguments);
void run_pull(Arguments arguments);
void run_convert(Arguments arguments);
void run_export(Arguments arguments);
void run_vocab(Arguments arguments);
void run_pretrain(Arguments arguments);
void run_finetune(Arguments arguments);
void run_inspect(Arguments arguments);
void run_embed_map(Arguments arguments);

}  // namespace cloze::cli
