/// \file
/// Questions on paragraphs with their answers: SQuAD's JSON, version 1.1 and 2.0.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/tokenizer.h"

#pragma GCC visibility push(default)
namespace cloze {

/// An answer of a question: a stretch of its context.
struct SquadAnswer {
  std::string text;
  std::int32_t start = 0;  ///< code points before it in the context; -1: the context has it nowhere
};

/// A question about a context.
struct SquadQuestion {
  std::string id;
  std::string question;
  std::size_t context = 0;           ///< index into SquadData::contexts
  std::vector<SquadAnswer> answers;  ///< none: impossible to answer, if it is labelled
  bool labelled = true;              ///< the file has "answers", or says that it is impossible
};

/// A file of SQuAD.
struct SquadData {
  std::vector<std::string> contexts;
  std::vector<SquadQuestion> questions;
  std::int64_t moved = 0;     ///< answers that stand elsewhere than the file says, and were found
  std::int64_t missing = 0;   ///< answers that their context does not hold
  std::string first_missing;  ///< id of the first question with one
};

/// Reads at most `max_questions` (0: all). An `answer_start` that does not point at its text is led
/// to the nearest place that has it. Throws IoError; FormatError (file, article, paragraph,
/// question, what to do).
[[nodiscard]] SquadData read_squad(const std::filesystem::path& path,
                                   std::int64_t max_questions = 0);

/// The same from JSON text; `origin` names it in messages.
[[nodiscard]] SquadData parse_squad(std::string_view json, const std::string& origin,
                                    std::int64_t max_questions = 0);

}  // namespace cloze

#pragma GCC visibility pop
