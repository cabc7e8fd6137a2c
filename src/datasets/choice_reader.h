/// \file
/// Prompts with choices of which one is right: SWAG's CSV (`sent1`, `sent2`, `ending0`, ... and
/// `label`; or `startphrase`, `sent1`, `sent2`), or JSON lines with a list of choices.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace cloze {

struct Choices {
  std::string prompt;
  std::vector<std::string> choices;  ///< each as the model reads it after the prompt
  std::int32_t label = -1;           ///< from 0
  std::int64_t line = 0;
};

struct ChoiceOptions {
  std::string text_column{},
      label_column{};  ///< empty: by the names above, or prompt/context/question
  std::int64_t max_samples = 0;
};

/// Throws IoError; FormatError (file, line, cause): no such columns, a row with another number of
/// choices than the first, a label that is none of them.
[[nodiscard]] std::vector<Choices> read_choices(const std::filesystem::path& path,
                                                const ChoiceOptions& options);

}  // namespace cloze
